"""One step of training after another: network, optimiser, averaged weights, and their state on disk.

Every batch encodes a few crops once and asks for several objects on each; a simulated user clicks, looks at the answer and
clicks again. The learning rate follows cosines with restarts, each twice as long as the one before (Loshchilov and Hutter,
ICLR 2017), so that a run has weights worth taking at the end of each and can go on for ever.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import load_file
from torch import Tensor

from ...base import Mask
from ..losses import objective
from ..network import ClickNet, Features
from .lessons import Lesson, Task
from .sampler import MIN_VISIBLE_PX, Sample

FINE_PX = 192
"""Side of the part of a crop whose fine logits are learnt: they depend on their surroundings alone, so a part is enough."""

FINE_MARGIN_PX = 8
"""Along the edge of that part fine logits count for nothing: the network sees no surroundings there."""

BORDER_WEIGHT = 3.0
BORDER_PX = 3
"""How much more pixels count that are so near to a trusted outline."""

WIDE_SCALE = 2
"""A tile is larger than a crop: now and then crops are enlarged so much, so that objects as large as a tile are learnt too."""

ROUND_GROWTH = 1.1
"""Each answer weighs so much more than the one before."""


@dataclass(frozen=True)
class Settings:
    """What a run depends on besides its data.

    images, objects: crops a step, and objects asked for on each. rounds: answers that are learnt from. late_share: share of
    steps before which up to `late_rounds` more clicks are given. lr, encoder_lr: the highest learning rates. cycle: steps of
    the first cosine; the next has twice as many. wide_every: so many steps apart are those on enlarged crops, and on so many
    fewer of them; 0: none. bf16_encoder, bf16_decoder: bfloat16 pays for both on GPUs; for
    the decoder alone on CPUs that have it, since depthwise convolutions are slower in it; on others it takes ten times as long.
    """

    images: int = 6
    objects: int = 3
    rounds: int = 3
    late_share: float = 0.25
    late_rounds: int = 12
    lr: float = 8e-4
    encoder_lr: float = 2e-4
    weight_decay: float = 1e-2
    warmup: int = 100
    cycle: int = 3500
    ema: float = 0.998
    seed: int = 11
    wide_every: int = 5
    bf16_encoder: bool = False
    bf16_decoder: bool = False


@dataclass(frozen=True)
class Batch:
    """images: (b, 3, side, side) in 0..1. tasks: b · m objects. truth, weight: (b · m, 1, side, side).

    The weight is 0 where nobody knows what is right, and higher near outlines that can be trusted.
    """

    images: Tensor
    tasks: list[Task]
    truth: Tensor
    weight: Tensor

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Batch:
        """Of samples with equally many objects and of one size."""
        images = torch.from_numpy(np.stack([s.image for s in samples])).permute(0, 3, 1, 2).float() / 255
        tasks, weights = [], []
        for sample in samples:
            for mask, unsure, trusted, first in zip(
                sample.masks, sample.unsure, sample.is_trusted, sample.first_in, strict=True
            ):
                tasks.append(Task(mask, unsure, sample.masks[first]))
                weights.append(_weight(mask, unsure, bool(trusted)))
        truth = torch.from_numpy(np.stack([task.mask for task in tasks])).float()[:, None]
        weight = torch.from_numpy(np.stack(weights))[:, None]
        return cls(images.contiguous(memory_format=torch.channels_last), tasks, truth, weight)

    @classmethod
    def of_step(cls, samples: Sequence[Sample], step: int, settings: Settings) -> Batch:
        """What a step learns: all samples, or at a wide step a few of them enlarged."""
        if not settings.wide_every or step % settings.wide_every:
            return cls.of(samples)
        few = math.ceil(len(samples) / WIDE_SCALE**2)
        return cls.of([sample.enlarged(WIDE_SCALE) for sample in samples[:few]])

    def to(self, device: torch.device) -> Batch:
        """The same, its tensors on a device."""
        return Batch(self.images.to(device), self.tasks, self.truth.to(device), self.weight.to(device))


def _weight(mask: Mask, unsure: Mask, trusted: bool) -> npt.NDArray[np.float32]:
    weight = np.ones(mask.shape, np.float32)
    if trusted:
        own = mask.astype(np.uint8)
        kernel = np.ones((2 * BORDER_PX - 1, 2 * BORDER_PX - 1), np.uint8)
        weight += (BORDER_WEIGHT - 1) * (cv2.dilate(own, kernel) - cv2.erode(own, kernel))
    weight[unsure] = 0
    return weight


@dataclass(frozen=True)
class Figures:
    """Of one step: loss, norm of the gradient, mean IoU of what is shown after each round."""

    loss: float
    norm: float
    ious: tuple[float, ...]


class Trainer:
    """A run's state. Steps are numbered from 0; what step n does follows from its batch, the settings and n."""

    def __init__(
        self, settings: Settings, start: Path, device: torch.device | None = None, pool: Executor | None = None
    ) -> None:
        """start: weights of this network as safetensors. pool: see `Lesson`."""
        self.settings = settings
        self._device = device or torch.device("cpu")
        self._pool = pool
        self.step = 0
        self.net = ClickNet()
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.net.load_state_dict({name: value.float() for name, value in load_file(start).items()}, strict=False)
        self.net.to(self._device)
        encoder = self.net.encoder
        pretrained = {id(p) for p in (*encoder.stem.parameters(), *encoder.stages.parameters())}
        groups = [
            {"params": [p for p in self.net.parameters() if id(p) in pretrained], "peak": settings.encoder_lr},
            {"params": [p for p in self.net.parameters() if id(p) not in pretrained], "peak": settings.lr},
        ]
        self._optimizer = torch.optim.AdamW(groups, lr=settings.lr, weight_decay=settings.weight_decay)
        self.average = {name: value.clone() for name, value in self.net.state_dict().items()}
        self.net.train()
        encoder.stem.eval()  # keeps the backbone's own batch statistics
        encoder.stages.eval()

    def update(self, batch: Batch) -> Figures:
        """One step."""
        settings = self.settings
        rng = np.random.default_rng((settings.seed, self.step))
        for group in self._optimizer.param_groups:
            group["lr"] = group["peak"] * learning_rate(self.step, settings)
        batch = batch.to(self._device)
        lesson = Lesson(batch.tasks, (settings.seed, self.step), self._pool)
        with self._autocast(enabled=settings.bf16_encoder):
            features = self.net.encoder(batch.images).repeat(settings.objects)
        with self._autocast(enabled=settings.bf16_decoder):
            loss, ious = self._taught(features, batch, lesson, rng)
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), 3.0)
        if torch.isfinite(norm):
            self._optimizer.step()
        self._follow()
        self.step += 1
        return Figures(loss.item(), norm.item(), ious)

    def _autocast(self, *, enabled: bool) -> torch.autocast:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=enabled)

    def _taught(
        self, features: Features, batch: Batch, lesson: Lesson, rng: np.random.Generator
    ) -> tuple[Tensor, tuple[float, ...]]:
        """The loss over all rounds, and the IoUs of what is shown."""
        decoder, settings = self.net.decoder, self.settings
        coarse_truth, coarse_weight = (F.avg_pool2d(each, 4) for each in (batch.truth, batch.weight))
        if rng.random() < settings.late_share:
            self._click_on(features, lesson, int(rng.integers(1, settings.late_rounds + 1)))
        losses, ious, weights = [], [], []
        for turn in range(settings.rounds):
            x4, coarse, quality = decoder.look(features, lesson.prompts(self._device))
            loss, shown = objective(coarse, quality, coarse_truth, coarse_weight)
            answer = F.interpolate(coarse[torch.arange(len(shown)), shown][:, None].float(), scale_factor=4, mode="bilinear")[
                :, 0
            ]
            if turn == settings.rounds - 1:
                loss = 0.3 * loss + 1.4 * self._fine_loss(features, x4, coarse, quality, batch, rng)
            losses.append(loss)
            weights.append(ROUND_GROWTH**turn)
            ious.append(_mean_iou(answer, batch.tasks))
            lesson.answer(answer)
        total = torch.stack([weight * loss for weight, loss in zip(weights, losses, strict=True)]).sum() / sum(weights)
        return total, tuple(ious)

    @torch.no_grad()
    def _click_on(self, features: Features, lesson: Lesson, rounds: int) -> None:
        """Answers that nothing is learnt from, so that what follows is about late clicks."""
        for _ in range(rounds):
            _, coarse, quality = self.net.decoder.look(features, lesson.prompts(self._device))
            shown = coarse[torch.arange(len(coarse)), quality.argmax(1)]
            lesson.answer(F.interpolate(shown[:, None].float(), scale_factor=4, mode="bilinear")[:, 0])

    def _fine_loss(
        self, features: Features, x4: Tensor, coarse: Tensor, quality: Tensor, batch: Batch, rng: np.random.Generator
    ) -> Tensor:
        """Of fine logits in a part of each crop around some place on the outline."""
        corners = [_part_around_outline(task.mask, rng) for task in batch.tasks]
        parts = [_cut(maps, corners, stride) for maps, stride in ((x4, 4), (coarse, 4), (features.s2, 2))]
        truth, weight = (_cut(maps, corners, 1) for maps in (batch.truth, batch.weight))
        inner = slice(FINE_MARGIN_PX, -FINE_MARGIN_PX)
        logits = self.net.decoder.refine(*parts)[..., inner, inner]
        loss, _ = objective(logits, quality, truth[..., inner, inner], weight[..., inner, inner])
        return loss

    def _follow(self) -> None:
        """Move the averaged weights towards those of now."""
        keep = min(self.settings.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.net.state_dict().items():
                if value.is_floating_point():
                    self.average[name].lerp_(value, 1 - keep)

    def averaged(self) -> dict[str, Tensor]:
        """The averaged weights in half precision, as they ship."""
        return {name: value.half().contiguous().cpu() for name, value in self.average.items() if value.is_floating_point()}

    def save(self, file: Path) -> None:
        """The state into a file, at once or not at all, and safe on disk when this returns."""
        state = {"net": self.net.state_dict(), "average": self.average, "optimizer": self._optimizer.state_dict()}
        partial = file.with_suffix(".part")
        with partial.open("wb") as stream:
            torch.save({**state, "step": self.step}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(file)

    def resume(self, file: Path) -> None:
        """Go on from a state."""
        state: dict[str, Any] = torch.load(file, weights_only=True, map_location=self._device)
        self.net.load_state_dict(state["net"])
        self.average, self.step = state["average"], state["step"]
        self._optimizer.load_state_dict(state["optimizer"])


def learning_rate(step: int, settings: Settings) -> float:
    """As a share of the highest: a linear warm-up, then cosines with restarts, each twice as long, down to a fiftieth."""
    if step < settings.warmup:
        return (step + 1) / settings.warmup
    number, since, length = cycle_of(step, settings)
    return 0.8**number * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * since / length)))


def cycle_of(step: int, settings: Settings) -> tuple[int, int, int]:
    """Number of the cosine that a step belongs to, from 0; steps since its start; its length."""
    number, since, length = 0, step, settings.cycle
    while since >= length:
        number, since, length = number + 1, since - length, 2 * length
    return number, since, length


def _part_around_outline(mask: Mask, rng: np.random.Generator) -> tuple[int, int]:
    """Top left corner (row, column) of a part, multiples of 4, with some place of the outline near its middle."""
    own = mask.astype(np.uint8)
    outline = np.flatnonzero(own - cv2.erode(own, np.ones((3, 3), np.uint8), borderValue=1))
    side = len(mask)
    row, col = divmod(int(outline[rng.integers(len(outline))]), side) if len(outline) else (side // 2, side // 2)
    top, left = (int(np.clip(at - FINE_PX / 2, 0, side - FINE_PX)) // 4 * 4 for at in (row, col))
    return top, left


def _cut(maps: Tensor, corners: list[tuple[int, int]], stride: int) -> Tensor:
    """The part of each map at its corner (row, column in pixels)."""
    side = FINE_PX // stride
    return torch.stack(
        [
            each[:, top // stride : top // stride + side, left // stride : left // stride + side]
            for each, (top, left) in zip(maps, corners, strict=True)
        ]
    )


def _mean_iou(logits: Tensor, tasks: list[Task]) -> float:
    found = []
    for inside, task in zip((logits.detach() > 0).cpu().numpy(), tasks, strict=True):
        union = ((inside | task.mask) & ~task.unsure).sum()
        found.append((inside & task.mask & ~task.unsure).sum() / max(int(union), MIN_VISIBLE_PX))
    return float(np.mean(found))
