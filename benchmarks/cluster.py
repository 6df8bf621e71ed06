"""What a second worker gives: `python -m rasterlasso.benchmarks.cluster IMAGE --size-px N` (needs `distributed`).

*Segment everything* on clusters of one and of two of this machine's cores, in turns: tiles a second once each worker has loaded
its model, and whether both found the same.
"""

from __future__ import annotations

import argparse
import statistics
import time

import shapely
import torch
from distributed import LocalCluster

from ..contract.proposals import EverythingParams
from ..engine.segmenting.session import Segmenter
from ..engine.tasks.cluster import searched_on
from ..engine.tasks.segment_everything import job

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
        asked = job(engine, params, lambda stage, fraction: None)
        search = searched_on(cluster.scheduler_address, "segment_everything", params, lambda: None)
        source = asked.query.scene.source
        finds = list(search(source, asked.tiles, lambda tile: done.append(time.perf_counter())))
    engine.close()
    first = 2 * workers  # by then each has its model
    if len(done) <= first:
        raise SystemExit(f"Only {len(done)} tiles: too few for a rate. Take a larger image, or smaller objects.")
    rate = (len(done) - first) / (done[-1] - done[first - 1])
    return rate, [shapely.to_wkb(each.polygon, hex=True) for tile in finds for each in tile.found]


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
            print(f"turn {turn + 1}, {workers} worker(s): {rate:.2f} tiles a second, {len(objects)} proposals", flush=True)
    ratios = [two / one for one, two in zip(*rates.values(), strict=True)]
    same = all(each == found[0] for each in found)
    print(f"two workers against one: {statistics.median(ratios):.2f} times; the same was found: {same}")


if __name__ == "__main__":
    main()
