"""What a second worker gives: `python -m rasterlasso.benchmarks.cluster IMAGE --size-px N` (needs `distributed`).

*Segment everything* on clusters of one and of two of this machine's cores, in turns: tiles a second once each worker has loaded
its model, and whether both found the same.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from distributed import LocalCluster

from ..contract.proposals import EverythingParams
from ..engine.segmenting.session import Segmenter
from ..engine.tasks.table import TASKS

TURNS = 3
WORKERS = (1, 2)

TILE_PX = 512
"""Half of the usual: a scene has enough of them then for a rate."""


def tiles_a_second(params: EverythingParams, workers: int) -> tuple[float, list[str]]:
    """The rate, and what was found as WKB."""
    done: list[float] = []
    engine = Segmenter(tile_px=TILE_PX)
    with LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster:
        cluster.wait_for_workers(workers)
        asked = EverythingParams.from_wire({**params.to_wire(), "scheduler": cluster.scheduler_address})
        _told_when_done(done)
        proposals = [each.to_wire() for each in TASKS["segment_everything"].run(engine, asked, lambda *_: None)]
    engine.close()
    first = 2 * workers  # by then each has its model
    rate = (len(done) - first) / (done[-1] - done[first - 1])
    return rate, [str(each["found"]["wkb_hex"]) for each in proposals]


def _told_when_done(done: list[float]) -> None:
    """Note when each tile is."""
    from ..engine.tasks import cluster

    given = cluster.__dict__.setdefault("_benchmarked", cluster._text_of)

    def text_of(future: object) -> str:
        text = given(future)
        done.append(time.perf_counter())
        return str(text)

    cluster._text_of = text_of


def main() -> None:
    """Print a line for each turn, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image")
    parser.add_argument("--size-px", type=float, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    params = EverythingParams(arguments.image, side_px=arguments.size_px)
    rates: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    found = []
    for turn in range(TURNS):
        for workers in WORKERS:
            rate, objects = tiles_a_second(params, workers)
            rates[workers].append(rate)
            found.append(objects)
            print(f"turn {turn + 1}, {workers} worker(s): {rate:.2f} tiles a second, {len(objects)} objects", flush=True)
    ratios = [two / one for one, two in zip(*rates.values(), strict=True)]
    same = all(each == found[0] for each in found)
    print(f"two workers against one: {statistics.median(ratios):.2f} times; the same was found: {same}")


if __name__ == "__main__":
    main()
