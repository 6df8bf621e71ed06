"""Layers of features from files of any format that we write, and of those that GDAL reads."""

from __future__ import annotations

from pathlib import Path

import geopandas
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError

from ...contract.errors import LayerUnreadable

REFUSALS = (
    DataSourceError,
    DataLayerError,
    FeatureError,
    FieldError,
    GeometryError,
    ValueError,
    OSError,
)
"""Of pyogrio and geopandas, when they read."""


def read_layer(path: Path, layer: str | None = None) -> geopandas.GeoDataFrame:
    """A layer with geometries, the only one where none is named; raises `LayerUnreadable`."""
    try:
        if path.suffix.lower() == ".parquet":  # GDAL as it comes with pyogrio does not read it
            return geopandas.read_parquet(path)
        frame = pyogrio.read_dataframe(path, layer=layer or _only_layer(path))
    except REFUSALS as error:
        raise LayerUnreadable(path=str(path), reason=str(error).strip().rstrip(".") or type(error).__name__) from error
    if not isinstance(frame, geopandas.GeoDataFrame):
        raise LayerUnreadable(path=str(path), reason="it has no geometries")
    return frame


def _only_layer(path: Path) -> str:
    """Raises `LayerUnreadable` where a file has several layers, but for the one that QGIS keeps styles in."""
    names = [str(name) for name, geometry_type in pyogrio.list_layers(path) if geometry_type is not None]
    if len(names) != 1:
        raise LayerUnreadable(path=str(path), reason=f"it has the layers {', '.join(names)}; --layer-name tells which")
    return names[0]
