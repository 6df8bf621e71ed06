"""What the way around the model costs: `python benchmarks/pipeline.py IMAGE [--model NAME]`.

A further click on an object (request to polygon) beside the decoding within it, and encoding a raster's tiles ahead (reading,
network, disk) beside the network alone; both in one run, in turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rasterlasso.contract.errors import RasterLassoError
from rasterlasso.contract.prompts import Point, Prompts
from rasterlasso.engine.rasters.radiometry import Radiometry
from rasterlasso.engine.rasters.source import RasterSource
from rasterlasso.engine.segmenting.session import Segmenter
from rasterlasso.engine.tiles.disk_store import TileStore
from rasterlasso.engine.tiles.grid import Tile
from rasterlasso.models import registry
from rasterlasso.models.base import Model

OBJECTS = 40
CLICKS = 4
TURNS = 3


@contextmanager
def timed(owner: Any, name: str) -> Iterator[list[float]]:
    """Seconds of each call of a method meanwhile."""
    method, seconds = getattr(owner, name), []

    def call(*arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return method(*arguments, **options)
        finally:
            seconds.append(time.perf_counter() - start)

    setattr(owner, name, call)
    try:
        yield seconds
    finally:
        delattr(owner, name)


def clicks(segmenter: Segmenter, image: str, model: str) -> tuple[list[float], list[float]]:
    """Seconds of further clicks on encoded tiles, whole and within the model."""
    source, rng = segmenter.scene(image).source, np.random.default_rng(0)
    whole, within = [], []
    for _ in range(OBJECTS):
        middle = rng.uniform(0.2, 0.8, 2) * (source.width_px, source.height_px)
        places = middle + rng.uniform(-60, 60, (CLICKS, 2)) * (np.arange(CLICKS) > 0)[:, None]
        points = [
            Point(float(x), float(y), bool(index == 0 or rng.random() < 0.5))
            for index, (x, y) in enumerate(source.to_map(places))
        ]
        for count in range(1, CLICKS + 1):
            with timed(segmenter.model(model), "decode") as decoding:
                start = time.perf_counter()
                try:
                    found = segmenter.segment(image, Prompts(tuple(points[:count])), model=model, level=0)
                except RasterLassoError:
                    break
            if count > 1 and found.stages["encode"] == 0 and len(decoding) == 1:
                whole.append(time.perf_counter() - start)
                within.append(sum(decoding))
    return whole, within


def ahead(image: str, model: str, tiles_each: int) -> tuple[float, float]:
    """Seconds of a tile encoded for the disk, until it is written, and of the network alone on such tiles, in turns."""
    whole, network = [], []
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(TURNS):
            store = TileStore(Path(folder) / str(turn), 10**10)
            segmenter = Segmenter(store=store)
            tiles = segmenter.encode(image, model=model, levels=(-2,))
            before, _ = next(tiles)  # weights, file and statistics are there now
            start = time.perf_counter()
            done = next(done for done, every in tiles if done >= min(before + tiles_each, every))
            segmenter.close()
            count = done - before
            whole.append((time.perf_counter() - start) / count)
            network.append(_alone(segmenter.model(model), image, count))
    return statistics.median(whole), statistics.median(network)


def _alone(network: Model, image: str, count: int) -> float:
    with RasterSource(image) as source:
        pixels, valid = Radiometry.of(source).render(source, source.grid.window(Tile(-2, 1, 1)))
    start = time.perf_counter()
    for _ in range(count):
        network.encode(pixels, valid)
    return (time.perf_counter() - start) / count


def main(show: Callable[[str], None] = print) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image")
    parser.add_argument("--model", default=registry.DEFAULT_MODEL)
    parser.add_argument("--tiles", type=int, default=24, help="to encode in each turn; default 24")
    arguments = parser.parse_args()
    segmenter = Segmenter()
    whole, within = clicks(segmenter, arguments.image, arguments.model)
    segmenter.close()
    click, decode = (1000 * statistics.median(each) for each in (whole, within))
    show(f"{arguments.model}, {len(os.sched_getaffinity(0))} cores")
    show(f"further click {click:.1f} ms, decoding {decode:.1f} ms, ratio {click / decode:.2f}, over {len(whole)} clicks")
    whole_s, network_s = ahead(arguments.image, arguments.model, arguments.tiles)
    show(
        f"encode ahead {1000 * whole_s:.0f} ms a tile, network alone {1000 * network_s:.0f} ms, "
        f"{network_s / whole_s:.0%} of its throughput, medians of {TURNS} times {arguments.tiles} tiles"
    )


if __name__ == "__main__":
    main()
