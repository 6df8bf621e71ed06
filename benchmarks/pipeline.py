"""What the way around the model costs: `python benchmarks/pipeline.py IMAGE [--model NAME]`.

A further click on an object (request to polygon) beside the decoding within it, and encoding a raster's tiles ahead (reading,
network, disk) beside the network alone; both in one run.
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

from rasterlasso.engine.errors import RasterLassoError
from rasterlasso.engine.prompts import Point, Prompts
from rasterlasso.engine.segmenter import Segmenter
from rasterlasso.engine.tile_store import TileStore
from rasterlasso.models import registry

OBJECTS = 40
CLICKS = 4
TILES = 24


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
            Point(*map(float, xy), bool(index == 0 or rng.random() < 0.5)) for index, xy in enumerate(source.to_map(places))
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


def ahead(image: str, model: str) -> tuple[float, float, int]:
    """Seconds of encoding tiles for the disk, those in the network, and how many tiles."""
    with tempfile.TemporaryDirectory() as folder:
        segmenter = Segmenter(store=TileStore(Path(folder), 10**10))
        tiles = segmenter.encode(image, model=model, levels=(-1,))
        next(tiles)  # weights, file and statistics are there now
        with timed(segmenter.model(model), "encode") as encoding:
            start = time.perf_counter()
            count = _take(tiles, TILES)
            return time.perf_counter() - start, sum(encoding), count


def _take(tiles: Iterator[tuple[int, int]], most: int) -> int:
    return sum(1 for _ in zip(range(most), tiles, strict=False))


def main(show: Callable[[str], None] = print) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image")
    parser.add_argument("--model", default=registry.DEFAULT_MODEL)
    arguments = parser.parse_args()
    segmenter = Segmenter()
    whole, within = clicks(segmenter, arguments.image, arguments.model)
    segmenter.close()
    click, decode = (1000 * statistics.median(each) for each in (whole, within))
    show(f"{arguments.model}, {len(os.sched_getaffinity(0))} cores")
    show(f"further click {click:.1f} ms, decoding {decode:.1f} ms, ratio {click / decode:.2f}, over {len(whole)} clicks")
    all_s, network_s, count = ahead(arguments.image, arguments.model)
    show(
        f"encode ahead {1000 * all_s / count:.0f} ms a tile, network {1000 * network_s / count:.0f} ms, "
        f"share {network_s / all_s:.2f}, {count} tiles"
    )


if __name__ == "__main__":
    main()
