"""What promptable models share: answers to earlier prompts, kept for the next click, and clicks that are always obeyed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from .base import FloatImage, Mask, PixelPrompts
from .places import RowCol
from .recently_used import RecentlyUsed

KEPT_ANSWERS = 64
"""Answers to earlier sets of prompts kept for each tile."""

SATURATION = 8.0
"""Logit of what can't be inside."""

CLICK_RADIUS_PX = 4
"""Around a click that the network did not obey so much changes side."""

PromptKey = tuple[int, bytes, bytes, "tuple[float, float, float, float] | None", int, bool]
Answer = TypeVar("Answer")


def answers() -> RecentlyUsed[PromptKey, Answer]:
    """For answers by the prompts that they were given to."""
    return RecentlyUsed(KEPT_ANSWERS)


def prompt_key(prompts: PixelPrompts, version: int = 0) -> PromptKey:
    """Equal for equal prompts in equal order, of one `version` of a model."""
    prior = 0 if prompts.prior is None else hash(prompts.prior.tobytes())
    points = prompts.points_xy.tobytes(), prompts.foreground.tobytes()
    return version, *points, prompts.box_xyxy, prior, prompts.prior_is_answer


def without_last_click(prompts: PixelPrompts) -> PixelPrompts | None:
    """What the user had said before the newest click; None where that was nothing."""
    count = len(prompts.points_xy) - 1
    if count < 0 or (count == 0 and prompts.box_xyxy is None):
        return None
    return PixelPrompts(prompts.points_xy[:count], prompts.foreground[:count], prompts.box_xyxy, prompts.prior)


def answer_before(
    kept: RecentlyUsed[PromptKey, Answer], prompts: PixelPrompts, version: int, answer: Callable[[PixelPrompts], Answer]
) -> Answer | None:
    """What was answered before the newest click, given again where it was forgotten; None where nothing was said before.

    None as well where the prior is the answer to all that was said.

    answer: answers prompts whose own predecessor is kept, and keeps what it answers.
    """
    earlier = None if prompts.prior_is_answer else without_last_click(prompts)
    if earlier is None:
        return None
    forgotten: list[PixelPrompts] = []
    each: PixelPrompts | None = earlier
    while each is not None and prompt_key(each, version) not in kept:
        forgotten.append(each)
        each = without_last_click(each)
    found = kept.get(prompt_key(earlier, version))
    for each in reversed(forgotten):
        found = answer(each)
    return found


def prior_box(prompts: PixelPrompts) -> tuple[float, float, float, float] | None:
    """Around what a prior calls inside."""
    if prompts.prior is None:
        return None
    rows, cols = np.nonzero(prompts.prior > 0.5)
    return (float(cols.min()), float(rows.min()), cols.max() + 1.0, rows.max() + 1.0) if len(rows) else None


def obedient(logits: FloatImage, clicks: dict[RowCol, bool], valid: Mask) -> FloatImage:
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
