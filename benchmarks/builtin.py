"""Times of a model on one 1024 × 1024 tile: `taskset -c 0 python benchmarks/builtin.py IMAGE [--model NAME]`.

Encode once, then 1 to 10 clicks at random valid places, the last of each set new, as a user adds one click after the other.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

import numpy as np

from rasterlasso.engine.outlines.contours import outline
from rasterlasso.engine.rasters.radiometry import Radiometry
from rasterlasso.engine.rasters.source import RasterSource
from rasterlasso.models import registry
from rasterlasso.models.base import PixelPrompts

OBJECTS = 30
CLICKS = 10


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("image")
    parser.add_argument("--model", default=registry.DEFAULT_MODEL)
    arguments = parser.parse_args()
    model = registry.entry(arguments.model).load()
    with RasterSource(arguments.image) as source:
        level = 0 if min(source.width_px, source.height_px) >= 1024 else -1
        window = source.grid.window(source.grid.tile_at(level, source.width_px / 2, source.height_px / 2))
        image, valid = Radiometry.of(source).render(source, window)
    encode = []
    for _ in range(4):
        start = time.perf_counter()
        embedding = model.encode(image, valid)
        encode.append(time.perf_counter() - start)
    rng = np.random.default_rng(0)
    places = np.argwhere(valid)
    decode, vectorize = [], []
    for _ in range(OBJECTS):
        rows_cols = places[rng.integers(0, len(places), CLICKS)]
        foreground = np.array([True, *rng.integers(0, 2, CLICKS - 1)], np.bool_)
        for count in range(1, CLICKS + 1):
            xy = (rows_cols[:count, ::-1] + 0.5).astype(np.float64)
            start = time.perf_counter()
            best = model.decode(embedding, PixelPrompts(xy, foreground[:count]))[0]
            decoded = time.perf_counter()
            outline(best.logits, xy[foreground[:count]], xy[~foreground[:count]])
            decode.append(decoded - start)
            vectorize.append(time.perf_counter() - decoded)
    print(f"{arguments.model}, tile of {image.shape[1]} × {image.shape[0]} px, {len(os.sched_getaffinity(0))} cores")
    print(f"encode {1e3 * statistics.median(encode[1:]):.0f} ms, embedding {embedding.nbytes / 2**20:.1f} MiB")
    for name, seconds in (("decode", decode), ("outline", vectorize)):
        low, high = np.percentile(seconds, (50, 95)) * 1e3
        print(f"{name} p50 {low:.0f} ms, p95 {high:.0f} ms, over {len(seconds)} calls")


if __name__ == "__main__":
    main()
