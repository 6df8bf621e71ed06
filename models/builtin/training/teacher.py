"""Objects in unlabelled parts of scenes, taught by the averaged weights where their views agree.

The same place is clicked on crops of three scales and on a mirrored one; where all answers are nearly the same the object is
one to learn from (FixMatch, Sohn et al., NeurIPS 2020, asks for confidence; here agreement between views stands for it). Its
outline is not trusted: it says what is meant, not where exactly the border runs.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...base import Mask
from ..network import ClickNet, PromptTensors
from .crops import Affine, fill, frame_mask, inside_frame, is_near, warp
from .scenery import CROP_PX
from .scenes import Scene, Shape, load

log = logging.getLogger(__name__)

SCALES = (0.75, 1.0, 1.35)
AGREEING_IOU = 0.85
PLACES = 24
"""Clicked in each scene."""

LEAST_SHARE, MOST_SHARE = 0.006, 0.35
"""Of a crop that an object may cover."""

FRAME_PX = 4
"""An object so near to its crop's edge may go on there."""


def teach_regions(weights: Mapping[str, Tensor], prepared: Sequence[Path], file: Path, stopping: Callable[[], bool]) -> int:
    """Write the objects found in each scene into a file, by the scene's folder; how many. Writes nothing when stopped."""
    net = ClickNet()
    net.load_state_dict({name: value.float() for name, value in weights.items()}, strict=False)
    net.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    found: dict[str, list[list[list[list[float]]]]] = {}
    for number, path in enumerate(prepared):
        if stopping():
            return 0
        scene = load(path)
        if scene.origin.family != "thing":
            shapes = agreed(net, scene, np.random.default_rng(number))
            found[path.name] = [[ring.round(2).tolist() for ring in shape.rings] for shape in shapes]
    partial = file.with_suffix(".part")
    partial.write_text(json.dumps(found))
    partial.replace(file)
    return sum(map(len, found.values()))


def taught(file: Path) -> dict[str, tuple[Shape, ...]]:
    """What `teach_regions` wrote, by the scene's folder; nothing where it wrote nothing yet."""
    if not file.exists():
        return {}
    known = json.loads(file.read_text())
    return {name: tuple(Shape.of([np.array(ring) for ring in rings]) for rings in shapes) for name, shapes in known.items()}


def agreed(net: ClickNet, scene: Scene, rng: np.random.Generator) -> Iterator[Shape]:
    """Objects off the labelled ones on which all views agree, in scene pixels."""
    width, height = scene.size_wh_px
    for _ in range(PLACES):
        at = rng.uniform(0, width), rng.uniform(0, height)
        scale = float(np.exp(rng.uniform(np.log(0.3), np.log(1.2)))) if scene.origin.coarsest > 2 else 1.0
        upright = inside_frame(_upright(at, scale), scene.size_wh_px)
        labelled = [fill(shape, upright) for shape in scene.objects if is_near(shape, upright)]
        xy = upright[:, :2] @ at + upright[:, 2]
        if not (xy.min() >= 0 and xy.max() < CROP_PX) or any(mask[int(xy[1]), int(xy[0])] for mask in labelled):
            continue
        mask = _agreed_mask(net, scene, upright, at)
        if mask is None or any((mask & other > 0).sum() > 0.1 * mask.sum() for other in labelled):
            continue
        rings, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        outer = max(rings, key=cv2.contourArea)[:, 0] + 0.5
        if len(outer) >= 4:
            yield Shape.of([(outer - upright[:, 2]) @ np.linalg.inv(upright[:, :2]).T])


def _agreed_mask(net: ClickNet, scene: Scene, upright: Affine, at: tuple[float, float]) -> Mask | None:
    """(320, 320) what all views of a place call inside, in the first view's pixels; None where they differ."""
    views = [_scaled(upright, at, scale) for scale in SCALES]
    views.append(np.array([[-1.0, 0, CROP_PX], [0, 1, 0]]) @ np.vstack((upright, (0, 0, 1))))
    back: list[Mask] = []
    for two in (views[2:], views[:2]):  # those that differ most often first
        answers = _answers(net, [warp(scene, view) for view in two], [view[:, :2] @ at + view[:, 2] for view in two])
        back += [_in_view(answer, view, upright) for answer, view in zip(answers, two, strict=True)]
        if _iou(back[0], back[1]) < AGREEING_IOU**2:
            return None
    votes = np.sum(back, axis=0)
    core: Mask = votes >= len(views) - 1
    if not LEAST_SHARE < core.mean() < MOST_SHARE or not frame_mask(scene, upright)[core].all():
        return None
    inner = slice(FRAME_PX, -FRAME_PX)
    touches_edge = core.sum() > core[inner, inner].sum()
    return core if min(_iou(core, each) for each in back) > AGREEING_IOU and not touches_edge else None


def _iou(a: Mask, b: Mask) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


@torch.no_grad()
def _answers(net: ClickNet, images: list[npt.NDArray[np.uint8]], clicks_xy: list[npt.NDArray[np.float64]]) -> list[Mask]:
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    count = len(images)
    xy = torch.from_numpy(np.stack(clicks_xy)).float()[:, None]
    empty = torch.zeros(count, 1, CROP_PX // 4, CROP_PX // 4)
    prompts = PromptTensors(xy, torch.ones(count, 1, dtype=torch.int64), torch.zeros(count, 4), empty)
    logits, quality = net.decoder(net.encoder(pixels.contiguous(memory_format=torch.channels_last)), prompts)
    shown = logits[torch.arange(count), quality.argmax(1)]
    return list((shown > 0).numpy())


def _upright(at: tuple[float, float], scale: float) -> Affine:
    """A view with north up and a place in its middle."""
    return np.array([[scale, 0, CROP_PX / 2 - scale * at[0]], [0, scale, CROP_PX / 2 - scale * at[1]]])


def _scaled(view: Affine, at: tuple[float, float], factor: float) -> Affine:
    """The same view, nearer or farther, the place staying where it is."""
    there = view[:, :2] @ at + view[:, 2]
    turn = factor * view[:, :2]
    return np.column_stack((turn, there - turn @ at))


def _in_view(answer: Mask, own: Affine, other: Affine) -> Mask:
    """An answer to one view, in another's pixels."""
    to_scene = np.linalg.inv(np.vstack((own, (0, 0, 1))))
    matrix = (np.vstack((other, (0, 0, 1))) @ to_scene)[:2]
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    moved: Mask = cv2.warpAffine(answer.astype(np.uint8) * 255, matrix, (CROP_PX, CROP_PX)) > 127
    return moved
