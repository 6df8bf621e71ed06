"""What each model costs on this machine, beside its library's own path: `python benchmarks/models.py [KIND …]`.

The true architectures (SAM and SAM-HQ with ViT-B, SAM 2.1 tiny, SAM 3's tracker) with random weights, which take as long as
trained ones. Each runs in a process of its own: one 1024 × 1024 tile, encoded a few times, then one new click after another.
Ours and the library's take turns, so the memory is that of both. `peak` is the share of what a large matrix product reaches in
the encoder's precision.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from rasterlasso.models.base import PixelPrompts
from rasterlasso.models.devices import best_hardware
from rasterlasso.models.sam import SamModel

ARCHITECTURES = {
    "sam": ("SamConfig", "SamModel"),
    "sam_hq": ("SamHQConfig", "SamHQModel"),
    "sam2": ("Sam2Config", "Sam2Model"),
    "sam3_tracker": ("Sam3TrackerConfig", "Sam3TrackerModel"),
}
QUICK = ("sam2", "sam", "sam_hq")
"""Those that two cores measure in a few minutes."""

ENCODES = 3
CLICKS = 15


@dataclass(frozen=True)
class Cost:
    """Seconds of ours and of the library's."""

    parameters: int
    encode: float
    encode_library: float
    share_of_peak: float
    decode: tuple[float, ...]
    decode_library: tuple[float, ...]
    memory_gib: float


def measure(kind: str) -> Cost:
    """In a fresh process."""
    import transformers

    config, net_class = (getattr(transformers, name) for name in ARCHITECTURES[kind])
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        net_class(config()).save_pretrained(folder)
        model = SamModel(kind, Path(folder))
        library = net_class.from_pretrained(folder, dtype=torch.float32).eval().to(best_hardware().device)
    side = int(library.prompt_encoder.input_image_size)
    image = np.random.default_rng(0).integers(0, 255, (1024, 1024, 3)).astype(np.uint8)
    valid = np.ones((1024, 1024), np.bool_)
    pixels = torch.rand(1, 3, side, side, device=best_hardware().device)
    with torch.inference_mode():
        with FlopCounterMode(display=False) as counter:
            found = library.get_image_embeddings(pixels)
        ours, theirs = _in_turns(lambda: model.encode(image, valid), lambda: library.get_image_embeddings(pixels), ENCODES)
        embedding = model.encode(image, valid)
        places = np.random.default_rng(1).uniform(100, 900, (CLICKS + 1, 2))
        given = iter(places), iter(places)
        decode = _in_turns(
            lambda: model.decode(embedding, PixelPrompts(next(given[0])[None], np.array([True]))),
            lambda: _library_decode(library, found, next(given[1])),
            CLICKS,
        )
    flops = counter.get_total_flops() / statistics.median(ours)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    parameters = sum(p.numel() for p in library.parameters())
    return Cost(
        parameters,
        statistics.median(ours),
        statistics.median(theirs),
        flops / _peak(),
        tuple(decode[0]),
        tuple(decode[1]),
        memory,
    )


def _library_decode(library: Any, found: Any, xy: np.ndarray) -> np.ndarray:
    """As the library's users do it: all masks at the tile's size on the CPU."""
    names = ("image_embeddings", "intermediate_embeddings")
    features = dict(zip(names, found, strict=True)) if isinstance(found, tuple) else {"image_embeddings": found}
    device = best_hardware().device
    points = torch.tensor(xy, dtype=torch.float32, device=device)[None, None, None]
    labels = torch.ones(1, 1, 1, dtype=torch.int64, device=device)
    answer = library(**features, input_points=points, input_labels=labels, multimask_output=True)
    masks = torch.nn.functional.interpolate(answer.pred_masks[0], (1024, 1024), mode="bilinear", align_corners=False)
    return masks.cpu().numpy()


def _in_turns(ours: Callable[[], object], theirs: Callable[[], object], count: int) -> tuple[list[float], list[float]]:
    """Seconds of each call but the first."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(count + 1):
        for work, kept in zip((ours, theirs), seconds, strict=True):
            start = time.perf_counter()
            work()
            _wait()
            kept.append(time.perf_counter() - start)
    return seconds[0][1:], seconds[1][1:]


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _peak() -> float:
    """Operations a second of a large matrix product in the encoder's precision."""
    hardware = best_hardware()
    side = 8192 if hardware.device.type == "cuda" else 2048
    a = torch.randn(side, side, device=hardware.device).to(hardware.encoder_dtype)
    best = min(_in_turns(lambda: a @ a, lambda: None, 5)[0])
    return 2 * side**3 / best


def _ms(seconds: tuple[float, ...], percentile: int) -> float:
    return float(np.percentile(seconds, percentile)) * 1e3


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(ARCHITECTURES)}; default {', '.join(QUICK)}")
    kinds = parser.parse_args().kinds or QUICK
    cores = len(os.sched_getaffinity(0))
    print(f"{platform.machine()}, {cores} cores; {best_hardware().explanation}; torch {torch.__version__}\n")
    columns = (
        "model",
        "M parameters",
        "encode ms",
        "tiles / s",
        "peak",
        "library / ours",
        "decode p50 / p95 ms",
        "library / ours",
    )
    print("| " + " | ".join((*columns, "memory GiB")) + " |\n|" + "---|" * 9)
    for kind in kinds:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            cost = process.submit(measure, kind).result()
        row = (
            kind,
            f"{cost.parameters / 1e6:.0f}",
            f"{cost.encode * 1e3:.0f}",
            f"{1 / cost.encode:.2f}",
            f"{cost.share_of_peak:.0%}",
            f"{cost.encode_library / cost.encode:.2f}",
            f"{_ms(cost.decode, 50):.0f} / {_ms(cost.decode, 95):.0f}",
            f"{_ms(cost.decode_library, 50) / _ms(cost.decode, 50):.2f}",
            f"{cost.memory_gib:.1f}",
        )
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
