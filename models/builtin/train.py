"""Trains the built-in model: `python -m rasterlasso.models.builtin.train SCENES --backbone FILE.pth --out FOLDER`.

Every batch encodes a few crops once and asks for several objects on each; a simulated user clicks, looks at the answer and
clicks again. The state is written every few minutes; the same command goes on where a run was stopped. See README.md beside it.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..base import Mask
from ..click_simulation import Click, first_click, next_click
from .losses import objective
from .network import CANDIDATES, ClickNet, Features, PromptTensors
from .scenery import CROP_PX
from .training_data import MIN_VISIBLE_PX, Sampler, read_scenes

log = logging.getLogger(__name__)

SAVE_EVERY = 100
LOG_EVERY = 20


@dataclass(frozen=True)
class Settings:
    """What a run depends on besides its data."""

    steps: int = 2000
    images: int = 8
    objects: int = 2
    rounds: int = 3
    lr: float = 1.2e-3
    encoder_lr: float = 3e-4
    weight_decay: float = 1e-2
    warmup: int = 60
    ema: float = 0.995
    seed: int = 1
    bf16: bool = True
    train_stem: bool = False


@dataclass(frozen=True)
class Batch:
    """(b, 3, 320, 320) images in 0..1 and (b · m, 320, 320) masks."""

    images: Tensor
    masks: Mask


class ClickSession:
    """The prompts of a batch of objects as a simulated user gives them."""

    def __init__(self, masks: Mask, rng: np.random.Generator) -> None:
        self._rng = rng
        self.masks = masks
        self._clicks: list[list[Click]] = [[] for _ in masks]
        self._boxes = np.zeros((len(masks), 4), np.float32)
        self._previous = torch.zeros((len(masks), 1, CROP_PX // 4, CROP_PX // 4))
        for index, mask in enumerate(masks):
            kind = rng.random()
            if kind < 0.15:
                self._boxes[index] = _loose_box(mask, rng)
            if kind >= 0.08:
                self._clicks[index].append(_varied(first_click(mask), mask, rng))
            if kind > 0.93:
                self._previous[index, 0] = torch.from_numpy(_rough_copy(mask, rng))

    def answer(self, logits: Tensor) -> None:
        """The user looks at (b, h, w) logits and clicks once more."""
        probability = logits.detach().float().sigmoid()
        self._previous = F.adaptive_avg_pool2d(probability[:, None], CROP_PX // 4)
        answers = (probability > 0.5).numpy()
        step = 2  # every second pixel tells where the largest error is
        for index, (mask, answer) in enumerate(zip(self.masks, answers, strict=True)):
            click = next_click(mask[::step, ::step], answer[::step, ::step])
            if click is not None:
                at = Click(click.row * step, click.col * step, click.foreground)
                wrong = mask != answer
                self._clicks[index].append(_varied(at, wrong & (mask == click.foreground), self._rng))

    def prompts(self) -> PromptTensors:
        """As the network takes them."""
        longest = max(1, *(len(clicks) for clicks in self._clicks))
        xy = np.zeros((len(self._clicks), longest, 2), np.float32)
        kinds = np.full((len(self._clicks), longest), -1)
        for index, clicks in enumerate(self._clicks):
            for place, click in enumerate(clicks):
                xy[index, place] = click.col + 0.5, click.row + 0.5
                kinds[index, place] = click.foreground
        return PromptTensors(torch.from_numpy(xy), torch.from_numpy(kinds), torch.from_numpy(self._boxes), self._previous)


def _varied(click: Click, region: Mask, rng: np.random.Generator) -> Click:
    """People do not hit the exact middle: a third of the clicks fall somewhere in the region."""
    if rng.random() < 0.35:
        rows, cols = np.nonzero(region[::2, ::2])
        if len(rows):
            pick = rng.integers(len(rows))
            return Click(int(rows[pick]) * 2, int(cols[pick]) * 2, click.foreground)
    return click


def _loose_box(mask: Mask, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = np.array([cols[0], rows[0], cols[-1] + 1, rows[-1] + 1], np.float32)
    slack = 0.06 * np.array([box[2] - box[0], box[3] - box[1]] * 2)
    return (box + rng.normal(0, 1, 4) * slack).astype(np.float32)


def _rough_copy(mask: Mask, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """A mask as it comes from a coarser level: shifted, blurred, bent."""
    cells = torch.from_numpy(mask.astype(np.float32))[None, None]
    coarse = int(rng.choice([8, 16, 32]))
    blurred = F.interpolate(F.adaptive_avg_pool2d(cells, CROP_PX // coarse), CROP_PX // 4, mode="bilinear")
    bumps = torch.from_numpy(rng.normal(0, 0.15, (1, 1, 8, 8))).float()
    bent = blurred + F.interpolate(bumps, CROP_PX // 4, mode="bilinear")
    return (bent[0, 0] > 0.5).float().numpy()


def batches(sampler: Sampler, settings: Settings, start: int) -> Iterator[Batch]:
    """Batches of steps `start`, `start` + 1, …, the next drawn while one is used."""

    def draw(step: int) -> Batch:
        samples = [sampler.draw((settings.seed, step, index)) for index in range(settings.images)]
        images = torch.from_numpy(np.stack([s.image for s in samples])).permute(0, 3, 1, 2).float() / 255
        masks = np.concatenate([s.masks for s in samples])
        return Batch(images.contiguous(memory_format=torch.channels_last), masks)

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(draw, start)
        for step in range(start, settings.steps):
            batch = coming.result()
            coming = pool.submit(draw, step + 1)
            yield batch


class Training:
    """Network, optimiser and averaged weights of a run, with their state on disk."""

    def __init__(self, settings: Settings, backbone: Path | None, out: Path) -> None:
        self.settings = settings
        self.out = out
        self.step = 0
        torch.manual_seed(settings.seed)
        self.net = ClickNet()
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if backbone is not None:
            load_backbone(self.net, backbone)
        encoder = self.net.encoder
        if not settings.train_stem:
            for module in (encoder.stem, encoder.stages[0]):
                module.requires_grad_(False)
        pretrained = {id(p) for p in (*encoder.stem.parameters(), *encoder.stages.parameters())}
        trained = [p for p in self.net.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in trained if id(p) in pretrained], "peak": settings.encoder_lr},
            {"params": [p for p in trained if id(p) not in pretrained], "peak": settings.lr},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=settings.lr, weight_decay=settings.weight_decay)
        self.average = {name: value.clone() for name, value in self.net.state_dict().items()}
        self._resume()

    def run(self, sampler: Sampler) -> None:
        """Train to the last step."""
        self.net.train()
        self.net.encoder.stem.eval()
        self.net.encoder.stages.eval()  # keeps the backbone's own batch statistics
        started, sums = time.perf_counter(), np.zeros(2 + self.settings.rounds)
        for batch in batches(sampler, self.settings, self.step):
            rng = np.random.default_rng((self.settings.seed, self.step, 999))
            sums += self._update(batch, rng)
            self.step += 1
            if self.step % LOG_EVERY == 0:
                self._log(sums / LOG_EVERY, time.perf_counter() - started)
                started, sums = time.perf_counter(), np.zeros_like(sums)
            if self.step % SAVE_EVERY == 0 or self.step == self.settings.steps:
                self._save()

    def _update(self, batch: Batch, rng: np.random.Generator) -> npt.NDArray[np.float64]:
        settings = self.settings
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * _schedule(self.step, settings)
        session = ClickSession(batch.masks, rng)
        truth = torch.from_numpy(batch.masks).float()[:, None]
        coarse_truth = F.adaptive_avg_pool2d(truth, CROP_PX // 4)
        losses, ious = [], []
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.bf16):
            features = self.net.encoder(batch.images).repeat(settings.objects)
            for turn in range(settings.rounds):
                last = turn == settings.rounds - 1
                logits, loss = self._look(features, session.prompts(), truth, coarse_truth, fine=last)
                losses.append(loss)
                ious.append(_mean_iou(logits, batch.masks))
                if not last:
                    session.answer(logits)
        total = torch.stack(losses).mean()
        self.optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), 3.0)
        if torch.isfinite(norm):
            self.optimizer.step()
        with torch.no_grad():
            keep = min(settings.ema, (1 + self.step) / (10 + self.step))
            for name, value in self.net.state_dict().items():
                if value.is_floating_point():
                    self.average[name].lerp_(value, 1 - keep)
        return np.array([total.item(), norm.item(), *ious])

    def _look(
        self, features: Features, prompts: PromptTensors, truth: Tensor, coarse_truth: Tensor, *, fine: bool
    ) -> tuple[Tensor, Tensor]:
        """Shown logits at full size, and the loss: of the fine logits only in the last round, to save time."""
        decoder = self.net.decoder
        x4, coarse, quality = decoder.look(features, prompts)
        loss, shown = objective(coarse, quality, coarse_truth)
        logits = coarse
        if fine:
            logits = decoder.refine(x4, coarse, features.s2)
            fine_loss, shown = objective(logits, quality, truth)
            loss = 0.3 * loss + 1.4 * fine_loss
        picked = logits[torch.arange(len(shown)), shown]
        if not fine:
            picked = F.interpolate(picked[:, None].float(), scale_factor=4, mode="bilinear")[:, 0]
        return picked, loss

    def _log(self, means: npt.NDArray[np.float64], seconds: float) -> None:
        row = {"step": self.step, "loss": means[0], "norm": means[1], "s_per_step": seconds / LOG_EVERY}
        row |= {f"iou@{turn + 1}": value for turn, value in enumerate(means[2:])}
        shown = (f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {value}" for name, value in row.items())
        log.info("  ".join(shown))
        file = self.out / "log.csv"
        fresh = not file.exists()
        with file.open("a", newline="") as stream:
            writer = csv.DictWriter(stream, list(row))
            if fresh:
                writer.writeheader()
            writer.writerow(row)

    def _save(self) -> None:
        state = {"net": self.net.state_dict(), "average": self.average, "optimizer": self.optimizer.state_dict()}
        temporary = self.out / "state.tmp"
        torch.save({**state, "step": self.step}, temporary)
        temporary.replace(self.out / "state.pt")
        weights = {name: value.contiguous() for name, value in self.average.items() if value.is_floating_point()}
        save_file({n: v.half() for n, v in weights.items()}, self.out / "clicknet.safetensors", {"step": str(self.step)})

    def _resume(self) -> None:
        file = self.out / "state.pt"
        if file.exists():
            state: dict[str, Any] = torch.load(file, weights_only=True)
            self.net.load_state_dict(state["net"])
            self.average, self.step = state["average"], state["step"]
            self.optimizer.load_state_dict(state["optimizer"])
            log.info("going on at step %d", self.step)


def load_backbone(net: ClickNet, file: Path) -> None:
    """ImageNet weights of EfficientNet-Lite0, or all weights where `file` is a safetensors file of this network."""
    if file.suffix == ".safetensors":
        net.load_state_dict({name: value.float() for name, value in load_file(file).items()}, strict=False)
        return
    source: dict[str, Tensor] = torch.load(file, weights_only=True)
    parts = ("weight", "bias", "running_mean", "running_var")
    renamed = {"0.weight": "_conv_stem.weight", **{f"1.{part}": f"_bn0.{part}" for part in parts}}
    net.encoder.stem.load_state_dict({to: source[name] for to, name in renamed.items()}, strict=False)
    blocks = [block for stage in net.encoder.stages for block in stage]  # type: ignore[attr-defined]
    for index, block in enumerate(blocks):
        layers = [n for n in ("expand", "depthwise", "project") if getattr(block, n) is not None]
        for number, layer in enumerate(layers):
            conv = f"_blocks.{index}._{layer}_conv.weight"
            norm = f"_blocks.{index}._bn{number if len(layers) == 3 else number + 1}"
            weights = {"0.weight": source[conv], **{f"1.{part}": source[f"{norm}.{part}"] for part in parts}}
            getattr(block, layer).load_state_dict(weights, strict=False)


def _schedule(step: int, settings: Settings) -> float:
    """Linear warm-up, then half a cosine down to a fiftieth."""
    if step < settings.warmup:
        return (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done))


def _mean_iou(logits: Tensor, masks: Mask) -> float:
    inside = (logits.detach() > 0).numpy()
    return float(((inside & masks).sum((1, 2)) / np.maximum((inside | masks).sum((1, 2)), MIN_VISIBLE_PX)).mean())


def main() -> None:
    """Run or go on with a training run."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--backbone", type=Path, help="EfficientNet-Lite0 (.pth) or this network (.safetensors) to start from")
    parser.add_argument("--out", type=Path, required=True)
    for name, value in asdict(Settings()).items():
        kind: Callable[[str], Any] = (lambda text: text == "True") if isinstance(value, bool) else type(value)
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=value)
    arguments = parser.parse_args()
    settings = Settings(**{name: getattr(arguments, name) for name in asdict(Settings())})
    arguments.out.mkdir(parents=True, exist_ok=True)
    scenes, digest = read_scenes(arguments.scenes)
    record = {"settings": asdict(settings), "data_sha256": digest, "torch": torch.__version__, "candidates": CANDIDATES}
    (arguments.out / "run.json").write_text(json.dumps(record, indent=2) + "\n")
    Training(settings, arguments.backbone, arguments.out).run(Sampler(scenes, settings.objects))


if __name__ == "__main__":
    main()
