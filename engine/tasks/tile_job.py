"""A job over all tiles of an area: what is searched in each, here or on a cluster, and what is told of it at last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from ...contract.looks import Finish
from ...contract.proposals import DetectParams, EverythingParams
from ..encoding.clock import Checkpoint
from ..proposing.over_tiles import in_turn, over_tiles
from ..proposing.proposals import Found
from ..proposing.run_log import RunLog
from ..proposing.settling import Settling
from ..segmenting.query import Query
from ..segmenting.session import Segmenter
from ..tiles.grid import Tile
from .proposed import Proposed, proposed

Params = EverythingParams | DetectParams


@dataclass(frozen=True)
class TileJob:
    """tiles: row by row. search: what is found in one, whatever was found in others. logged: the parameters that decide it.

    settling: which of what neighbouring tiles find stays. is_wanted: of what is found.
    """

    query: Query
    tiles: list[Tile]
    search: Callable[[Tile], Iterator[Found]]
    logged: Params
    settling: Settling
    is_wanted: Callable[[Found], bool]


class MakeJob(Protocol):
    """How a task makes its job; raises what the task raises."""

    def __call__(self, segmenter: Segmenter, params: Params, checkpoint: Checkpoint) -> TileJob:
        """checkpoint: asked while a tile is searched."""
        ...


def carry_out(
    segmenter: Segmenter, task: str, make: MakeJob, params: Params, finish: Finish, checkpoint: Checkpoint
) -> Iterator[Proposed]:
    """Proposals as soon as no tile that is still to come can find better ones in their place.

    task: the name of the module that has `make`. A run that was stopped, asked again with the same parameters, goes on from the
    tiles that were done (`proposing.run_log`). Raises as `make`, and what `checkpoint` does.
    """
    share = 0.0

    def on_share(value: float) -> None:
        nonlocal share
        share = value
        checkpoint("search", share)

    job = make(segmenter, params, lambda stage, fraction: checkpoint(stage, share))
    run_log = RunLog.of(segmenter.runs_folder, job.query, replace(job.logged, scheduler=None))
    searches = in_turn(job.search)
    if params.scheduler is not None:
        from .cluster import searched_on

        searches = searched_on(params.scheduler, task, params, lambda: checkpoint("search", share))
    found = over_tiles(job.query.scene.source, job.tiles, searches, job.settling, run_log, job.is_wanted, on_share)
    for number, (each, likeness) in enumerate(found):
        yield proposed(job.query, number, each, likeness, finish)
