"""What a model finds in a tile where nobody clicked: a click on each place that no better answer covers yet."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon

from ...contract.errors import AreaTooLarge
from ...contract.prompts import Point, Prompts
from ...contract.recipe import size_ranks
from ...models.base import FloatArray, FloatImage, Mask
from ..segmenting.answer import polygon_of
from ..segmenting.placement import NativePrompts
from ..segmenting.query import Query
from ..tiles.grid import PixelBox, Tile, TileGrid
from ..tiles.memory_cache import EncodedTile
from .descriptors import Describer
from .likely import Likely

OBJECT_PX = 160
"""Longer side, in pixels of a level, at which objects are looked for: drawn well, and whole within a tile."""

STEPS_A_SIDE = 2
"""Places that are tried along the longer side of an object."""

MOST_TILES = 250_000
"""Of one search: more take weeks, and their list alone takes memory."""

LEAST_STEP_PX = 8.0
"""Between two places, in pixels of the level: objects that are smaller at the finest level are not told apart."""

COVERING_SCORE = 0.5
"""What an answer of the right size and of at least this score covers is tried no more."""

SURE_LOGIT = 1.0
"""The mask at this logit and at its opposite overlap well where the outline is stable."""


@dataclass(frozen=True)
class Sizes:
    """Of the objects that are looked for. side_px: longer side; areas_px2: least and most; all in native pixels."""

    side_px: float
    areas_px2: tuple[float, float]

    def level(self, grid: TileGrid) -> int:
        """Of a grid, at which they are looked for."""
        return grid.clamp_level(round(math.log2(self.side_px / OBJECT_PX)))

    def holds(self, area_px2: float) -> bool:
        """Whether an object of this area may be meant."""
        return self.areas_px2[0] <= area_px2 <= self.areas_px2[1]

    def may_hold(self, mask_px2: float) -> bool:
        """Whether an object may be meant whose mask, with what is not connected to the click, has this area."""
        return self.areas_px2[0] / 2 <= mask_px2 <= self.areas_px2[1] * 2

    @staticmethod
    def about(side_px: float) -> Sizes:
        """Of objects about as long as this."""
        return Sizes(side_px, (side_px**2 / 32, side_px**2 * 4))

    @staticmethod
    def like(polygons_px: list[Polygon | MultiPolygon]) -> Sizes:
        """Of objects like some (at least one), in native pixels."""
        boxes = np.array([each.bounds for each in polygons_px])
        sides = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
        areas = shapely.area(polygons_px)
        return Sizes(float(np.median(sides)), (float(areas.min()) / 4, float(areas.max()) * 4))


@dataclass(frozen=True)
class Found:
    """One proposal. polygon: raw outline in the raster's CRS; polygon_px: in native pixels. place: the click, in the raster's
    CRS. choice: as `Recipe` has it. stability: 0 to 1. descriptor: what `Describer` gives.
    class_name: empty where none is told.
    """

    tile: Tile
    place: Point
    choice: int | None
    polygon: Polygon | MultiPolygon
    polygon_px: Polygon | MultiPolygon
    score: float
    stability: float
    descriptor: FloatArray
    class_name: str = ""

    @property
    def prompts(self) -> Prompts:
        """What gives it again."""
        return Prompts((self.place,))


def proposals(
    query: Query, tile: Tile, sizes: Sizes, area: PixelBox | None = None, likely: Likely | None = None
) -> Iterator[Found]:
    """Objects whose click lies in the tile's core, and in `area` (pixels of the tile's level) where one is given.

    likely: where it is worth asking; None for everywhere. Those that the tile cuts off, or of another size, are left out.
    Raises `RasterError`s, `ModelFailed`, and what the query's checkpoint does.
    """
    grid = query.scene.source.grid
    core = grid.core(tile) if area is None else grid.core(tile) & area
    if core.is_empty:
        return
    encoded = query.encoded(tile)
    query.clock.start("decode", 0.7)
    describer = Describer(query.network, encoded)
    covered = ~encoded.valid
    step_px = max(sizes.side_px / 2.0**tile.level / STEPS_A_SIDE, LEAST_STEP_PX)
    places = _places(core.within(grid.box(tile)), step_px)
    if likely is not None and describer.cells is not None:
        places = _likely_ones(places, likely.above_least(describer.cells.features), describer.cells.side_px)
    for row, col in places:
        if not covered[row, col]:
            yield from _at(query, tile, encoded, (row, col), covered, describer, sizes)


def _places(within: tuple[slice, slice], step_px: float) -> list[tuple[int, int]]:
    """Rows and columns on a lattice; every second one of both first, so that what covers the others is known by then."""
    rows, cols = (
        [int(place) for place in np.arange(each.start + step_px / 2, each.stop, step_px)] or [(each.start + each.stop) // 2]
        for each in within
    )
    numbered = [(i % 2 + j % 2, i, j) for i in range(len(rows)) for j in range(len(cols))]
    return [(rows[i], cols[j]) for _, i, j in sorted(numbered)]


def _likely_ones(places: list[tuple[int, int]], scores: FloatImage, side_px: int) -> list[tuple[int, int]]:
    """Those with a score above 0 in their cell, the likeliest first."""
    scored = [(float(scores[row // side_px, col // side_px]), (row, col)) for row, col in places]
    return [place for score, place in sorted(scored, key=lambda each: -each[0]) if score > 0]


def _at(
    query: Query,
    tile: Tile,
    encoded: EncodedTile,
    rowcol: tuple[int, int],
    covered: Mask,
    describer: Describer,
    sizes: Sizes,
) -> Iterator[Found]:
    """What one click finds; `covered` learns of it."""
    source = query.scene.source
    window = source.grid.window(tile)
    native = np.array([(window.x0, window.y0)]) + (np.array([rowcol[::-1]]) + 0.5) * window.scale_xy
    asked = replace(query, placed=NativePrompts(native, np.array([True]), None))
    query.clock.ask()
    found = asked.look(tile, encoded)
    [(x, y)] = source.to_map(native)
    if not found.candidates or asked.goes_on_beyond(found, found.candidates[0].logits):
        return  # a click there looks at a coarser level
    place, pixel_px2 = Point(float(x), float(y)), float(np.prod(window.scale_xy))
    offered = [each for each in found.candidates if not asked.goes_on_beyond(found, each.logits)]
    fitting = [n for n, each in enumerate(offered) if sizes.may_hold(float((each.logits > 0).sum()) * pixel_px2)]
    outlined = range(len(offered)) if any(fitting) else fitting  # what is large and torn takes long
    shown = [(n, polygon) for n in outlined if (polygon := polygon_of(offered[n], found, source)) is not None]
    ranks = size_ranks([polygon.area for _, polygon in shown])
    for (number, polygon), rank in zip(shown, ranks, strict=True):
        each, polygon_px = offered[number], shapely.transform(polygon, source.to_pixel)
        if number not in fitting or not sizes.holds(polygon_px.area):
            continue
        if number == 0 and each.score >= COVERING_SCORE:
            covered |= each.logits > 0
        descriptor = describer.of(each.logits > 0)
        choice = rank if number else None
        yield Found(tile, place, choice, polygon, polygon_px, each.score, _stability(each.logits), descriptor)


def _stability(logits: FloatImage) -> float:
    """Overlap of the masks at a logit and at its opposite (Kirillov et al., ICCV 2023)."""
    return float((logits > SURE_LOGIT).sum() / max((logits > -SURE_LOGIT).sum(), 1))


def tiles_of(grid: TileGrid, sizes: Sizes, area: PixelBox | None = None) -> list[Tile]:
    """The tiles whose cores hold an area (pixels of the level), or all of the raster, row by row; raises `AreaTooLarge`."""
    return level_tiles(grid, sizes.level(grid), area)


def level_tiles(grid: TileGrid, level: int, area: PixelBox | None = None) -> list[Tile]:
    """The same of a level."""
    box = grid.frame(level) if area is None else area
    rows, cols = (max(1, side // (grid.tile_px // 2)) for side in box.shape)
    if rows * cols > MOST_TILES:
        raise AreaTooLarge(count=rows * cols, most=MOST_TILES)
    return grid.tiles_near(level, box)
