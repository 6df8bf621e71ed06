"""The outline follows the object, not the view: what is small in its tile is looked at once more, at a finer level.

The view's level says what is meant. An object that fills a quarter of a tile or less loses its corners there; at the level at
which it fills a quarter to a half, one tile of the grid always holds all of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ...contract.errors import PromptOnNodata
from ...models.base import MOST_CANDIDATES, Candidate, FloatImage, PixelPrompts
from ...models.places import XY
from ..spreading.mosaic import LogitField, Mosaic, OneTile
from ..spreading.spread import iou
from ..spreading.tile_answers import probabilities
from ..tiles.grid import MIN_LEVEL, Tile, TileGrid
from .answer import PolygonCandidate, Segmentation, frame_of, polygons_of
from .query import SAME_OBJECT_IOU, FirstLook, Query

MOST_LEVELS = 2
"""Finer than asked for at most."""

LARGEST_SHARE = 0.47
"""Of a tile's side: an object whose middle is its tile's nearest reaches no edge of it then."""


def closer_tile(grid: TileGrid, found: FirstLook) -> Tile | None:
    """The tile of a finer level on which to look again; None where the object is large enough in its own."""
    mask = found.candidates[0].logits > 0
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    side_px = max(rows[-1] - rows[0], cols[-1] - cols[0]) + 1
    levels = min(MOST_LEVELS, math.floor(math.log2(LARGEST_SHARE * grid.tile_px / side_px)), found.tile.level - MIN_LEVEL)
    if levels < 1:
        return None
    window, scale = found.window, found.window.scale_xy
    middle = XY(window.x0 + (cols[0] + cols[-1] + 1) / 2 * scale.x, window.y0 + (rows[0] + rows[-1] + 1) / 2 * scale.y)
    return grid.tile_at(found.tile.level - levels, *middle)


def look_closer(query: Query, found: FirstLook, tile: Tile) -> FirstLook | None:
    """Candidates of a finer tile, of what was found at a coarser level; None where it shows something else.

    Raises `RasterError`s, `ModelFailed`, and what the query's checkpoint does.
    """
    grid = query.scene.source.grid
    encoded = query.encoded(tile)
    query.clock.start("decode", 0.8)
    try:
        given = query.prompts_in(tile, encoded)
    except PromptOnNodata:  # the coarser level's pixels hide it
        return None
    before = _at_level(grid, found, tile)
    candidates = query.decoded(encoded, given.answered_with(probabilities(before)), MOST_CANDIDATES)
    best = _meant(candidates, before, given)
    if best is None:
        return None
    ordered = (candidates[best], *(each for number, each in enumerate(candidates) if number != best))
    closer = FirstLook(tile, grid.window(tile), given, ordered)
    return None if query.goes_on_beyond(closer, ordered[0].logits) else closer


def closer_answer(
    query: Query,
    first: FirstLook,
    to_answer: Callable[[list[PolygonCandidate], int], Segmentation],
    answer: Segmentation,
    offer: Callable[[Segmentation], None],
) -> Segmentation:
    """The answer of a finer level where the object is small in its tile, else the first one.

    offer: given the first one where the other takes a while. Raises as `look_closer`.
    """
    asked = replace(answer, view_level=answer.level)
    tile = closer_tile(query.scene.source.grid, first)
    if tile is None:
        return asked
    if query.encodings.kept(tile) is None:
        offer(asked)
    found = look_closer(query, first, tile)
    if found is None:
        return asked
    query.clock.start("vectorize", 0.95)
    drawn = to_answer(polygons_of(query, found), tile.level)
    return replace(drawn, view_level=answer.level, frame=frame_of(query.scene.source, found.window))


def _at_level(grid: TileGrid, found: FirstLook, tile: Tile) -> FloatImage:
    """The coarser answer on a finer tile."""
    field: LogitField = OneTile(grid, found.tile, found.candidates[0].logits)
    while field.level > tile.level:
        field = Mosaic(grid, field)
    return field.read(grid.box(tile))


def _meant(candidates: Sequence[Candidate], before: FloatImage, given: PixelPrompts) -> int | None:
    """The candidate that is the same object: to a single click the model's best, if it is; else the one most alike."""
    agreement = [iou(each.logits > 0, before > 0) for each in candidates]
    if not agreement or max(agreement) < SAME_OBJECT_IOU:
        return None
    is_one_click = len(given.points_xy) == 1 and given.box_xyxy is None and given.prior is None
    return 0 if is_one_click and agreement[0] >= SAME_OBJECT_IOU else int(np.argmax(agreement))
