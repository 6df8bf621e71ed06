"""Labelled scenes: folders with `image.tif` and `labels.gpkg`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
import shapely
from pyogrio.errors import DataSourceError

from ..contract.errors import ScenesMissing
from ..engine.rasters.source import RasterSource
from ..engine.tiles.grid import Window
from ..models.base import Mask

CANVAS_PX = 1024
OBJECT_SHARE = 1 / 3
MIN_INSIDE = 0.99
MIN_AREA_PX = 100


@dataclass(frozen=True)
class Target:
    """A labelled object: polygon in the raster's pixel coordinates."""

    id: str
    cls: str
    polygon_px: shapely.Geometry

    @property
    def level(self) -> int:
        """Level of a map on which the longer side fills a third of the canvas."""
        x0, y0, x1, y1 = self.polygon_px.bounds
        return round(math.log2(max(x1 - x0, y1 - y0) / (CANVAS_PX * OBJECT_SHARE)))


@dataclass(frozen=True)
class Scene:
    """A folder with `image.tif` and `labels.gpkg`. valid: (rows, columns) of the raster."""

    name: str
    path: str
    source: RasterSource
    valid: Mask
    targets: tuple[Target, ...]


def read_scene(folder: Path, limit: int | None = None) -> Scene:
    """The scene of a folder, with at most `limit` objects evenly taken from all; raises `RasterError`s."""
    source = RasterSource(str(folder / "image.tif"))
    whole = Window(0, 0, source.width_px, source.height_px, source.width_px, source.height_px)
    valid = source.read_valid(tuple(range(1, len(source.color_interpretation) + 1)), whole)
    found = list(_targets(source, folder / "labels.gpkg"))
    if limit is not None and limit < len(found):
        found = [found[int(index)] for index in np.linspace(0, len(found) - 1, limit)]
    return Scene(folder.name, str(folder / "image.tif"), source, valid, tuple(found))


def _targets(source: RasterSource, labels: Path) -> Iterator[Target]:
    """The objects that lie inside the image and are not too small."""
    frame = shapely.box(0, 0, source.width_px, source.height_px)
    try:
        rows = geopandas.read_file(labels)
    except DataSourceError as error:
        raise ScenesMissing(path=str(labels)) from error
    if "class" not in rows:
        raise ScenesMissing(path=str(labels))
    for number, row in enumerate(rows.to_dict("records")):
        polygon = shapely.make_valid(shapely.transform(row["geometry"], source.to_pixel))
        inside = row.get("inside_frac", polygon.intersection(frame).area / polygon.area)
        if inside > MIN_INSIDE and row.get("area_px", polygon.area) >= MIN_AREA_PX:
            yield Target(str(row.get("id", number)), str(row["class"]), polygon)
