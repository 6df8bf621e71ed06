"""One tile of a larger object, asked with what is known of it so far: by the coarser level, or by the tiles beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ...models.base import Candidate, FloatImage, Mask, PixelPrompts
from .spread import iou

MIN_AGREEMENT = 0.5
"""A refined answer is taken where its IoU with the coarser one is at least this."""

MIN_CONSISTENCY = 0.6
"""A grown answer is taken where its IoU with what its neighbours said is at least this, on the ground that they answer for."""

CELL_PX = 8
"""Clicks are placed on a lattice of this step."""

MOST_CLICKS = 4
"""On what is known to be inside, and as many on what is known to be outside."""

MIN_DEPTH_SHARE = 0.6
"""Clicks lie at least this deep, as a share of the deepest place."""

MIN_DISTANCE_PX = 64
"""Between clicks."""

MOST_STEPS = 4
"""Answers to one tile: each is clicked upon again, at its far ends too."""

MOST_WIDTH_SHARE = 0.3
"""A band is at most this wide, as a share of its extent."""

MIN_KEPT = 0.9
"""A longer answer holds this much of the one before."""

MIN_GROWTH = 1.05
"""A step that adds less is the last."""

Decode = Callable[[PixelPrompts], tuple[Candidate, ...]]


def refined(before: FloatImage, given: PixelPrompts, decode: Decode) -> FloatImage | None:
    """Logits of a tile, with those of the coarser level as the prior; None where no answer is like them.

    given: the user's own prompts in the tile; where there are any, the answer counts in any case.
    """
    prior = probabilities(before)
    least = 0.0 if len(given.points_xy) else MIN_AGREEMENT
    return _most_alike(decode(replace(given, prior=prior)), before > 0, least)


def probabilities(logits: FloatImage) -> FloatImage:
    """That each pixel is inside."""
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def grown(before: FloatImage, known: Mask, valid: Mask, given: PixelPrompts, decode: Decode) -> FloatImage | None:
    """Logits of a tile into which an object goes on, or None where no answer agrees with what is known.

    before: logits so far, of which only `known` counts. given: the user's own prompts in the tile.
    """
    outside = clicks_in(known & valid & (before <= 0))
    inside = clicks_in(known & valid & (before > 0))
    answer: FloatImage | None = None
    for _ in range(MOST_STEPS):
        if not len(inside) and not given.foreground.any():
            break
        points = np.vstack((outside, inside, given.points_xy))
        kinds = np.concatenate((np.zeros(len(outside), np.bool_), np.ones(len(inside), np.bool_), given.foreground))
        found = _most_alike(decode(PixelPrompts(points, kinds)), before > 0, MIN_CONSISTENCY, known)
        if found is None:
            break
        is_last = answer is not None and (found > 0).sum() <= MIN_GROWTH * (answer > 0).sum()
        answer = found
        if is_last:
            break
        inside = clicks_in((answer > 0) & valid)
    return answer


def lengthened(answer: FloatImage, valid: Mask, given: PixelPrompts, decode: Decode) -> FloatImage:
    """A first answer, followed to the ends of a long object by clicks on its own far ends."""
    for _ in range(MOST_STEPS):
        if not is_band(answer > 0):
            break
        inside = clicks_in((answer > 0) & valid)
        points = np.vstack((given.points_xy, inside))
        kinds = np.concatenate((given.foreground, np.ones(len(inside), np.bool_)))
        longer = _most_alike(decode(replace(given, points_xy=points, foreground=kinds)), answer > 0, MIN_KEPT, answer > 0)
        if longer is None or (longer > 0).sum() <= MIN_GROWTH * (answer > 0).sum():
            break
        answer = longer
    return answer


def _most_alike(candidates: tuple[Candidate, ...], before: Mask, least: float, where: Mask | None = None) -> FloatImage | None:
    """Logits of the candidate with the highest IoU with what was inside before, unless that is below `least`."""
    if not candidates:
        return None
    agreement = [iou(candidate.logits > 0, before, where) for candidate in candidates]
    best = int(np.argmax(agreement))
    return candidates[best].logits if agreement[best] >= least else None


def clicks_in(mask: Mask) -> npt.NDArray[np.float64]:
    """(n, 2) x, y: the deepest place of a (rows, columns) mask, then others nearly as deep, each far from those before."""
    depth = _depth(_cells(mask))
    rows, cols = np.nonzero(depth >= max(1.0, MIN_DEPTH_SHARE * depth.max(initial=0)))
    if not len(rows):
        return np.empty((0, 2))
    xy = np.column_stack((cols, rows)) * float(CELL_PX) + CELL_PX / 2
    chosen = [xy[depth[rows, cols].argmax()]]
    while len(chosen) < MOST_CLICKS:
        apart = np.min([np.hypot(*(xy - each).T) for each in chosen], axis=0)
        if apart.max() < MIN_DISTANCE_PX:
            break
        chosen.append(xy[apart.argmax()])
    return np.array(chosen)


def _cells(mask: Mask) -> Mask:
    """Cells of which all is in the mask."""
    rows, cols = (side // CELL_PX for side in mask.shape)
    whole = mask[: rows * CELL_PX, : cols * CELL_PX].reshape(rows, CELL_PX, cols, CELL_PX)
    return np.asarray(whole.all(axis=(1, 3)), np.bool_)


def is_band(mask: Mask) -> bool:
    """Whether a mask is a band rather than a patch: nowhere as wide as a share of its extent."""
    cells = _cells(mask)
    rows, cols = (np.flatnonzero(cells.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return False
    extent = max(rows[-1] - rows[0], cols[-1] - cols[0]) + 1
    return bool(2 * _depth(cells).max() <= MOST_WIDTH_SHARE * extent)


def _depth(cells: Mask) -> npt.NDArray[np.intp]:
    """Cells to the nearest one outside, counted along rows and columns; the frame is outside."""
    depth = np.zeros(cells.shape, np.intp)
    left = cells
    while left.any():
        depth += left
        padded = np.pad(left, 1)
        beside = (padded[1:-1, :-2], padded[1:-1, 2:], padded[:-2, 1:-1], padded[2:, 1:-1])
        left = left & np.all(beside, axis=0)
    return depth
