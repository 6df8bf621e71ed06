"""All objects of about one size, on a raster of any size: what neighbouring tiles both find is told once, nothing is cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ...contract.errors import SizeUnknown
from ...contract.looks import PRESETS
from ...contract.proposals import EverythingParams
from ..encoding.clock import Checkpoint
from ..proposing.proposals import Sizes, proposals, tiles_of
from ..proposing.settling import Settling
from ..rasters.ground import gsd_m
from ..rasters.source import RasterSource
from ..segmenting.session import Segmenter, pixel_box
from .proposed import Proposed
from .tile_job import Params, TileJob, carry_out


def run(segmenter: Segmenter, params: EverythingParams, checkpoint: Checkpoint) -> Iterator[Proposed]:
    """As `tile_job.carry_out`.

    Raises `SizeUnknown`, `RasterError`s, `ModelUnknown`, `ModelFailed`, `PromptOutsideRaster` for an area off the raster,
    `SchedulerUnreachable`, and what `checkpoint` does.
    """
    yield from carry_out(segmenter, "segment_everything", job, params, params.finish, checkpoint)


def job(segmenter: Segmenter, params: Params, checkpoint: Checkpoint) -> TileJob:
    """What is searched in each tile; raises as `run`."""
    if not isinstance(params, EverythingParams):
        raise TypeError(f"{type(params).__name__} are parameters of another task")
    query = segmenter.query_about(params.image, params.model, params.stretch, checkpoint)
    source = query.scene.source
    side_px = params.side_px or (params.side_m or 0.0) / _pixel_m(source, params.area)
    sizes = Sizes.about(side_px)
    area = None if params.area is None else pixel_box(source, params.area, sizes.level(source.grid))
    return TileJob(
        query,
        tiles_of(source.grid, sizes, area),
        lambda tile: proposals(query, tile, sizes, area),
        replace(params, finish=PRESETS["raw"], least_score=0.0, granularity=0.0),
        Settling(side_px, params.granularity),
        lambda each: each.score >= params.least_score,
    )


def _pixel_m(source: RasterSource, area: tuple[float, float, float, float] | None) -> float:
    """Ground size of a pixel in the middle of an area in the raster's CRS, or of the raster; raises `SizeUnknown`."""
    middle = np.array((source.width_px, source.height_px)) / 2
    if area is not None:
        middle = source.to_pixel(np.array([((area[0] + area[2]) / 2, (area[1] + area[3]) / 2)]))[0]
    found = gsd_m(source, middle)
    if found is None:
        raise SizeUnknown(path=source.path)
    return found
