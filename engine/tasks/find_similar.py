"""The rest of the objects that are like some: proposals by the model, ranked by what was accepted and rejected."""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

import shapely
from shapely import MultiPolygon, Polygon

from ...contract.errors import NoExamples, SearchForgotten
from ...contract.proposals import AnswersParams, Likeness, SimilarParams
from ...contract.requests import Shape
from ..encoding.clock import Checkpoint
from ..outlines.contours import polygonal
from ..proposing.likely import Likely
from ..proposing.proposals import Found, Sizes, proposals, tiles_of
from ..proposing.search import Search
from ..rasters.source import RasterSource
from ..segmenting.placement import from_hex
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
    level = source.grid.clamp_level(sizes.level)
    area = None if params.area is None else pixel_box(source, params.area, level)
    asked: dict[Tile, PixelBox | None] = dict.fromkeys(tiles_of(source.grid, sizes, area), area)
    for known in (*examples, *others):  # what they look like is learnt from proposals, also where nothing is to be found
        for tile in source.grid.tiles_near(level, _around(known, level)):
            asked.setdefault(tile, _around(known, level))
    likely = Likely.of(query, level, examples)
    found: list[Found] = []
    for number, (tile, part) in enumerate(asked.items()):
        share = number / len(asked)
        checkpoint("search", share)
        found.extend(proposals(query, tile, sizes, part, likely))
    search = _newest[segmenter] = Search.of(found, examples, others)
    for number, likeness in search.best(params.most):
        yield proposed(query, number, search.found[number], likeness, params.finish)


def answer(segmenter: Segmenter, params: AnswersParams, checkpoint: Checkpoint) -> Iterator[Likeness]:
    """What is left of the newest search after the answers so far, the likeliest first; raises `SearchForgotten`."""
    search = _newest.get(segmenter)
    if search is None:
        raise SearchForgotten()
    search.answer(params.accepted, params.rejected)
    for number, likeness in search.best(len(search.found)):
        yield Likeness(number, likeness)


def _in_pixels(source: RasterSource, shapes: tuple[Shape, ...]) -> list[Polygon | MultiPolygon]:
    """Polygons in native pixels, without what lies off the raster; raises `PolygonUnusable`."""
    frame = shapely.box(0, 0, source.width_px, source.height_px)
    placed = (
        polygonal(shapely.transform(from_hex(each.wkb_hex), source.to_pixel).buffer(0).intersection(frame)) for each in shapes
    )
    return [each for each in placed if each is not None]


def _around(known_px: Polygon | MultiPolygon, level: int) -> PixelBox:
    """The pixels of a level that a polygon touches."""
    x0, y0, x1, y1 = (int(each / 2.0**level) for each in known_px.bounds)
    return PixelBox(y0, x0, y1 + 1, x1 + 1)
