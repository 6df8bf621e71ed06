"""All objects of the classes that a model was trained on, on a raster of any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...contract.looks import PRESETS
from ...contract.model_errors import ModelFindsNothingItself
from ...contract.proposals import DetectParams
from ...models.base import Detecting
from ..encoding.clock import Checkpoint
from ..proposing.detected import detected
from ..proposing.proposals import level_tiles
from ..proposing.settling import Settling
from ..segmenting.session import Segmenter, pixel_box
from .proposed import Proposed
from .tile_job import Params, TileJob, carry_out

KEPT_SCORE = 0.1
"""Found and kept in the run's log, so that another threshold asks no tile again."""


def run(segmenter: Segmenter, params: DetectParams, checkpoint: Checkpoint) -> Iterator[Proposed]:
    """As `tile_job.carry_out`.

    Raises `ModelFindsNothingItself`, `RasterError`s, `ModelUnknown`, `ModelFailed`, `PromptOutsideRaster` for an area off the
    raster, `AreaTooLarge`, `SchedulerUnreachable`, and what `checkpoint` does.
    """
    yield from carry_out(segmenter, "detect_classes", job, params, params.finish, checkpoint)


def job(segmenter: Segmenter, params: Params, checkpoint: Checkpoint) -> TileJob:
    """What is searched in each tile; raises as `run`."""
    if not isinstance(params, DetectParams):
        raise TypeError(f"{type(params).__name__} are parameters of another task")
    query = segmenter.query_about(params.image, params.model, params.stretch, checkpoint)
    source, network = query.scene.source, query.network
    if not isinstance(network, Detecting):
        raise ModelFindsNothingItself(name=params.model)
    level = source.grid.clamp_level(params.level)
    area = None if params.area is None else pixel_box(source, params.area, level)
    wanted = None if params.classes is None else set(params.classes)
    return TileJob(
        query,
        level_tiles(source.grid, level, area),
        lambda tile: detected(query, network, tile, KEPT_SCORE),
        replace(params, finish=PRESETS["raw"], least_score=0.0, classes=None, level=level),
        Settling(None),
        lambda each: each.score >= params.least_score and (wanted is None or each.class_name in wanted),
    )
