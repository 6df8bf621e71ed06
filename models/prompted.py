"""What promptable models share: answers to earlier prompts, kept for the next click, and clicks that are always obeyed."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

import numpy as np

from .base import FloatImage, Mask, PixelPrompts

KEPT_ANSWERS = 64
"""Answers to earlier sets of prompts kept for each tile."""

SATURATION = 8.0
"""Logit of what can't be inside."""

CLICK_RADIUS_PX = 4
"""Around a click that the network did not obey so much changes side."""

PromptKey = tuple[int, bytes, bytes, "tuple[float, float, float, float] | None", int]
Answer = TypeVar("Answer")


class Answers(Generic[Answer]):
    """Answers by the prompts that they were given to; the least recently used is forgotten."""

    def __init__(self) -> None:
        self._kept: OrderedDict[PromptKey, Answer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: PromptKey) -> Answer | None:
        """What was answered, if it is still there."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: PromptKey, answer: Answer) -> None:
        """Keep an answer."""
        self._kept[key] = answer
        self._kept.move_to_end(key)
        if len(self._kept) > KEPT_ANSWERS:
            self._kept.popitem(last=False)


def prompt_key(prompts: PixelPrompts, version: int = 0) -> PromptKey:
    """Equal for equal prompts in equal order, of one `version` of a model."""
    prior = 0 if prompts.prior is None else hash(prompts.prior.tobytes())
    return version, prompts.points_xy.tobytes(), prompts.foreground.tobytes(), prompts.box_xyxy, prior


def without_last_click(prompts: PixelPrompts) -> PixelPrompts | None:
    """What the user had said before the newest click; None where that was nothing."""
    count = len(prompts.points_xy) - 1
    if count < 0 or (count == 0 and prompts.box_xyxy is None):
        return None
    return PixelPrompts(prompts.points_xy[:count], prompts.foreground[:count], prompts.box_xyxy, prompts.prior)


def prior_box(prompts: PixelPrompts) -> tuple[float, float, float, float] | None:
    """Around what a prior calls inside."""
    if prompts.prior is None:
        return None
    rows, cols = np.nonzero(prompts.prior > 0.5)
    return (float(cols.min()), float(rows.min()), cols.max() + 1.0, rows.max() + 1.0) if len(rows) else None


def obedient(logits: FloatImage, clicks: dict[tuple[int, int], bool], valid: Mask) -> FloatImage:
    """Logits changed in place: clicked pixels on their side, with a few around them where they were not; no nodata inside."""
    reach = CLICK_RADIUS_PX
    for (row, col), foreground in clicks.items():
        if bool(logits[row, col] > 0) is not foreground:
            area = logits[max(row - reach, 0) : row + reach + 1, max(col - reach, 0) : col + reach + 1]
            area[:] = SATURATION if foreground else -SATURATION
    for (row, col), foreground in clicks.items():
        if bool(logits[row, col] > 0) is not foreground:
            logits[row, col] = SATURATION if foreground else -SATURATION
    logits[~valid] = -SATURATION
    return logits
