"""What one prompt alone gives: a click beside the middle, a box, a click in a view that is too wide or too near."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from ..contract.errors import NothingFound, PromptError
from ..contract.prompts import Box, Point, Prompts
from ..engine.segmenting.session import Segmenter
from ..models import registry
from ..models.base import Model
from ..models.click_simulation import first_click
from .canvas import Canvas
from .scenes import Scene, Target

WIDE = 2
"""Levels coarser than the object's own: a view four times too wide."""

NEAR = -1
"""A view twice too near."""


@dataclass(frozen=True)
class OnePrompt:
    """IoU of the answer to one prompt alone; 0 where nothing is found.

    jittered: a click anywhere inside. box: the object's own. wide, near: a click in the middle, in views that don't suit it.
    """

    jittered: float
    box: float
    wide: float
    near: float


def answers_to_one_prompt(scene: Scene, target: Target, model: Model) -> OnePrompt:
    """Each asked of a model that has seen nothing yet."""
    canvas = Canvas(scene, target)
    middle = first_click(canvas.truth)
    click = _clicked(scene, canvas, middle.row, middle.col)
    inside = np.argwhere(canvas.truth)
    row, col = inside[np.random.default_rng(zlib.crc32(f"{scene.name}/{target.id}".encode())).integers(len(inside))]
    jittered = _clicked(scene, canvas, int(row), int(col))
    (x0, y0), (x1, y1) = scene.source.to_map(np.reshape(target.polygon_px.bounds, (2, 2)))
    box = Prompts(box=Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
    return OnePrompt(
        jittered=_iou(scene, target, canvas, model, jittered, 0),
        box=_iou(scene, target, canvas, model, box, 0),
        wide=_iou(scene, target, canvas, model, click, WIDE),
        near=_iou(scene, target, canvas, model, click, NEAR),
    )


def _clicked(scene: Scene, canvas: Canvas, row: int, col: int) -> Prompts:
    [(x, y)] = scene.source.to_map(np.array([(col + canvas.left + 0.5, row + canvas.top + 0.5)]))
    return Prompts((Point(float(x), float(y)),))


def _iou(scene: Scene, target: Target, canvas: Canvas, model: Model, prompts: Prompts, coarser: int) -> float:
    segmenter = Segmenter(models=(model,))
    try:
        closer = model.name == registry.DEFAULT_MODEL  # as the panel asks
        found = segmenter.segment(scene.path, prompts, model=model.name, level=target.level + coarser, closer=closer)
    except (NothingFound, PromptError):
        return 0.0
    finally:
        segmenter.close()
    return canvas.iou(canvas.mask(found.polygon))
