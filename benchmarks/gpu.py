"""What an NVIDIA card gives, and training on it: `make gpu`, in one call of a few minutes.

Each part runs in a process of its own, so that none takes another with it, and writes its JSON as soon as it is done:

    card        what it is, and the matrix products that it reaches
    agreement   every family's masks beside the same model's on the CPU
    costs       encode and decode beside the libraries' own paths, tiles a second together, share of the card's peak, memory
    memory      tiles that do not fit together are encoded in smaller groups, and come out the same
    ahead       encoding a raster ahead beside the network alone
    training    the built-in model, with the time that is left; weights, validation before and after

What can't run says why. `--small` takes the sizes of a rehearsal, on a CPU too.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from ..models.base import Mask, Model, PixelPrompts
from ..models.builtin.model import WEIGHTS, BuiltinModel
from ..models.devices import CPU, Hardware, best_hardware

FAMILIES = ("sam", "sam_hq", "sam2", "sam3_tracker", "edgetam")
AGREEMENT = 0.99
TEST_CLICKS = 8
LEAST_TRAINING_S = 60
PACE_STEPS = 8
"""Steps after which the length of the whole training is known."""

CHECKPOINTS = Path(__file__).resolve().parents[1] / "tests" / "checkpoints.py"


@dataclass(frozen=True)
class Plan:
    """out: where results go. seconds: for all parts. scenes: packed scenes to train on, if any. small: a rehearsal."""

    out: Path
    seconds: float
    scenes: Path | None
    small: bool
    images: int


def card(plan: Plan, until: float) -> dict[str, Any]:
    """The device, and how fast its largest matrix products are."""
    hardware = best_hardware()
    side = 256 if plan.small else 8192
    peaks = {str(dtype): _products(side, dtype, hardware.device) for dtype in (torch.float32, torch.bfloat16)}
    return {
        "device": hardware.explanation,
        "torch": torch.__version__,
        "machine": platform.platform(),
        "cores": len(os.sched_getaffinity(0)),
        "tera_operations_per_second": peaks,
    }


def _products(side: int, dtype: torch.dtype, device: torch.device) -> float:
    a = torch.randn(side, side, device=device).to(dtype)
    best = float("inf")
    for _ in range(6):
        _wait()
        start = time.perf_counter()
        a @ a
        _wait()
        best = min(best, time.perf_counter() - start)
    return 2 * side**3 / best / 1e12


def agreement(plan: Plan, until: float) -> dict[str, Any]:
    """IoU of the masks on the best device and on the CPU, in float32 and in the precision that is used."""
    image, valid = _picture(256 if plan.small else 1024)
    hardware = best_hardware()
    found = {"builtin": _agreement(BuiltinModel(device=CPU.device), BuiltinModel(device=hardware.device), image, valid)}
    for family in FAMILIES if not plan.small else ("sam2",):
        if time.monotonic() > until:
            break
        with tempfile.TemporaryDirectory() as folder:
            own = _agreement_of(family, Path(folder), hardware, image, valid)
        found |= {f"{family} {name}": figures for name, figures in own.items()}
    return {"least_iou": AGREEMENT, "found": found}


def _agreement_of(family: str, folder: Path, hardware: Hardware, image: Any, valid: Mask) -> dict[str, Any]:
    from ..models.sam.model import SamModel

    try:
        subprocess.run([sys.executable, CHECKPOINTS, family, folder], check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        return {"not run": error.stderr.strip().splitlines()[-1]}
    single = replace(hardware, encoder_dtype=torch.float32)
    reference = SamModel(family, folder, CPU)
    kinds = {"float32": single, str(hardware.encoder_dtype).removeprefix("torch."): hardware}
    return {name: _agreement(reference, SamModel(family, folder, own), image, valid) for name, own in kinds.items()}


def _agreement(reference: Model, other: Model, image: Any, valid: Mask) -> dict[str, float]:
    """Mean and least IoU of the best masks, and the largest difference of logits."""
    rng = np.random.default_rng(0)
    embeddings = reference.encode(image, valid), other.encode(image, valid)
    ious, apart = [], []
    for xy in rng.uniform(0.1, 0.9, (TEST_CLICKS, 2)) * valid.shape[::-1]:
        prompts = PixelPrompts(xy[None], np.array([True]))
        [ours, *_], [theirs, *_] = (
            model.decode(embedding, prompts) for model, embedding in zip((reference, other), embeddings, strict=True)
        )
        inside = ours.logits > 0, theirs.logits > 0
        ious.append(float((inside[0] & inside[1]).sum() / max((inside[0] | inside[1]).sum(), 1)))
        apart.append(float(np.abs(ours.logits - theirs.logits).max()))
    return {"mean_iou": float(np.mean(ious)), "least_iou": min(ious), "logits_apart": max(apart)}


def costs(plan: Plan, until: float) -> dict[str, Any]:
    """As `benchmarks/models.py` measures them, and of the built-in model."""
    from .models import measure

    image, valid = _picture(256 if plan.small else 1024)
    found: dict[str, Any] = {"builtin": _builtin_cost(BuiltinModel(), image, valid, 3 if plan.small else 30)}
    for family in () if plan.small else FAMILIES:
        if time.monotonic() > until:
            break
        try:
            found[family] = asdict(measure(family, best_hardware()))
        except (RuntimeError, ImportError, ValueError, subprocess.CalledProcessError) as error:
            found[family] = {"not run": str(error).splitlines()[0]}
    return found


def _builtin_cost(model: BuiltinModel, image: Any, valid: Mask, count: int) -> dict[str, float]:
    embedding = model.encode(image, valid)
    prompts = [PixelPrompts(np.array([[x, 100.0]]), np.array([True])) for x in np.linspace(40, 200, count)]
    return {
        "encode_ms": 1e3 * _median([lambda: model.encode(image, valid)] * count),
        "decode_ms": 1e3 * _median([lambda each=each: model.decode(embedding, each) for each in prompts]),  # type: ignore[misc]
    }


def memory(plan: Plan, until: float) -> dict[str, Any]:
    """Tiles encoded together with so little memory that they can't be: the same as one by one."""
    from ..models.sam.model import SamModel

    hardware = best_hardware()
    image, valid = _picture(256 if plan.small else 1024)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, CHECKPOINTS, "sam2", folder], check=True, capture_output=True)
        model = SamModel("sam2", Path(folder), replace(hardware, batch=32))
        alone = model.encode(image, valid)
        if hardware.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.set_per_process_memory_fraction(min(1.0, 2.5 * torch.cuda.max_memory_allocated() / _card_bytes()))
        tiles = [(image, valid)] * (3 if plan.small else 32)
        together = model.encode_all(tiles)
    ours, theirs = alone.features(), together[-1].features()  # type: ignore[attr-defined]
    apart = max(float(np.abs(ours[name] - theirs[name]).max()) for name in ours)
    return {"asked": len(tiles), "batch_afterwards": model.batch, "tiles": len(together), "features_apart": apart}


def _card_bytes() -> int:
    return int(torch.cuda.get_device_properties(0).total_memory)


def ahead(plan: Plan, until: float) -> dict[str, Any]:
    """Seconds of a tile with reading and writing, and of the network alone."""
    try:
        import rasterio

        from .pipeline import ahead as measured
    except ImportError as error:
        return {"not run": str(error)}
    side = 2048 if plan.small else 16384
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "image.tif"
        layout = {"tiled": True, "compress": "deflate", "crs": "EPSG:32632", "transform": rasterio.Affine(1, 0, 0, 0, -1, 0)}
        with rasterio.open(file, "w", "GTiff", side, side, 3, dtype="uint8", **layout) as dataset:
            rng = np.random.default_rng(0)
            dataset.write(np.kron(rng.integers(0, 255, (3, side // 64, side // 64)), np.ones((64, 64))).astype(np.uint8))
        whole, network = measured(str(file), "builtin", 4 if plan.small else 64)
    return {"seconds_a_tile": whole, "network_alone": network, "share": network / whole}


def training(plan: Plan, until: float) -> dict[str, Any]:
    """Teach the built-in model until then, from the shipped weights or those beside the scenes; writes its averaged weights."""
    from ..models.builtin.training.packing import unpack
    from ..models.builtin.training.shards import SAMPLES, Recipe, Shards
    from ..models.builtin.training.trainer import Batch, Settings, Trainer
    from ..models.builtin.training.validation import Validation, split

    if plan.scenes is None:
        return {"not run": "no packed scenes were given (--scenes)"}
    begin = plan.scenes.with_name("start.safetensors")
    begin = begin if begin.exists() else WEIGHTS
    cores = len(os.sched_getaffinity(0))
    device = best_hardware().device
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(cores) as pool:
        learnt, held_apart = split(unpack(plan.scenes, Path(folder) / "scenes"))
        validation = Validation(held_apart, images_of_family=2 if plan.small else 24)
        before = validation.report(load_file(begin))
        half = device.type == "cuda"
        seed = int(time.time()) % 10_000
        settings = Settings(images=plan.images, bf16_encoder=half, bf16_decoder=half, seed=seed)
        recipe = Recipe(tuple(learnt), settings.objects, settings.seed)
        shards = Shards(recipe, Path(folder) / "shards", 40 * plan.images * 400_000 // SAMPLES, workers=max(1, cores - 2))
        try:
            trainer, figures = Trainer(settings, begin, device, pool), []
            started = time.monotonic()
            while time.monotonic() < until:
                if trainer.step == PACE_STEPS:
                    pace = (time.monotonic() - started) / PACE_STEPS
                    steps = max(2 * PACE_STEPS, int((until - started) / pace))
                    trainer.settings = replace(settings, cycle=steps, warmup=max(1, min(100, steps // 10)))
                samples = shards.samples(trainer.step * plan.images, plan.images)
                figures.append(trainer.update(Batch.of_step(samples, trainer.step, trainer.settings)))
        finally:
            shards.close()
    save_file(trainer.averaged(), plan.out / "trained.safetensors", {"step": str(trainer.step)})
    after = validation.report(trainer.averaged())
    seconds = time.monotonic() - started
    return {
        "steps": trainer.step,
        "objects": trainer.step * plan.images * settings.objects,
        "crops_per_second": trainer.step * plan.images / seconds,
        "loss": [round(each.loss, 4) for each in figures],
        "before": before.row(),
        "after": after.row(),
    }


def _picture(side: int) -> tuple[Any, Mask]:
    rng = np.random.default_rng(3)
    image = np.kron(rng.integers(0, 255, (side // 32, side // 32, 3)), np.ones((32, 32, 1))) + rng.normal(0, 6, (side, side, 3))
    return np.clip(image, 0, 255).astype(np.uint8), np.ones((side, side), np.bool_)


def _median(calls: list[Callable[[], object]]) -> float:
    seconds = []
    for call in calls:
        start = time.perf_counter()
        call()
        _wait()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


PARTS: dict[str, tuple[Callable[[Plan, float], dict[str, Any]], float]] = {
    "card": (card, 0.05),
    "agreement": (agreement, 0.16),
    "costs": (costs, 0.20),
    "memory": (memory, 0.06),
    "ahead": (ahead, 0.06),
    "training": (training, 1.0),
}
"""What each does, and the share of all the time that it may take; the last has what is left."""


def _work(name: str, plan: Plan, until: float) -> None:
    """In a process of its own: the part's result, or why there is none, into a file."""
    part, _ = PARTS[name]
    try:
        result = part(plan, until)
    except Exception as error:  # noqa: BLE001  whatever fails is what this part has to tell
        traceback.print_exc()
        result = {"failed": f"{type(error).__name__}: {error}"}
    (plan.out / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")


def run(plan: Plan, names: list[str]) -> None:
    """Run parts one after the other within the plan's time."""
    plan.out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + plan.seconds
    context = multiprocessing.get_context("spawn")
    for name in names:
        allowed = end - time.monotonic() if name == "training" else min(PARTS[name][1] * plan.seconds, end - time.monotonic())
        if allowed <= 0 or (name == "training" and allowed < LEAST_TRAINING_S and not plan.small):
            print(f"{name}: no time is left", flush=True)
            continue
        # a part ends by itself in time to write its result; one that hangs is ended
        spare = min(40.0, 0.2 * allowed) if name == "training" else 0.0
        process = context.Process(target=_work, args=(name, plan, time.monotonic() + allowed - spare))
        process.start()
        process.join(allowed + 60)
        if process.is_alive():
            process.kill()
            process.join()
            (plan.out / f"{name}.json").write_text(json.dumps({"failed": f"no end after {allowed + 60:.0f} s"}) + "\n")
        written = plan.out / f"{name}.json"
        print(f"{name}: {written.read_text() if written.exists() else 'its process ended without a result'}", flush=True)


def main() -> int:
    """Run all parts, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default all")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=450)
    parser.add_argument("--scenes", type=Path, help="packed scenes to train on; it begins with start.safetensors beside them")
    parser.add_argument("--images", type=int, default=96, help="crops a step in training")
    parser.add_argument("--small", action="store_true", help="a rehearsal with tiny sizes")
    arguments = parser.parse_args()
    plan = Plan(arguments.out, arguments.seconds, arguments.scenes, arguments.small, arguments.images)
    run(plan, arguments.parts or list(PARTS))
    return 0


if __name__ == "__main__":
    sys.exit(main())
