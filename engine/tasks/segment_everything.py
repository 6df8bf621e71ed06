"""All objects of about one size, on a raster of any size: what neighbouring tiles both find is told once, nothing is cut."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import numpy as np

from ...contract.errors import SizeUnknown
from ...contract.proposals import EverythingParams
from ..encoding.clock import Checkpoint
from ..proposing.distinct import distinct
from ..proposing.proposals import Found, Sizes, proposals, tiles_of
from ..proposing.ranking import Ranking
from ..rasters.ground import gsd_m
from ..rasters.source import RasterSource
from ..segmenting.session import Segmenter, pixel_box
from .proposed import Proposed, proposed

ROWS_THAT_OVERLAP = 2
"""Tiles of this many rows further down share no pixel."""

BOX_SHARE = 0.5
"""Of the square over its longer side an object fills about so much."""


def run(segmenter: Segmenter, params: EverythingParams, checkpoint: Checkpoint) -> Iterator[Proposed]:
    """Proposals as soon as no tile that is still to come can find better ones in their place.

    Raises `SizeUnknown`, `RasterError`s, `ModelUnknown`, `ModelFailed`, `PromptOutsideRaster` for an area off the raster, and
    what `checkpoint` does.
    """
    share = 0.0
    query = segmenter.query_about(params.image, params.model, params.stretch, lambda stage, fraction: checkpoint(stage, share))
    side_px = params.side_px or (params.side_m or 0.0) / _pixel_m(query.scene.source, params.area)
    grid, sizes = query.scene.source.grid, Sizes.about(side_px)
    area = None if params.area is None else pixel_box(query.scene.source, params.area, sizes.level(grid))
    tiles = tiles_of(grid, sizes, area)
    settling, number, done = _Settling(side_px), 0, 0
    for row, of_row in groupby(tiles, lambda tile: tile.row):
        for tile in of_row:
            checkpoint("search", share)
            settling.add(each for each in proposals(query, tile, sizes, area) if each.score >= params.least_score)
            done += 1
            share = done / len(tiles)
        for found, likeness in settling.settled(row - ROWS_THAT_OVERLAP):
            yield proposed(query, number, found, likeness, params.finish)
            number += 1
    for found, likeness in settling.settled(tiles[-1].row):
        yield proposed(query, number, found, likeness, params.finish)
        number += 1


class _Settling:
    """Proposals of the last few rows of tiles, all that is held in memory."""

    def __init__(self, side_px: float) -> None:
        self._typical_px2 = np.array([BOX_SHARE * side_px**2])
        self._waiting: list[Found] = []
        self._told: list[Found] = []

    def add(self, found: Iterator[Found]) -> None:
        """More of the newest row."""
        self._waiting.extend(found)

    def settled(self, row: int) -> list[tuple[Found, float]]:
        """What is final up to a row of tiles, best first. What was told before stays: it goes before all that overlaps it."""
        both = [*self._told, *self._waiting]
        if not both:
            return []
        prior = Ranking(both, self._typical_px2).likeness((), ())
        first = np.where(np.arange(len(both)) < len(self._told), 2.0, prior)
        kept = [index for index in distinct(both, first) if index >= len(self._told)]
        final = [(both[index], float(prior[index])) for index in kept if both[index].tile.row <= row]
        self._waiting = [each for each in self._waiting if each.tile.row > row]
        self._told = [each for each in (*self._told, *(found for found, _ in final)) if each.tile.row > row - ROWS_THAT_OVERLAP]
        return final


def _pixel_m(source: RasterSource, area: tuple[float, float, float, float] | None) -> float:
    """Ground size of a pixel in the middle of an area in the raster's CRS, or of the raster; raises `SizeUnknown`."""
    middle = np.array((source.width_px, source.height_px)) / 2
    if area is not None:
        middle = source.to_pixel(np.array([((area[0] + area[2]) / 2, (area[1] + area[3]) / 2)]))[0]
    found = gsd_m(source, middle)
    if found is None:
        raise SizeUnknown(path=source.path)
    return found
