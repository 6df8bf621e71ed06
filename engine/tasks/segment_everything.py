"""All objects of about one size, on a raster of any size: what neighbouring tiles both find is told once, nothing is cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count, groupby

import numpy as np

from ...contract.errors import SizeUnknown
from ...contract.looks import PRESETS
from ...contract.proposals import EverythingParams
from ..encoding.clock import Checkpoint
from ..proposing.proposals import Found, Sizes, proposals, tiles_of
from ..proposing.run_log import RunLog
from ..proposing.settling import Settling
from ..proposing.tile_finds import TileFinds
from ..rasters.ground import gsd_m
from ..rasters.source import RasterSource
from ..segmenting.query import Query
from ..segmenting.session import Segmenter, pixel_box
from ..tiles.grid import PixelBox, Tile
from .proposed import Proposed, proposed


def run(segmenter: Segmenter, params: EverythingParams, checkpoint: Checkpoint) -> Iterator[Proposed]:
    """Proposals as soon as no tile that is still to come can find better ones in their place.

    A run that was stopped, asked again with the same parameters, goes on from the tiles that were done (`proposing.run_log`).
    Raises `SizeUnknown`, `RasterError`s, `ModelUnknown`, `ModelFailed`, `PromptOutsideRaster` for an area off the raster, and
    what `checkpoint` does.
    """
    share = 0.0
    query = segmenter.query_about(params.image, params.model, params.stretch, lambda stage, fraction: checkpoint(stage, share))
    side_px = params.side_px or (params.side_m or 0.0) / _pixel_m(query.scene.source, params.area)
    grid, sizes = query.scene.source.grid, Sizes.about(side_px)
    area = None if params.area is None else pixel_box(query.scene.source, params.area, sizes.level(grid))
    tiles = tiles_of(grid, sizes, area)
    run_log = RunLog.of(segmenter.runs_folder, query, replace(params, finish=PRESETS["raw"], least_score=0.0))
    settling, numbered, done = Settling(side_px), count(), 0
    for row, of_row in groupby(tiles, lambda tile: tile.row):
        for tile in of_row:
            checkpoint("search", share)
            settling.add(each for each in _searched(query, tile, sizes, area, run_log) if each.score >= params.least_score)
            done += 1
            share = done / len(tiles)
        for found, likeness in settling.settled(row):
            yield proposed(query, next(numbered), found, likeness, params.finish)
    for found, likeness in settling.rest():
        yield proposed(query, next(numbered), found, likeness, params.finish)
    if run_log is not None:
        run_log.finish()


def _searched(query: Query, tile: Tile, sizes: Sizes, area: PixelBox | None, run_log: RunLog | None) -> tuple[Found, ...]:
    """What a tile holds, from the log where it was searched before."""
    known = None if run_log is None else run_log.get(tile, query.scene.source)
    if known is not None:
        return known.found
    finds = TileFinds(tile, tuple(proposals(query, tile, sizes, area)))
    if run_log is not None:
        run_log.put(finds)
    return finds.found


def _pixel_m(source: RasterSource, area: tuple[float, float, float, float] | None) -> float:
    """Ground size of a pixel in the middle of an area in the raster's CRS, or of the raster; raises `SizeUnknown`."""
    middle = np.array((source.width_px, source.height_px)) / 2
    if area is not None:
        middle = source.to_pixel(np.array([((area[0] + area[2]) / 2, (area[1] + area[3]) / 2)]))[0]
    found = gsd_m(source, middle)
    if found is None:
        raise SizeUnknown(path=source.path)
    return found
