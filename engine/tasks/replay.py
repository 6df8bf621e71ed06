"""A digitized layer's prompts, asked again: of other imagery, or of another model. What differs has changed since."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
import pandas
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj.exceptions import ProjError
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from ...contract.errors import CrsUnknown, LayerUnreadable, NothingFound, PromptError, ProtocolError, ProvenanceMissing
from ...contract.looks import Finish
from ...contract.prompts import Prompts, prompts_of_text
from ...models.registry import DEFAULT_MODEL
from ..files.export import write_frame
from ..rasters.ground import area_m2, gsd_m
from ..segmenting.answer import Segmentation
from ..segmenting.reproject import reprojected
from ..segmenting.session import Segmenter

PROMPTS = "prompts"


@dataclass(frozen=True)
class Replayed:
    """One feature asked again. found: in the raster's CRS, None where nothing was; status: why. iou: with the old shape."""

    found: Segmentation | None
    polygon: Polygon | MultiPolygon | None
    """In the layer's CRS."""

    iou: float | None
    status: str


def read(path: Path, layer: str | None = None) -> geopandas.GeoDataFrame:
    """A layer with prompts; raises `LayerUnreadable` and `ProvenanceMissing`."""
    try:
        features = pyogrio.read_dataframe(path, layer=layer or _only_layer(path))
    except (DataSourceError, DataLayerError) as error:
        raise LayerUnreadable(path=str(path), reason=str(error)) from error
    if PROMPTS not in features.columns or features[PROMPTS].isna().all():
        raise ProvenanceMissing(path=str(path))
    return features


def _only_layer(path: Path) -> str:
    """Raises `LayerUnreadable` where a file has several layers, but for the one that QGIS keeps styles in."""
    names = [name for name, geometry_type in pyogrio.list_layers(path) if geometry_type is not None]
    if len(names) != 1:
        raise LayerUnreadable(path=str(path), reason=f"it has the layers {', '.join(names)}; --layer-name tells which")
    return str(names[0])


def replayed(
    segmenter: Segmenter, features: geopandas.GeoDataFrame, image: str, model: str | None, finish: Finish
) -> Iterator[Replayed]:
    """Each feature, asked again in turn at the ground size of pixels that it had. model: None for each feature's own.

    Raises `RasterError`s, `ModelUnknown`, `ModelFailed`, `CrsMissing` and `CrsUnknown`.
    """
    source = segmenter.scene(image).source
    native_m = gsd_m(source, np.array((source.width_px, source.height_px)) / 2)
    for _, feature in features.iterrows():
        asked = model or _text(feature, "model") or DEFAULT_MODEL

        def ask(prompts: Prompts, crs: str | None, model: str = asked, level: int = _level(feature, native_m)) -> Segmentation:
            own = prompts if crs is None else reprojected(prompts, crs, source.crs_wkt, image)
            return segmenter.segment(image, own, model=model, level=level, finish=finish)

        yield _asked_again(feature, ask, features.crs)


def write(features: geopandas.GeoDataFrame, rows: list[Replayed], path: Path) -> None:
    """The features with what was found now; raises as `export.write`."""
    now = features.copy()
    now[features.geometry.name] = geopandas.GeoSeries([row.polygon for row in rows], features.index, crs=features.crs)
    wkt = None if features.crs is None else features.crs.to_wkt()
    before, after = (
        pandas.array([None if shape is None else area_m2(shape, wkt) for shape in shapes], dtype="Float64")
        for shapes in (features.geometry, now.geometry)
    )
    now["iou"] = pandas.array([row.iou for row in rows], dtype="Float64")
    now["status"] = [row.status for row in rows]
    now["old_m2"], now["area_m2"] = before, after
    for name in ("score", "level", "gsd_m", "model"):
        now[name] = [None if row.found is None else getattr(row.found, name) for row in rows]
    write_frame(now, path)


def _asked_again(feature: pandas.Series, ask: Callable[[Prompts, str | None], Segmentation], crs: object) -> Replayed:
    text = _text(feature, PROMPTS)
    if not isinstance(feature.geometry, BaseGeometry) or feature.geometry.is_empty:
        return Replayed(None, None, None, "no geometry")
    if text is None:
        return Replayed(None, None, None, "no prompts")
    try:
        prompts, prompts_crs = prompts_of_text(text)
        found = ask(prompts, prompts_crs)
        new = geopandas.GeoSeries([found.polygon], crs=found.crs_wkt)
        shape = new.iloc[0] if crs is None or new.crs is None else new.to_crs(crs).iloc[0]
    except (ProtocolError, PromptError, NothingFound, CrsUnknown, ProjError) as error:
        return Replayed(None, None, None, str(error))
    old = feature.geometry.buffer(0)
    either = old.union(shape).area
    return Replayed(found, shape, old.intersection(shape).area / either if either else 0.0, "found")


def _level(feature: pandas.Series, native_m: float | None) -> int:
    """Of the ground size of pixels that the feature was made at, else the feature's own."""
    gsd_m, level = (pandas.to_numeric(feature.get(name), errors="coerce") for name in ("gsd_m", "level"))
    if native_m and pandas.notna(gsd_m) and gsd_m > 0:
        return round(math.log2(gsd_m / native_m))
    return int(level) if pandas.notna(level) else 0


def _text(feature: pandas.Series, name: str) -> str | None:
    value = feature.get(name)
    return value if isinstance(value, str) and value else None
