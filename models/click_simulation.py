"""The simulated user of the benchmark and of training: clicks first in the middle, then in the largest wrong region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .base import Mask
from .places import RowCol


@dataclass(frozen=True)
class Click:
    """A click on a pixel of a mask."""

    row: int
    col: int
    foreground: bool


def first_click(truth: Mask) -> Click:
    """The pixel of the object that is farthest from its outline; the image's frame counts as outline."""
    row, col = _middle(truth)
    return Click(row, col, True)


def next_click(truth: Mask, answer: Mask) -> Click | None:
    """The middle of the largest connected wrong region: background where there is too much; None where nothing is wrong."""
    missing, excess = (_largest_region(wrong) for wrong in (truth & ~answer, answer & ~truth))
    sizes = int(missing.sum()), int(excess.sum())
    if max(sizes) == 0:
        return None
    foreground = sizes[0] >= sizes[1]
    row, col = _middle(missing if foreground else excess)
    return Click(row, col, foreground)


def _largest_region(mask: Mask) -> Mask:
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    largest: Mask = labels == sizes.argmax()
    return largest


def _middle(mask: Mask) -> RowCol:
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = int(rows[0]), int(cols[0])
    inside = np.pad(mask[top : rows[-1] + 1, left : cols[-1] + 1], 1)
    depth = ndimage.distance_transform_edt(inside)
    row, col = np.unravel_index(int(depth.argmax()), depth.shape)
    return RowCol(int(row) - 1 + top, int(col) - 1 + left)
