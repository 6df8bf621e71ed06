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
from ..proposing.over_tiles import over_tiles
from ..proposing.proposals import level_tiles
from ..proposing.run_log import RunLog
from ..proposing.settling import Settling
from ..segmenting.session import Segmenter, pixel_box
from .proposed import Proposed, proposed

KEPT_SCORE = 0.1
"""Found and kept in the run's log, so that another threshold asks no tile again."""


def run(segmenter: Segmenter, params: DetectParams, checkpoint: Checkpoint) -> Iterator[Proposed]:
    """Detections as soon as no tile that is still to come can find better ones in their place.

    A run that was stopped, asked again with the same parameters, goes on from the tiles that were done. Raises
    `ModelFindsNothingItself`, `RasterError`s, `ModelUnknown`, `ModelFailed`, `PromptOutsideRaster` for an area off the raster,
    `AreaTooLarge`, and what `checkpoint` does.
    """
    share = 0.0

    def on_share(value: float) -> None:
        nonlocal share
        share = value
        checkpoint("search", share)

    query = segmenter.query_about(params.image, params.model, params.stretch, lambda stage, fraction: checkpoint(stage, share))
    source, network = query.scene.source, query.network
    if not isinstance(network, Detecting):
        raise ModelFindsNothingItself(name=params.model)
    level = source.grid.clamp_level(params.level)
    area = None if params.area is None else pixel_box(source, params.area, level)
    tiles = level_tiles(source.grid, level, area)
    run_log = RunLog.of(
        segmenter.runs_folder, query, replace(params, finish=PRESETS["raw"], least_score=0.0, classes=None, level=level)
    )
    wanted = None if params.classes is None else set(params.classes)
    found = over_tiles(
        source,
        tiles,
        lambda tile: detected(query, network, tile, KEPT_SCORE),
        Settling(None),
        run_log,
        lambda each: each.score >= params.least_score and (wanted is None or each.class_name in wanted),
        on_share,
    )
    for number, (each, likeness) in enumerate(found):
        yield proposed(query, number, each, likeness, params.finish)
