"""From a model's logits to the answer: valid polygons in the raster's CRS, with what is known of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import shapely
from shapely import MultiPolygon, Polygon

from ...contract.errors import NothingFound
from ...contract.looks import Finish
from ...models.base import Candidate
from ..outlines.contours import outline, outline_of_mosaic, polygonal
from ..outlines.finish import finished
from ..rasters.ground import gsd_m
from ..rasters.source import RasterSource
from ..spreading.spread import Spread
from ..tiles.grid import Window
from .placement import to_map
from .query import FirstLook, Query

FRAME_PARTS = 16
"""Of a frame's four sides together: straight ones in pixels may be bent in the raster's CRS."""


@dataclass(frozen=True)
class PolygonCandidate:
    """One of a model's answers, in the raster's CRS; `score` is the predicted IoU."""

    polygon: Polygon | MultiPolygon
    score: float


@dataclass(frozen=True)
class Segmentation:
    """The answer to prompts.

    polygon: valid, in the raster's CRS (`crs_wkt`, None where it has none). score: predicted IoU. candidates: all answers,
    best first; of an object larger than a tile the others are as coarse as the first look. level: the level of the polygon;
    gsd_m: ground size of its pixels, None without a CRS.
    view_level: the level that was asked for, where the outline might be made at a finer one; else None.
    seconds: duration of the whole; stages: of its parts. tiles_left: about how many more would have to be asked to have all of
    it, 0 where this is all. frame: of the tile that the model looked at to see what is meant, in the raster's CRS.
    """

    polygon: Polygon | MultiPolygon
    score: float
    candidates: tuple[PolygonCandidate, ...]
    crs_wkt: str | None
    model: str
    level: int
    seconds: float
    stages: dict[str, float]
    gsd_m: float | None = None
    tiles_left: int = 0
    view_level: int | None = None
    frame: Polygon | None = None


def answer_of(query: Query, finish: Finish, window: Window, polygons: list[PolygonCandidate], level: int) -> Segmentation:
    """The answer of raw polygons (best first, at least one) of a level, each drawn as the finish says.

    window: of the tile that shows what is meant.
    """
    source, crs = query.scene.source, query.scene.source.crs_wkt
    shown = tuple(PolygonCandidate(_drawn(each.polygon, query, finish, level), each.score) for each in polygons)
    middle = source.to_pixel(shapely.get_coordinates(shown[0].polygon.centroid))[0]
    stages, ground = query.clock.stages(), gsd_m(source, middle, level)
    answer = Segmentation(
        shown[0].polygon, shown[0].score, shown, crs, query.network.name, level, sum(stages.values()), stages, ground
    )
    return replace(answer, frame=frame_of(source, window))


def frame_of(source: RasterSource, window: Window) -> Polygon:
    """What a window covers, in the raster's CRS."""
    ring = shapely.box(window.x0, window.y0, window.x1, window.y1)
    return Polygon(source.to_map(shapely.get_coordinates(shapely.segmentize(ring, max(ring.length / FRAME_PARTS, 1e-9)))))


def _drawn(raw: Polygon | MultiPolygon, query: Query, finish: Finish, level: int) -> Polygon | MultiPolygon:
    """As the finish says, but for what would take in, or leave out, a click against what it says."""
    source, clicks = query.scene.source, query.placed
    shape = finished(raw, source, level, finish)
    if shape is raw or finish.grow_m or not len(clicks.points):
        return shape
    x, y = source.to_map(clicks.points).T
    is_right = [shapely.contains_xy(each, x, y) == clicks.foreground for each in (raw, shape)]
    if (is_right[0] & ~is_right[1]).any():
        return finished(raw, source, level, replace(finish, straight_sides=False, right_angles=False, smooth=False))
    return shape


def spread_answer(
    query: Query,
    state: Spread,
    looked: list[PolygonCandidate],
    to_answer: Callable[[list[PolygonCandidate], int], Segmentation],
) -> Segmentation:
    """The answer of an object larger than a tile, as far as its level was found.

    looked: what its first tile showed. to_answer: `answer_of` for the query and that tile. Raises `NothingFound`.
    """
    source, placed, level = query.scene.source, query.placed, state.mosaic.level
    native = 2.0**level
    clicks, kinds = placed.points / native, placed.foreground
    found = outline_of_mosaic(source.grid, state.mosaic, state.outlined, clicks[kinds], clicks[~kinds])
    polygon = None if found is None else polygonal(shapely.transform(found, lambda xy: source.to_map(xy * native)))
    if polygon is None:
        raise NothingFound()
    return to_answer([PolygonCandidate(polygon, looked[0].score), *looked[1:]], level)


def polygons_of(query: Query, found: FirstLook) -> list[PolygonCandidate]:
    """Raw outlines of what a tile showed, best first; raises `NothingFound`.

    Of the others those that the tile cuts off are left out: nobody finds out how they go on.
    """
    first, *others = found.candidates
    whole = (each for each in others if not query.goes_on_beyond(found, each.logits))
    polygons = [
        PolygonCandidate(polygon, candidate.score)
        for candidate in (first, *whole)
        if (polygon := polygon_of(candidate, found, query.scene.source)) is not None
    ]
    if not polygons:
        raise NothingFound()
    return polygons


def polygon_of(candidate: Candidate, found: FirstLook, source: RasterSource) -> Polygon | MultiPolygon | None:
    """The raw outline of a candidate in the raster's CRS; None where nothing is inside."""
    foreground = found.prompts.foreground
    shape = outline(candidate.logits, found.prompts.points_xy[foreground], found.prompts.points_xy[~foreground])
    if shape is None:
        return None
    return polygonal(shapely.transform(shape, lambda xy: to_map(source, found.window, xy)))
