"""The rest of the objects that are like some: proposals by the model, ranked by what was accepted and rejected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from weakref import WeakKeyDictionary

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon

from ...contract.errors import NoExamples, PromptOutsideRaster, SearchForgotten
from ...contract.proposals import AnswersParams, Likeness, SimilarParams
from ...contract.requests import Shape
from ..encoding.clock import Checkpoint
from ..proposing.likely import Likely
from ..proposing.proposals import Found, Sizes, proposals, tiles_of
from ..proposing.search import Search
from ..rasters.source import RasterSource
from ..segmenting.placement import place_polygon
from ..segmenting.session import Segmenter, pixel_box
from ..tiles.grid import PixelBox, Tile
from .proposed import Proposed, proposed

_newest: WeakKeyDictionary[Segmenter, Search] = WeakKeyDictionary()
"""What answers are about."""


def run(segmenter: Segmenter, params: SimilarParams, checkpoint: Checkpoint) -> Iterator[Proposed]:
    """Proposals of the area, the likeliest first.

    Raises `NoExamples`, `RasterError`s, `ModelUnknown`, `ModelFailed`, `PromptOutsideRaster` for an area off the raster, and
    what `checkpoint` does.
    """
    share = 0.0
    query = segmenter.query_about(params.image, params.model, params.stretch, lambda stage, fraction: checkpoint(stage, share))
    source = query.scene.source
    examples, others = (_in_pixels(source, shapes) for shapes in (params.examples, params.others))
    if not examples:
        raise NoExamples()
    sizes = Sizes.like(examples)
    level = sizes.level(source.grid)
    area = None if params.area is None else pixel_box(source, params.area, level)
    asked: dict[Tile, list[PixelBox | None]] = {tile: [area] for tile in tiles_of(source.grid, sizes, area)}
    if area is not None:  # what the known ones look like is learnt from proposals, also where nothing is to be found
        for around in _parts((*examples, *others), level):
            for tile in source.grid.tiles_near(level, around):
                asked.setdefault(tile, []).append(around)
    likely = Likely.of(query, level, examples)
    found: list[Found] = []
    for number, (tile, parts) in enumerate(asked.items()):
        share = number / len(asked)
        checkpoint("search", share)
        for part in parts:
            found.extend(proposals(query, tile, sizes, part, likely))
    search = _newest[segmenter] = Search.of(found, examples, others)
    if area is not None:
        search.taken |= {number for number, each in enumerate(found) if not _lies_in(each, source, area, level)}
    for number, likeness in search.best(params.most):
        yield proposed(query, number, search.found[number], likeness, params.finish)


def answer(segmenter: Segmenter, params: AnswersParams, checkpoint: Checkpoint) -> Iterator[Likeness]:
    """All that is left of the newest search after the answers so far, the likeliest first; raises `SearchForgotten`."""
    search = _newest.get(segmenter)
    if search is None:
        raise SearchForgotten()
    search.answer(params.accepted, params.rejected)
    for number, likeness in search.left():
        yield Likeness(number, likeness)


def _in_pixels(source: RasterSource, shapes: tuple[Shape, ...]) -> list[Polygon | MultiPolygon]:
    """Polygons in native pixels, without what lies off the raster; raises `PolygonUnusable`."""
    placed = []
    for each in shapes:
        with suppress(PromptOutsideRaster):
            placed.append(place_polygon(source, each.wkb_hex))
    return placed


def _parts(known_px: Iterable[Polygon | MultiPolygon], level: int) -> list[PixelBox]:
    """The pixels of a level that each part of some polygons touches."""
    bounds = [[int(side / 2.0**level) for side in part.bounds] for each in known_px for part in shapely.get_parts(each)]
    return [PixelBox(y0, x0, y1 + 1, x1 + 1) for x0, y0, x1, y1 in bounds]


def _lies_in(found: Found, source: RasterSource, area: PixelBox, level: int) -> bool:
    """Whether the click of a proposal lies in an area (pixels of a level)."""
    x, y = source.to_pixel(np.array([(found.place.x, found.place.y)]))[0] / 2.0**level
    return bool(area.left <= x < area.right and area.top <= y < area.bottom)
