"""What each model costs on this machine, beside its library's own path: `python benchmarks/models.py [KIND …]`.

The true architectures (SAM and SAM-HQ with ViT-B, SAM 2.1 tiny, SAM 3's tracker, EdgeTAM, MobileSAM, FastSAM-s) with random
weights, which take as long as trained ones; only FastSAM's decoding depends on how many masks it finds. Each runs in a process
of its own: one 1024 × 1024 tile, encoded a few times, then one new click after another. Ours and the library's take turns, so
the memory is that of both. `peak` is the share of what a large matrix product reaches in the encoder's precision. EdgeTAM needs
timm, MobileSAM and FastSAM ultralytics.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from rasterlasso.models.base import Batching, Model, PixelPrompts, RenderedTile
from rasterlasso.models.devices import Hardware, best_hardware
from rasterlasso.models.library.original import convert
from rasterlasso.models.sam.model import SamModel
from rasterlasso.models.ultralytics.fastsam import FastSamModel
from rasterlasso.models.ultralytics.library import library as ultralytics
from rasterlasso.models.ultralytics.mobile_sam import mobile_sam_model

ARCHITECTURES = {
    "sam": ("SamConfig", "SamModel"),
    "sam_hq": ("SamHQConfig", "SamHQModel"),
    "sam2": ("Sam2Config", "Sam2Model"),
    "sam3_tracker": ("Sam3TrackerConfig", "Sam3TrackerModel"),
    "edgetam": ("EdgeTamConfig", "EdgeTamModel"),
}
"""Those of transformers; MobileSAM and FastSAM are ultralytics'."""

KINDS = (*ARCHITECTURES, "mobile_sam", "fastsam")
QUICK = ("sam2", "sam", "sam_hq")
"""Those that two cores measure in a few minutes."""

CHECKPOINTS = Path(__file__).resolve().parents[1] / "tests" / "checkpoints.py"

ENCODES = 3
CLICKS = 15


@dataclass(frozen=True)
class Cost:
    """Seconds of ours and of the library's. together: of a tile where several are encoded at once, and how many at best."""

    parameters: int
    encode: float
    together: tuple[float, int]
    encode_library: float
    share_of_peak: float
    decode: tuple[float, ...]
    decode_library: tuple[float, ...]
    memory_gib: float


@dataclass(frozen=True)
class Contest:
    """A model and its library's own path: `encode` gives what `decode` takes with a click (2,), `network` the encoder alone."""

    model: Model
    parameters: int
    network: Callable[[], object]
    encode: Callable[[], Any]
    decode: Callable[[Any, np.ndarray], object]


def measure(kind: str, hardware: Hardware) -> Cost:
    """In a fresh process."""
    torch.manual_seed(0)
    image = np.random.default_rng(0).integers(0, 255, (1024, 1024, 3)).astype(np.uint8)
    valid = np.ones((1024, 1024), np.bool_)
    made = {"mobile_sam": _mobile_sam, "fastsam": _fastsam}.get(kind, _of_transformers)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        contest = made(kind, Path(folder), image, hardware)
        with FlopCounterMode(display=False) as counter:
            contest.network()
        encode = _in_turns(lambda: contest.model.encode(image, valid), contest.encode, ENCODES)
        together = _together(contest.model, (image, valid), statistics.median(encode[0]))
        embedding, found = contest.model.encode(image, valid), contest.encode()
        places = np.random.default_rng(1).uniform(100, 900, (CLICKS + 1, 2))
        given = iter(places), iter(places)
        decode = _in_turns(
            lambda: contest.model.decode(embedding, PixelPrompts(next(given[0])[None], np.array([True]))),
            lambda: contest.decode(found, next(given[1])),
            CLICKS,
        )
    median = statistics.median(encode[0])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    share = counter.get_total_flops() / median / _peak(hardware)
    library = statistics.median(encode[1])
    return Cost(contest.parameters, median, together, library, share, tuple(decode[0]), tuple(decode[1]), memory)


def _of_transformers(kind: str, folder: Path, image: np.ndarray, hardware: Hardware) -> Contest:
    import transformers

    config, net_class = (getattr(transformers, name) for name in ARCHITECTURES[kind])
    if kind == "edgetam":  # the defaults of its configuration do not fit together
        _write_small(kind, folder)
    else:
        net_class(config()).save_pretrained(folder)
    device = hardware.device
    net = net_class.from_pretrained(folder, dtype=torch.float32).eval().to(device)
    side = int(net.prompt_encoder.input_image_size)
    pixels = torch.rand(1, 3, side, side, device=device)

    def encode() -> Any:
        return net.get_image_embeddings(pixels)

    def decode(found: Any, xy: np.ndarray) -> object:
        names = ("image_embeddings", "intermediate_embeddings")
        features = dict(zip(names, found, strict=True)) if isinstance(found, tuple) else {"image_embeddings": found}
        points = torch.tensor(xy, dtype=torch.float32, device=device)[None, None, None]
        labels = torch.ones(1, 1, 1, dtype=torch.int64, device=device)
        return _masks(net(**features, input_points=points, input_labels=labels, multimask_output=True).pred_masks[0])

    return Contest(SamModel(kind, folder, hardware), _count(net), encode, encode, decode)


def _mobile_sam(kind: str, folder: Path, image: np.ndarray, hardware: Hardware) -> Contest:
    device = hardware.device
    net = ultralytics("models.sam.build").build_mobile_sam().eval()
    torch.save(net.state_dict(), folder / "mobile_sam.pt")
    convert(folder / "mobile_sam.pt", folder)
    net.to(device)
    pixels = torch.rand(1, 3, 1024, 1024, device=device)

    def encode() -> Any:
        return net.image_encoder(pixels)

    def decode(found: Any, xy: np.ndarray) -> object:
        points = torch.tensor(xy, dtype=torch.float32, device=device)[None, None]
        given = (points, torch.ones(1, 1, dtype=torch.int64, device=device))
        sparse, dense = net.prompt_encoder(points=given, boxes=None, masks=None)
        place = net.prompt_encoder.get_dense_pe()
        return _masks(net.mask_decoder(found, place, sparse, dense, multimask_output=True)[0])

    return Contest(mobile_sam_model(kind, folder, hardware), _count(net), encode, encode, decode)


def _fastsam(kind: str, folder: Path, image: np.ndarray, hardware: Hardware) -> Contest:
    """Its library makes all masks of a tile at once, at the tile's size; a click chooses among them."""
    file = folder / "fastsam.pt"
    _write_small(kind, file)
    convert(file, folder)
    options = {"imgsz": 1024, "conf": 0.4, "iou": 0.9, "retina_masks": True, "save": False, "verbose": False}
    device = hardware.device
    given = {"model": str(file), "device": str(device), "project": str(folder)}
    predictor = ultralytics("models.fastsam").FastSAMPredictor(overrides={**options, **given})
    predictor.setup_model(str(file), verbose=False)
    predictor.done_warmup = True
    model = FastSamModel(kind, folder, hardware)
    net = predictor.model.model
    pixels = torch.rand(1, 3, 1024, 1024, device=device)

    def decode(found: Any, xy: np.ndarray) -> object:
        return [each.masks.data.cpu().numpy() for each in predictor.prompt(found, points=xy[None]) if len(each)]

    return Contest(model, _count(net), lambda: net(pixels), lambda: predictor(source=image, model=str(file)), decode)


def _write_small(kind: str, place: Path) -> None:
    """A checkpoint to test with; of these kinds they are not smaller than the published ones."""
    subprocess.run([sys.executable, CHECKPOINTS, kind, place], check=True, stderr=subprocess.DEVNULL)


def _together(model: Model, tile: RenderedTile, single: float) -> tuple[float, int]:
    """Least seconds of a tile among batches of 1 (`single`), 2, 4 …, and that batch."""
    best, count = (single, 1), 2
    while isinstance(model, Batching) and count <= model.batch:
        model.encode_all([tile] * count)
        start = time.perf_counter()
        model.encode_all([tile] * count)
        _wait()
        best, count = min(best, ((time.perf_counter() - start) / count, count)), 2 * count
    return best


def _count(net: torch.nn.Module) -> int:
    return sum(each.numel() for each in net.parameters())


def _masks(low: torch.Tensor) -> np.ndarray:
    """As a library's users want them: at the tile's size on the CPU."""
    whole = torch.nn.functional.interpolate(low, (1024, 1024), mode="bilinear", align_corners=False)
    return whole.cpu().numpy()


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


def _peak(hardware: Hardware) -> float:
    """Operations a second of a large matrix product in the encoder's precision."""
    side = 8192 if hardware.device.type == "cuda" else 2048
    a = torch.randn(side, side, device=hardware.device).to(hardware.encoder_dtype)
    best = min(_in_turns(lambda: a @ a, lambda: None, 5)[0])
    return 2 * side**3 / best


def _ms(seconds: tuple[float, ...], percentile: int) -> float:
    return float(np.percentile(seconds, percentile)) * 1e3


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}; default {', '.join(QUICK)}")
    parser.add_argument("--together", type=int, metavar="N", help="most tiles to encode at once; default as the engine does")
    arguments = parser.parse_args()
    kinds = arguments.kinds or QUICK
    hardware = best_hardware()
    hardware = replace(hardware, batch=arguments.together or hardware.batch)
    cores = len(os.sched_getaffinity(0))
    print(f"{platform.machine()}, {cores} cores; {hardware.explanation}; torch {torch.__version__}\n")
    columns = (
        "model",
        "M parameters",
        "encode ms",
        "tiles / s",
        "at best (together)",
        "peak",
        "library / ours",
        "decode p50 / p95 ms",
        "library / ours",
    )
    print("| " + " | ".join((*columns, "memory GiB")) + " |\n|" + "---|" * 10)
    for kind in kinds:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            cost = process.submit(measure, kind, hardware).result()
        row = (
            kind,
            f"{cost.parameters / 1e6:.0f}",
            f"{cost.encode * 1e3:.0f}",
            f"{1 / cost.encode:.2f}",
            f"{1 / cost.together[0]:.2f} ({cost.together[1]})",
            f"{cost.share_of_peak:.0%}",
            f"{cost.encode_library / cost.encode:.2f}",
            f"{_ms(cost.decode, 50):.0f} / {_ms(cost.decode, 95):.0f}",
            f"{_ms(cost.decode_library, 50) / _ms(cost.decode, 50):.2f}",
            f"{cost.memory_gib:.1f}",
        )
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
