"""All objects of about one size, on a raster of any size: what neighbouring tiles both find is told once, nothing is cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ...contract.errors import SizeUnknown
from ...contract.looks import PRESETS
from ...contract.proposals import EverythingParams
from ..encoding.clock import Checkpoint
from ..proposing.over_tiles import over_tiles
from ..proposing.proposals import Sizes, proposals, tiles_of
from ..proposing.run_log import RunLog
from ..proposing.settling import Settling
from ..rasters.ground import gsd_m
from ..rasters.source import RasterSource
from ..segmenting.session import Segmenter, pixel_box
from .proposed import Proposed, proposed


def run(segmenter: Segmenter, params: EverythingParams, checkpoint: Checkpoint) -> Iterator[Proposed]:
    """Proposals as soon as no tile that is still to come can find better ones in their place.

    A run that was stopped, asked again with the same parameters, goes on from the tiles that were done (`proposing.run_log`).
    Raises `SizeUnknown`, `RasterError`s, `ModelUnknown`, `ModelFailed`, `PromptOutsideRaster` for an area off the raster, and
    what `checkpoint` does.
    """
    share = 0.0

    def on_share(value: float) -> None:
        nonlocal share
        share = value
        checkpoint("search", share)

    query = segmenter.query_about(params.image, params.model, params.stretch, lambda stage, fraction: checkpoint(stage, share))
    source = query.scene.source
    side_px = params.side_px or (params.side_m or 0.0) / _pixel_m(source, params.area)
    sizes = Sizes.about(side_px)
    area = None if params.area is None else pixel_box(source, params.area, sizes.level(source.grid))
    found = over_tiles(
        source,
        tiles_of(source.grid, sizes, area),
        lambda tile: proposals(query, tile, sizes, area),
        Settling(side_px),
        RunLog.of(segmenter.runs_folder, query, replace(params, finish=PRESETS["raw"], least_score=0.0)),
        lambda each: each.score >= params.least_score,
        on_share,
    )
    for number, (each, likeness) in enumerate(found):
        yield proposed(query, number, each, likeness, params.finish)


def _pixel_m(source: RasterSource, area: tuple[float, float, float, float] | None) -> float:
    """Ground size of a pixel in the middle of an area in the raster's CRS, or of the raster; raises `SizeUnknown`."""
    middle = np.array((source.width_px, source.height_px)) / 2
    if area is not None:
        middle = source.to_pixel(np.array([((area[0] + area[2]) / 2, (area[1] + area[3]) / 2)]))[0]
    found = gsd_m(source, middle)
    if found is None:
        raise SizeUnknown(path=source.path)
    return found
