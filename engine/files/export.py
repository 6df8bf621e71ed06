"""Polygons to files, the format chosen by the suffix."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError
from pyproj.exceptions import ProjError
from shapely import MultiPolygon, Polygon

from ...contract.errors import OutputUnsupported, OutputUnwritable
from ...contract.recipe import Recipe
from ...contract.replacing import put_file, put_layer, put_shapefile
from ...contract.secrets import without_secrets
from ..rasters.ground import area_m2, crs_code
from ..segmenting.answer import Segmentation
from .globe import on_globe

LAYER = "polygons"

SHAPEFILE_NAME_LENGTH = 10
SHAPEFILE_TEXT_LENGTH = 254


@dataclass(frozen=True)
class Record:
    """One polygon with what is known of it; the CRS is the file's."""

    polygon: Polygon | MultiPolygon
    score: float
    model: str
    level: int
    area_m2: float | None
    source: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    gsd_m: float | None = None
    prompts: str | None = None
    """See `Recipe.to_text`."""

    created: str | None = None
    """Time in UTC, ISO 8601."""

    @classmethod
    def of(cls, found: Segmentation, source: str, properties: Mapping[str, Any], recipe: Recipe) -> Record:
        """The record of an answer, with the caller's own properties of the object. recipe: without a CRS in the raster's."""
        area = area_m2(found.polygon, found.crs_wkt)
        text = replace(recipe, crs=recipe.crs or crs_code(found.crs_wkt)).to_text()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        name = os.fsencode(source).decode(errors="replace")  # names of files need be no UTF-8
        return cls(found.polygon, found.score, found.model, found.level, area, name, properties, found.gsd_m, text, now)


DRIVERS = {
    ".gpkg": "GPKG",
    ".shp": "ESRI Shapefile",
    ".geojson": "GeoJSON",
    ".fgb": "FlatGeobuf",
    ".parquet": "Parquet",
}

REFUSALS = (DataSourceError, DataLayerError, FeatureError, FieldError, GeometryError)
"""Of pyogrio, when it writes."""

CREATION_OPTIONS = {
    ".geojson": {"RFC7946": "YES"},
    ".gpkg": {"VERSION": "1.2"},  # the newest that GDAL reads without a warning in all QGIS from 3.22 on
}


def check_output(path: Path) -> None:
    """Raise `OutputUnsupported` or `OutputUnwritable` before any work is done for it."""
    if path.suffix.lower() not in DRIVERS:
        raise OutputUnsupported(path=str(path), known=", ".join(DRIVERS))
    if not path.parent.is_dir():
        raise OutputUnwritable(path=str(path), reason=f"no folder {path.parent}")


def write(records: Sequence[Record], crs_wkt: str | None, path: Path) -> None:
    """Write records; an existing layer `polygons` in a GeoPackage, or an existing file of another format, is replaced.

    GeoJSON becomes WGS 84 (RFC 7946). Field names of a shapefile are cut to 10 characters, with one `UserWarning`. Raises
    `OutputUnsupported` and `OutputUnwritable`.
    """
    write_frame(frame_of(records, crs_wkt), path)


def write_frame(frame: geopandas.GeoDataFrame, path: Path) -> None:
    """As `write`, of a table with geometry. What fails leaves the former file as it was."""
    check_output(path)
    suffix = path.suffix.lower()
    put = {".gpkg": put_layer, ".shp": put_shapefile}.get(suffix, put_file)
    with refusals_told(path):
        if suffix == ".shp":
            frame = _shorten_fields(_without_long_texts(frame))
        elif suffix == ".geojson":
            frame = _in_wgs84(frame, path)
        put(path, lambda made: _write_new(frame, made, path.stem))


@contextmanager
def refusals_told(path: Path) -> Iterator[None]:
    """Raise `OutputUnwritable` for what libraries raise where they can't write a file."""
    try:
        yield
    except (*REFUSALS, OSError, ValueError, OverflowError) as error:  # Arrow's are plain ValueErrors
        raise OutputUnwritable(path=str(path), reason=str(error).strip().rstrip(".")) from error


def _in_wgs84(frame: geopandas.GeoDataFrame, path: Path) -> geopandas.GeoDataFrame:
    """As GeoJSON has it (RFC 7946); raises `OutputUnwritable` where no way leads there."""
    if frame.crs is None:
        return frame
    try:
        found = frame.to_crs("EPSG:4326")
    except ProjError as error:
        reason = "GeoJSON is in WGS 84, and there is no way from the raster's CRS to it; choose .gpkg"
        raise OutputUnwritable(path=str(path), reason=reason) from error
    if not np.isfinite(found.total_bounds).all() and np.isfinite(frame.total_bounds).all():
        reason = "GeoJSON is in WGS 84, and not all of the polygons can be placed there; choose .gpkg"
        raise OutputUnwritable(path=str(path), reason=reason)
    return found.set_geometry(found.geometry.map(on_globe, na_action="ignore"))


def _write_new(frame: geopandas.GeoDataFrame, path: Path, name: str) -> None:
    """Write a new file, or our layer of a GeoPackage that is there; raises `OSError` where it does not hold all of it then.

    name: of the layer, where the format has one.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        frame.to_parquet(path)
        written = geopandas.read_parquet(path, columns=[frame.geometry.name]).shape[0]
    else:
        layer = LAYER if suffix == ".gpkg" else None if suffix == ".shp" else name
        options = CREATION_OPTIONS.get(suffix, {})
        if suffix == ".gpkg" and path.exists():
            options = {}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "'crs' was not provided")
            pyogrio.write_dataframe(frame, path, layer=layer, driver=DRIVERS[suffix], promote_to_multi=True, **options)
        written = pyogrio.read_info(path, layer=layer if suffix == ".gpkg" else None, force_feature_count=True)["features"]
    if written != len(frame):
        raise OSError(f"{written} of {len(frame)} features were written; the disk may be full")


def frame_of(records: Sequence[Record], crs_wkt: str | None) -> geopandas.GeoDataFrame:
    """A row for each record."""
    columns: dict[str, Any] = {
        "score": [record.score for record in records],
        "model": [record.model for record in records],
        "level": [record.level for record in records],
        "area_m2": pandas.array([record.area_m2 for record in records], dtype="Float64"),
        "gsd_m": pandas.array([record.gsd_m for record in records], dtype="Float64"),
        "source": [without_secrets(record.source) for record in records],
        "prompts": [record.prompts for record in records],
        "created": [record.created for record in records],
    }
    own = dict.fromkeys(name for record in records for name in record.properties)
    given = {
        name: _alike([record.properties.get(key) for record in records]) for key, name in _free_names(own, columns).items()
    }
    return geopandas.GeoDataFrame(given | columns, geometry=[record.polygon for record in records], crs=crs_wkt)


def _free_names(names: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """Each name with what it is called beside others, whose case does not tell them apart."""
    used, free = {"fid", "geom", "geometry", *taken}, {}
    for name in names:
        other = name
        while other.casefold() in used:
            other += "_"
        used.add(other.casefold())
        free[name] = other
    return free


def _alike(values: list[Any]) -> list[Any]:
    """Values as texts where they are of several types: a column has one."""
    types = {type(value) for value in values if value is not None}
    return values if len(types) < 2 or types == {int, float} else [None if each is None else str(each) for each in values]


def _without_long_texts(frame: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    """A shapefile cuts texts, and prompts that were cut are none."""
    if "prompts" not in frame.columns:
        return frame
    is_long = frame["prompts"].map(lambda text: isinstance(text, str) and len(text.encode()) > SHAPEFILE_TEXT_LENGTH)
    if is_long.any():
        left = f"the prompts of {is_long.sum()} of {len(frame)} features are longer, so they are left out"
        warnings.warn(f"a shapefile's texts have {SHAPEFILE_TEXT_LENGTH} bytes at most: {left}", UserWarning, stacklevel=3)
    return frame.assign(prompts=frame["prompts"].mask(is_long))


def _shorten_fields(frame: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    short = shapefile_names([str(name) for name in frame.columns if name != "geometry"])
    changed = {name: cut for name, cut in short.items() if name != cut}
    if changed:
        pairs = ", ".join(f"{name} → {cut}" for name, cut in changed.items())
        warnings.warn(f"a shapefile's field names have 10 characters at most: {pairs}", UserWarning, stacklevel=3)
    return frame.rename(columns=changed)


def shapefile_names(names: Sequence[str]) -> dict[str, str]:
    """Each name with its form in a shapefile: at most 10 bytes of UTF-8, no two alike whatever the case."""
    taken: set[str] = set()
    short: dict[str, str] = {}
    for name in sorted(names, key=lambda name: len(name.encode()) > SHAPEFILE_NAME_LENGTH):
        cut, number = _cut(name, SHAPEFILE_NAME_LENGTH), 0
        while cut.lower() in taken:
            number += 1
            cut = _cut(name, SHAPEFILE_NAME_LENGTH - len(f"_{number}")) + f"_{number}"
        taken.add(cut.lower())
        short[name] = cut
    return {name: short[name] for name in names}


def _cut(name: str, length: int) -> str:
    return name.encode()[:length].decode(errors="ignore")
