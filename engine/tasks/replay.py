"""A digitized layer's prompts, asked again: of other imagery, or of another model. What differs has changed since."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas
import numpy as np
import pandas
from pyproj import CRS
from pyproj.exceptions import ProjError
from shapely import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from ...contract.answers import ReplayedFeature
from ...contract.chores import ReplayParams
from ...contract.edits import Edit
from ...contract.errors import CrsUnknown, NothingFound, PromptError, ProtocolError, ProvenanceMissing
from ...contract.looks import Finish
from ...contract.prompts import Prompts
from ...contract.recipe import Recipe, chosen
from ...models.registry import DEFAULT_MODEL
from ..encoding.clock import Checkpoint
from ..files.export import write_frame
from ..files.globe import on_globe
from ..files.reading import read_layer
from ..outlines.by_hand import edited
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


def run(segmenter: Segmenter, params: ReplayParams, checkpoint: Checkpoint) -> Iterator[ReplayedFeature]:
    """Each feature in turn, and the file at the end; raises as `read`, `replayed` and `write`."""
    features = read(Path(params.layer), params.layer_name)
    rows = []
    for row in replayed(segmenter, features, params.image, params.model, params.finish):
        rows.append(row)
        checkpoint("decode", len(rows) / len(features))
        yield ReplayedFeature(len(rows), len(features), row.iou, row.status)
    write(features, rows, Path(params.output))


def read(path: Path, layer: str | None = None) -> geopandas.GeoDataFrame:
    """A layer with prompts; raises `LayerUnreadable` and `ProvenanceMissing`."""
    features = read_layer(path, layer)
    if PROMPTS not in features.columns or features[PROMPTS].isna().all():
        raise ProvenanceMissing(path=str(path))
    return features


def replayed(
    segmenter: Segmenter, features: geopandas.GeoDataFrame, image: str, model: str | None = None, finish: Finish | None = None
) -> Iterator[Replayed]:
    """Each feature, asked again in turn at the ground size of pixels that it had, and drawn as it was.

    model, finish: None for each feature's own. A stretch that was the user's is taken for imagery of the same name only.

    Raises `RasterError`s, `ModelUnknown`, `ModelFailed`, `CrsMissing` and `CrsUnknown`.
    """
    source = segmenter.scene(image).source
    native_m = gsd_m(source, np.array((source.width_px, source.height_px)) / 2)
    for _, feature in features.iterrows():
        asked = model or _text(feature, "model") or DEFAULT_MODEL

        def ask(
            recipe: Recipe,
            model: str = asked,
            level: int = _level(feature, native_m),
            kept_level: int = _kept_level(feature),
            is_same: bool = _name(_text(feature, "source")) == _name(image),
        ) -> Segmentation:
            crs, prompts = recipe.crs, recipe.prompts
            own = prompts if crs is None else reprojected(prompts, crs, source.crs_wkt, image)
            stretch = recipe.stretch if is_same else None
            drawn = finish or recipe.finish or Finish()
            is_closer = recipe.view_level is not None
            asked = level + (recipe.view_level - kept_level if recipe.view_level is not None else 0)
            found = segmenter.segment(image, own, model=model, level=asked, finish=drawn, stretch=stretch, closer=is_closer)
            edits = [each if crs is None else _reprojected(each, crs, source.crs_wkt, image) for each in recipe.edits]
            return _as_made(found, recipe.choice, edits)

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


def _asked_again(feature: pandas.Series, ask: Callable[[Recipe], Segmentation], crs: CRS | None) -> Replayed:
    kept = feature.get(PROMPTS)
    if not isinstance(feature.geometry, BaseGeometry) or feature.geometry.is_empty:
        return Replayed(None, None, None, "no geometry")
    if not isinstance(kept, (str, dict)) or not kept:
        return Replayed(None, None, None, "no prompts")
    try:
        recipe = Recipe.of(kept)
        found = ask(recipe)
        new = geopandas.GeoSeries([found.polygon], crs=found.crs_wkt)
        shape = new.iloc[0]
        if crs is not None and new.crs is not None and new.crs != crs:
            shape = new.to_crs(crs).iloc[0]
            shape = on_globe(shape) if crs.is_geographic else shape
    except (ProtocolError, PromptError, NothingFound, CrsUnknown, ProjError) as error:
        return Replayed(None, None, None, str(error))
    old = feature.geometry.buffer(0)
    either = old.union(shape).area
    return Replayed(found, shape, old.intersection(shape).area / either if either else 0.0, "found")


def _as_made(found: Segmentation, choice: int | None, edits: list[Edit]) -> Segmentation:
    """With the candidate that was chosen, changed by hand as it was; raises `NothingFound` where nothing of it is left."""
    picked = found.candidates[chosen([each.polygon.area for each in found.candidates], choice)]
    polygon = edited(picked.polygon, edits)
    if polygon is None:
        raise NothingFound()
    return replace(found, polygon=polygon, score=picked.score)


def _reprojected(edit: Edit, crs: str, raster_wkt: str | None, path: str) -> Edit:
    """As `reprojected`."""
    sides = (each and reprojected(Prompts(polygon=each), crs, raster_wkt, path).polygon for each in (edit.added, edit.removed))
    return Edit(*(each or "" for each in sides))


def _kept_level(feature: pandas.Series) -> int:
    """Of the feature's outline, 0 where it does not tell."""
    level = pandas.to_numeric(feature.get("level"), errors="coerce")
    return int(level) if pandas.notna(level) else 0


def _level(feature: pandas.Series, native_m: float | None) -> int:
    """Of the ground size of pixels that the feature was made at, else the feature's own."""
    gsd_m = pandas.to_numeric(feature.get("gsd_m"), errors="coerce")
    if native_m and pandas.notna(gsd_m) and gsd_m > 0:
        return round(math.log2(gsd_m / native_m))
    return _kept_level(feature)


def _name(path: str | None) -> str | None:
    """Of a file, wherever it lies."""
    return None if path is None else path.replace("\\", "/").rsplit("/", 1)[-1]


def _text(feature: pandas.Series, name: str) -> str | None:
    value = feature.get(name)
    return value if isinstance(value, str) and value else None
