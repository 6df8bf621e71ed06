"""A job's tiles searched by the workers of a Dask cluster (`distributed`), which may be this machine's own cores.

Each worker process opens the raster and loads the model once; a tile's task gives text of some kilobytes (`TileFinds`). A task
of a worker that dies is done by another one. What is finished is logged here at once, so that a run that is stopped goes on.
"""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack
from importlib import import_module
from itertools import islice
from typing import Any

from ...contract.elsewhere_errors import LibraryMissing, SchedulerFailed, SchedulerUnreachable
from ...contract.errors import RasterLassoError, first_line
from ...contract.failures import error_from_wire
from ..proposing.over_tiles import Searches
from ..proposing.tile_finds import TileFinds
from ..rasters.source import RasterSource
from ..segmenting.session import Segmenter
from ..tiles.freed_memory import keep_for_reuse
from ..tiles.grid import Tile
from .tile_job import Params, TileJob

OWN = "local"
"""In place of an address: a cluster of this machine's cores, for the time of the run."""

CONNECT_S = 20
TILES_A_WORKER = 4
"""Under way at a time: the next ones wait here, so that a scheduler's memory does not grow with the raster."""

POLL_S = 0.5
CARRIED = ("AWS_", "AZURE_", "CPL_", "GDAL_", "GOOGLE_", "GS_", "OSS_", "RASTERLASSO_MODELS", "SWIFT_", "VSI_")
"""Variables of the environment that workers need to open what this process opens: GDAL's settings and credentials."""

NAME = "rasterlasso"


def searched_on(scheduler: str, task: str, params: Params, checkpoint: Callable[[], None]) -> Searches:
    """scheduler: an address such as `tcp://host:8786`, or `OWN`. task: module of this package that has `job`.

    checkpoint: asked while workers work, and may raise. The search raises what a tile's does, `SchedulerUnreachable`,
    `SchedulerFailed`, `LibraryMissing`.
    """

    def searches(source: RasterSource, tiles: Sequence[Tile], on_done: Callable[[TileFinds], None]) -> Iterator[TileFinds]:
        with ExitStack() as opened:
            client = _client(scheduler, opened)
            client.register_plugin(_plugin(source.grid.tile_px), name=NAME)
            yield from _in_order(client, task, params.to_wire(), source, tiles, on_done, checkpoint)

    return searches


def _client(scheduler: str, opened: ExitStack) -> Any:
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise LibraryMissing(library="distributed", needed_for="--scheduler") from error
    try:
        address: Any = scheduler
        if scheduler == OWN:
            address = opened.enter_context(LocalCluster(threads_per_worker=1, dashboard_address=None))
        return opened.enter_context(Client(address, timeout=CONNECT_S, set_as_default=False))
    except (OSError, ValueError, TimeoutError) as error:
        raise SchedulerUnreachable(address=scheduler, reason=first_line(error)) from error


def _in_order(
    client: Any,
    task: str,
    params: dict[str, Any],
    source: RasterSource,
    tiles: Sequence[Tile],
    on_done: Callable[[TileFinds], None],
    checkpoint: Callable[[], None],
) -> Iterator[TileFinds]:
    """As `Searches`; at most `TILES_A_WORKER` for each worker are under way, or done before one that comes first."""
    run = uuid.uuid4().hex  # the log of the run knows what is done: the scheduler need not
    waiting, running = iter(tiles), dict[Any, Tile]()
    done = dict[Tile, TileFinds]()

    def submit(count: int) -> None:
        for tile in islice(waiting, count):
            at = (tile.level, tile.row, tile.col)
            key = f"{NAME}-{run}-{'-'.join(map(str, at))}"
            running[client.submit(find_in_tile, task, params, at, key=key)] = tile

    try:
        for tile in tiles:
            while tile not in done:
                workers = max(1, len(client.scheduler_info()["workers"]))
                submit(max(TILES_A_WORKER * workers - len(running) - len(done), 0))  # fewer workers may be left
                checkpoint()
                for future in _finished(client, running):
                    finds = TileFinds.of(_text_of(future), source)
                    done[running.pop(future)] = finds
                    on_done(finds)
            yield done.pop(tile)
    finally:
        client.cancel(list(running))


def _finished(client: Any, running: dict[Any, Tile]) -> list[Any]:
    from distributed import wait

    try:
        with client.as_current():
            return list(wait(list(running), timeout=POLL_S, return_when="FIRST_COMPLETED").done)
    except TimeoutError:
        return []


def _text_of(future: Any) -> str:
    """What a tile's task gave; raises what it failed with."""
    try:
        kind, answer = future.result()
    except (Exception, CancelledError) as error:  # of the cluster or of a library: told with its words
        raise SchedulerFailed(reason=first_line(error)) from error
    if kind == "error":
        raise error_from_wire(*answer)
    return str(answer)


def find_in_tile(task: str, params: dict[str, Any], at: tuple[int, int, int]) -> tuple[str, Any]:
    """On a worker: ("found", text of `TileFinds`), or ("error", (code, parameters)) of what the user can mend."""
    from distributed import get_worker

    searcher = get_worker().plugins[NAME]
    tile = Tile(*at)
    try:
        with searcher.lock:
            return "found", TileFinds(tile, tuple(searcher.job(task, params).search(tile))).to_text()
    except RasterLassoError as error:
        return "error", (error.code, error.params)


def _plugin(tile_px: int) -> Any:
    """What each worker process keeps from tile to tile."""
    from distributed import WorkerPlugin

    class Searcher(WorkerPlugin):  # type: ignore[misc]
        """One tile at a time: the lock holds threads back that a worker may have."""

        def __init__(self) -> None:
            self.environment = {name: value for name, value in os.environ.items() if name.startswith(CARRIED)}

        def setup(self, worker: Any) -> None:
            """In the worker's process."""
            os.environ.update(self.environment)
            keep_for_reuse()
            self.lock = threading.Lock()
            self.segmenter = Segmenter(tile_px=tile_px)
            self.jobs: dict[str, TileJob] = {}

        def teardown(self, worker: Any) -> None:
            """The worker ends."""
            self.segmenter.close()

        def job(self, task: str, params: dict[str, Any]) -> TileJob:
            """Made at a run's first tile."""
            key = json.dumps([task, params], sort_keys=True)
            if key not in self.jobs:
                from .table import TASKS

                found = TASKS[task]
                make = import_module(f".{found.module}", __package__).job
                self.jobs = {key: make(self.segmenter, found.params.from_wire(params), lambda stage, fraction: None)}
            return self.jobs[key]

    return Searcher()
