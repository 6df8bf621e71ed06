"""How good weights are on sources that training never sees: simulated clicks on fixed crops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..network import ClickNet
from . import scenes
from .lessons import Lesson, first_click
from .sampler import Sample, Sampler
from .scenes import Scene
from .trainer import Batch

HELD_APART_SOURCES = frozenset({"nairobi", "tucurui", "naip_riverside"})
HELD_APART_SCENES = frozenset(f"fields_naip_us_t{number}" for number in (29, 30, 31, 32))
"""Fields have one source of labels alone, so some of its places are held apart."""

IMAGES_OF_FAMILY = 24
OBJECTS = 2
CLICKS = 5
BATCH = 6
SEED = 77


@dataclass(frozen=True)
class Report:
    """Mean IoU after one, three and five clicks, of each family and "all"; and by how much predicted IoUs are off."""

    iou_at_1: dict[str, float]
    iou_at_3: dict[str, float]
    iou_at_5: dict[str, float]
    miscalibration: float

    @property
    def score(self) -> float:
        """One figure to choose weights by."""
        return (self.iou_at_1["all"] + self.iou_at_3["all"] + self.iou_at_5["all"]) / 3

    def row(self) -> dict[str, float]:
        """As a row of a table."""
        figures = {f"iou@{clicks} {name}": value for clicks, own in self._by_clicks() for name, value in own.items()}
        return {**figures, "miscalibration": self.miscalibration}

    def _by_clicks(self) -> tuple[tuple[int, dict[str, float]], ...]:
        return (1, self.iou_at_1), (3, self.iou_at_3), (5, self.iou_at_5)


def is_held_apart(scene: Scene) -> bool:
    """Whether a scene is for validation."""
    return scene.origin.source in HELD_APART_SOURCES or scene.name in HELD_APART_SCENES


def split(prepared: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Prepared scenes to learn from, and to validate on."""
    apart = {path for path in prepared if is_held_apart(scenes.load(path))}
    return [path for path in prepared if path not in apart], [path for path in prepared if path in apart]


class Validation:
    """The same objects for all weights."""

    def __init__(self, prepared: Sequence[Path], images_of_family: int = IMAGES_OF_FAMILY) -> None:
        found = [scenes.load(path) for path in prepared]
        self._samples: dict[str, list[Sample]] = {}
        for family in sorted({scene.origin.family for scene in found}):
            sampler = Sampler([s for s in found if s.origin.family == family], OBJECTS, {family: 1.0})
            self._samples[family] = [sampler.draw((SEED, number)) for number in range(images_of_family)]

    def report(self, weights: Mapping[str, Tensor]) -> Report:
        """Of averaged weights."""
        net = ClickNet()
        net.load_state_dict({name: value.float() for name, value in weights.items()}, strict=False)
        net.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        ious, apart = {}, []
        for family, samples in self._samples.items():
            parts = [_clicked(net, samples[start : start + BATCH]) for start in range(0, len(samples), BATCH)]
            ious[family] = np.concatenate([own for own, _ in parts])
            apart += [off for _, off in parts]
        ious["all"] = np.concatenate(list(ious.values()))
        at = {clicks: {name: float(own[:, clicks - 1].mean()) for name, own in ious.items()} for clicks in (1, 3, 5)}
        return Report(at[1], at[3], at[5], float(np.mean(apart)))


class _CarefulUser(Lesson):
    """One who always begins with a single click."""

    def _begin(self, index: int) -> None:
        self._clicks[index].append(first_click(self._tasks[index].first_in, self._rngs[index]))


@torch.no_grad()
def _clicked(net: ClickNet, samples: Sequence[Sample]) -> tuple[np.ndarray, float]:
    """(objects, CLICKS) IoUs, and by how much predicted IoUs are off on average."""
    batch = Batch.of(samples)
    lesson = _CarefulUser(batch.tasks, (SEED,))
    features = net.encoder(batch.images).repeat(len(batch.tasks) // len(samples))
    ious, off = [], []
    for _ in range(CLICKS):
        logits, quality = net.decoder(features, lesson.prompts())
        shown = quality.argmax(1)
        answers = logits[torch.arange(len(shown)), shown]
        counted = batch.weight[:, 0] > 0
        inside, truth = (answers > 0) & counted, (batch.truth[:, 0] > 0.5) & counted
        iou = ((inside & truth).sum((-2, -1)) / (inside | truth).sum((-2, -1)).clamp_min(1)).numpy()
        ious.append(iou)
        off.append(np.abs(quality.max(1).values.numpy() - iou).mean())
        lesson.answer(answers)
    return np.stack(ious, 1), float(np.mean(off))
