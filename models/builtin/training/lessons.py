"""The simulated user of training: what is said of an object at first, and after each answer.

Clicks in turn with answers follow RITM (Sofiiuk, Petrov and Konushin, ICIP 2022). Answers before the first click are what a
coarser level, another click or an imprecise outline give: rough copies of the mask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ...base import Mask
from ...click_simulation import Click
from ..boxes import ellipse_in
from ..network import PromptTensors

STRIDE_PX = 2
"""Every second pixel tells where the largest error is."""

CELL_PX = 4
MOST_CLICKS = 24

PRIOR_SHARE = 0.26
BOX_SHARE = 0.25
SEVERAL_SHARE = 0.12
"""Shares of objects that begin with an answer, with a box, with several clicks at once."""


@dataclass(frozen=True)
class Task:
    """An object to click. mask, unsure: (side, side). first_in: (side, side) where the first click lies."""

    mask: Mask
    unsure: Mask
    first_in: Mask


class Lesson:
    """The prompts of a batch of objects as a simulated user gives them."""

    def __init__(self, tasks: list[Task], seed: tuple[int, ...], pool: Executor | None = None) -> None:
        """pool: looks at answers side by side, where there are processors for it."""
        self._rngs = [np.random.default_rng((*seed, index)) for index in range(len(tasks))]
        self._tasks = tasks
        self._each: Callable[..., Iterable[None]] = map if pool is None else pool.map
        self._clicks: list[list[Click]] = [[] for _ in tasks]
        self._boxes = np.zeros((len(tasks), 4), np.float32)
        self._cells = tasks[0].mask.shape[0] // CELL_PX
        self._previous = torch.zeros((len(tasks), 1, self._cells, self._cells))
        for _ in self._each(self._begin, range(len(tasks))):
            pass

    def _begin(self, index: int) -> None:
        task, rng, clicks = self._tasks[index], self._rngs[index], self._clicks[index]
        kind = rng.random()
        if kind < PRIOR_SHARE:
            rough = rough_copy(task.mask, rng)
            cells = (self._cells, self._cells)
            self._previous[index, 0] = torch.from_numpy(cv2.resize(rough, cells, interpolation=cv2.INTER_AREA))
            if rng.random() < 0.75:
                clicks.append(first_click(task.first_in, rng))
            if rng.random() < 0.4 and (mended := wrong_click(task, rough > 0.5, rng)) is not None:
                clicks.append(mended)
            return
        if kind < PRIOR_SHARE + BOX_SHARE:
            self._boxes[index] = loose_box(task.mask, rng)
            # As the model has it where there is a box and nothing was answered yet.
            self._previous[index] = ellipse_in(torch.from_numpy(self._boxes[index] / CELL_PX), (self._cells, self._cells))[0]
            if rng.random() < 0.5:
                return
        clicks.append(first_click(task.first_in, rng))
        if rng.random() < SEVERAL_SHARE:
            clicks.extend(extra_clicks(task, rng))

    def answer(self, logits: Tensor) -> None:
        """The user looks at (b, side, side) logits and clicks once more where they are wrong."""
        probability = logits.detach().float().sigmoid()
        self._previous = F.adaptive_avg_pool2d(probability[:, None], self._cells)
        for _ in self._each(self._correct, range(len(self._tasks)), (probability > 0.5).cpu().numpy()):
            pass

    def _correct(self, index: int, answer: Mask) -> None:
        clicks = self._clicks[index]
        if len(clicks) < MOST_CLICKS and (click := wrong_click(self._tasks[index], answer, self._rngs[index])) is not None:
            clicks.append(click)

    def prompts(self, device: torch.device | None = None) -> PromptTensors:
        """As the network takes them."""
        longest = max(1, *(len(clicks) for clicks in self._clicks))
        xy = np.zeros((len(self._clicks), longest, 2), np.float32)
        kinds = np.full((len(self._clicks), longest), -1)
        for index, clicks in enumerate(self._clicks):
            for place, click in enumerate(clicks):
                xy[index, place] = click.col + 0.5, click.row + 0.5
                kinds[index, place] = click.foreground
        given = (torch.from_numpy(xy), torch.from_numpy(kinds), torch.from_numpy(self._boxes), self._previous)
        if device is not None:
            given = (given[0].to(device), given[1].to(device), given[2].to(device), given[3].to(device))
        return PromptTensors(*given)


def first_click(inside: Mask, rng: np.random.Generator) -> Click:
    """The deepest point, or a place that is not too near to the outline, or any place inside."""
    depth = cv2.distanceTransform(np.ascontiguousarray(inside, np.uint8), cv2.DIST_L2, 5)
    kind = rng.random()
    least = depth.max() if kind < 0.35 else 0.4 * depth.max() if kind < 0.75 else min(2.0, float(depth.max()))
    row, col = _any_of(depth >= least, rng)
    return Click(row, col, True)


def wrong_click(task: Task, answer: Mask, rng: np.random.Generator) -> Click | None:
    """In the largest wrong region, mostly in its middle; None where nothing is wrong for sure."""
    step = slice(None, None, STRIDE_PX)
    truth, given, sure = task.mask[step, step], answer[step, step], ~task.unsure[step, step]
    best, largest = None, 2
    for foreground, wrong in ((True, truth & ~given & sure), (False, given & ~truth & sure)):
        count, labels, stats, _ = cv2.connectedComponentsWithStats(wrong.astype(np.uint8), connectivity=4)
        if count > 1:
            label = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
            if stats[label, cv2.CC_STAT_AREA] > largest:
                best, largest = (foreground, labels == label), int(stats[label, cv2.CC_STAT_AREA])
    if best is None:
        return None
    foreground, region = best
    depth = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    least = depth.max() if rng.random() < 0.6 else 0.3 * depth.max()
    row, col = _any_of(depth >= least, rng)
    return Click(row * STRIDE_PX, col * STRIDE_PX, foreground)


def extra_clicks(task: Task, rng: np.random.Generator) -> list[Click]:
    """One to three clicks said at once: inside, close beside the outline, or anywhere off the object."""
    kernel = np.ones((3, 3), np.uint8)
    near = cv2.dilate(task.mask.astype(np.uint8), kernel, iterations=14) - cv2.dilate(
        task.mask.astype(np.uint8), kernel, iterations=4
    )
    found = []
    for _ in range(int(rng.integers(1, 4))):
        kind = rng.random()
        region = task.mask if kind < 0.5 else near > 0 if kind < 0.8 else ~task.mask
        region = region & ~task.unsure
        if region.any():
            row, col = _any_of(region, rng)
            found.append(Click(row, col, bool(task.mask[row, col])))
    return found


def loose_box(mask: Mask, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """x0, y0, x1, y1 around a mask, as a hand draws it."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = np.array([cols[0], rows[0], cols[-1] + 1, rows[-1] + 1], np.float32)
    slack = rng.uniform(0.01, 0.1) * np.array([box[2] - box[0], box[3] - box[1]] * 2)
    outwards = np.array([-1, -1, 1, 1])
    return (box + (rng.normal(0, 1, 4) + 0.5 * outwards) * slack).astype(np.float32)


def rough_copy(mask: Mask, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """(side, side) a mask as it was answered before: shifted, too large or small, cut off, bent, or from a coarser level."""
    copy = mask.astype(np.float32)
    side = len(mask)
    size = float(np.sqrt(mask.sum()))
    if rng.random() < 0.5:
        shift = rng.normal(0, 0.06 * size, 2)
        moved = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
        copy = np.asarray(cv2.warpAffine(copy, moved, (side, side)), np.float32)
    if rng.random() < 0.4:
        reach = 1 + int(rng.uniform(0, 0.08) * size)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        changed = cv2.dilate(copy, kernel) if rng.random() < 0.5 else cv2.erode(copy, kernel)
        copy = np.asarray(changed, np.float32)
    if rng.random() < 0.35:
        rows, cols = np.mgrid[:side, :side]
        at, angle = _any_of(mask, rng), rng.uniform(0, 2 * np.pi)
        copy[(rows - at[0]) * np.sin(angle) + (cols - at[1]) * np.cos(angle) > rng.uniform(0, 0.4) * size] = 0
    coarse = int(rng.choice([10, 20, 40, 80]))
    blurred = cv2.resize(cv2.resize(copy, (coarse, coarse), interpolation=cv2.INTER_AREA), (side // CELL_PX,) * 2)
    bumps = cv2.resize(rng.normal(0, 0.15, (8, 8)).astype(np.float32), (side // CELL_PX,) * 2)
    steep = 1 / (1 + np.exp(-(blurred + bumps - 0.5) * rng.uniform(4, 40)))
    return np.asarray(cv2.resize(steep.astype(np.float32), (side, side)), np.float32)


def _any_of(region: npt.NDArray[np.bool_], rng: np.random.Generator) -> tuple[int, int]:
    places = np.flatnonzero(region)
    row, col = divmod(int(places[rng.integers(len(places))]), region.shape[1])
    return row, col
