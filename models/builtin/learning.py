"""Adaptation to the objects accepted so far: a few gradient steps of the decoder on each of them.

Kontogianni et al. (ECCV 2020) call it sequence adaptation: a corrected object is a labelled example of the imagery at hand.
The encoder stays as it is, so cached embeddings stay true, and the weights are drawn back to where they came from.
"""

from __future__ import annotations

import copy
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..base import Mask
from .losses import objective
from .network import Decoder, Features, NetWindow, PromptTensors

KEPT_EXAMPLES = 24

STEPS = 3
"""Gradient steps for each accepted object."""

BATCH = 3

LEARNING_RATE = 3e-5

PULL = 2e-3
"""How far each step draws the weights back to the shipped ones."""

MARGIN_PX = 64
"""How far around an object the decoder is shown its surroundings, in the network's pixels."""

_versions = itertools.count(1)

Step = Callable[[], None]
"""Called before each gradient step; may raise to stop the learning there."""


@dataclass(frozen=True)
class Example:
    """Part of a tile around an accepted object. truth: (1, 1, h, w) in 0..1 at the network's resolution."""

    features: Features
    truth: Tensor


class Learner:
    """A decoder of its own that follows the objects accepted on one raster. No two states have the same `version`."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = copy.deepcopy(decoder)
        self.version = next(_versions)
        self._shipped = [parameter.detach().clone() for parameter in decoder.parameters()]
        self._examples: deque[Example] = deque(maxlen=KEPT_EXAMPLES)
        self._rng = np.random.default_rng(0)
        self._optimizer = torch.optim.Adam(self.decoder.parameters(), lr=LEARNING_RATE)

    def learn(self, example: Example, before_step: Step) -> None:
        """Take an accepted object in; raises what `before_step` raises."""
        self._examples.append(example)
        for _ in range(STEPS):
            before_step()
            others = self._rng.choice(len(self._examples), min(BATCH, len(self._examples)) - 1, replace=False)
            self._step([example, *(self._examples[int(index)] for index in others)])

    def _step(self, examples: list[Example]) -> None:
        self._optimizer.zero_grad()
        for example in examples:
            (self._loss(example) / len(examples)).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.decoder.parameters(), 1.0)
        self._optimizer.step()
        with torch.no_grad():
            for parameter, shipped in zip(self.decoder.parameters(), self._shipped, strict=True):
                parameter.lerp_(shipped, PULL)
        self.version = next(_versions)

    def _loss(self, example: Example) -> Tensor:
        """Of a click somewhere on the object, and of a second one where the first answer errs."""
        features, truth = example.features, example.truth
        coarse_truth = F.avg_pool2d(truth, 4)
        device = truth.device
        first, kind = _somewhere(coarse_truth[0, 0], self._rng), torch.ones(1, 1, dtype=torch.int64, device=device)
        prompts = PromptTensors(first, kind, torch.zeros(1, 4, device=device), torch.zeros_like(coarse_truth))
        losses = []
        for _ in range(2):
            x4, coarse, quality = self.decoder.look(features, prompts)
            losses.append(objective(coarse, quality, coarse_truth)[0])
            prompts = _corrected(prompts, coarse[:, quality[0].argmax()][:, None].detach().sigmoid(), coarse_truth)
        fine, _ = objective(self.decoder.refine(x4, coarse, features.s2), quality, truth)
        return torch.stack((*losses, fine)).mean()


def _somewhere(truth: Tensor, rng: np.random.Generator) -> Tensor:
    """(1, 1, 2) place, x first, in one of the cells that the object fills best."""
    deep = F.avg_pool2d(truth[None, None], 5, 1, 2)[0, 0]
    cells = torch.nonzero(deep >= 0.9 * deep.max())
    row, col = cells[int(rng.integers(len(cells)))].tolist()
    return torch.tensor([[[4 * col + 2.0, 4 * row + 2.0]]], device=truth.device)


def _corrected(prompts: PromptTensors, answer: Tensor, truth: Tensor) -> PromptTensors:
    """With a click more, in the thick of where (1, 1, h, w) answer and truth differ."""
    wrong = ((answer > 0.5) != (truth > 0.5)).float()
    thick = F.avg_pool2d(wrong, 7, 1, 3) + F.avg_pool2d(wrong, 25, 1, 12)
    row, col = divmod(int((thick * wrong).argmax()), truth.shape[-1])
    place = torch.tensor([[[4 * col + 2.0, 4 * row + 2.0]]], device=truth.device)
    kind = torch.tensor([[int(truth[0, 0, row, col] > 0.5)]], device=truth.device)
    return PromptTensors(torch.cat((prompts.clicks_xy, place), 1), torch.cat((prompts.kinds, kind), 1), prompts.box, answer)


def example_of(features: Features, truth: Mask) -> Example | None:
    """The part of a tile around an object; truth (h, w) at the network's resolution. None where nothing of it is there."""
    height, width = features.s4.shape[-2:]
    padded = np.zeros((4 * height, 4 * width), np.float32)
    padded[: truth.shape[0], : truth.shape[1]] = truth
    rows, cols = np.flatnonzero(truth.any(axis=1)), np.flatnonzero(truth.any(axis=0))
    if not len(rows):
        return None
    window = NetWindow.around(rows, cols, (4 * height, 4 * width), MARGIN_PX)
    target = window.of(torch.from_numpy(padded)[None, None], 1)
    return Example(features.window(window).clone(), target.to(features.s4.device))
