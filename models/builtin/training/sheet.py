"""A contact sheet of samples, to check masks, clicks and answers before them by eye."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from . import reading, scenes
from .lessons import Lesson
from .sampler import Sampler
from .trainer import Batch, Settings
from .validation import split

COLUMNS = 10
SHOWN_PX = 200
SEED = 5

OUTLINE, BEFORE, FOREGROUND, BACKGROUND, BOX = (64, 255, 64), (255, 210, 0), (60, 160, 255), (255, 60, 60), (255, 0, 255)


def draw_sheet(data: tuple[Path, ...], folder: Path, count: int, family: str | None, out: Path) -> None:
    """Write a picture: outlines green, unsure pixels dark, the answer before yellow, clicks blue and red, boxes magenta."""
    learnt, _ = split(reading.prepare(reading.usable_folders(data), folder / "scenes"))
    sampler = Sampler([scenes.load(path) for path in learnt], 1, {family: 1.0} if family else None)
    pictures = [_picture(sampler, number) for number in range(count)]
    pictures += [np.zeros_like(pictures[0])] * (-count % COLUMNS)
    rows = [np.concatenate(pictures[start : start + COLUMNS], axis=1) for start in range(0, len(pictures), COLUMNS)]
    cv2.imwrite(str(out), np.concatenate(rows)[..., ::-1])


def _picture(sampler: Sampler, number: int) -> np.ndarray:
    sample = sampler.draw((SEED, number))
    batch = Batch.of([sample])
    prompts = Lesson(batch.tasks, (Settings.seed, number)).prompts()
    picture = sample.image.copy()
    picture[sample.unsure[0]] //= 2
    _outline(picture, sample.masks[0], OUTLINE)
    before = cv2.resize(prompts.previous[0, 0].numpy(), picture.shape[1::-1])
    _outline(picture, before > 0.5, BEFORE)
    for (x, y), kind in zip(prompts.clicks_xy[0].tolist(), prompts.kinds[0].tolist(), strict=True):
        if kind >= 0:
            cv2.circle(picture, (int(x), int(y)), 5, FOREGROUND if kind else BACKGROUND, -1)
    if prompts.box[0].any():
        x0, y0, x1, y1 = (int(value) for value in prompts.box[0].tolist())
        cv2.rectangle(picture, (x0, y0), (x1, y1), BOX, 1)
    return np.asarray(cv2.resize(picture, (SHOWN_PX, SHOWN_PX), interpolation=cv2.INTER_AREA), np.uint8)


def _outline(picture: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int]) -> None:
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, found, -1, colour, 1)
