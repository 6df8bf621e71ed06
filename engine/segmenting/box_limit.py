"""A box is a limit, unless a click says otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...models.base import Candidate, FloatImage, PixelPrompts
from ..spreading.mosaic import OUTSIDE_LOGIT

SLACK_SHARE = 0.03
SLACK_PX = 2.0
"""So far beyond its sides a box is meant, since one drawn by hand hardly ever fits; the share is of its longer side."""


def within_box(candidates: tuple[Candidate, ...], prompts: PixelPrompts) -> tuple[Candidate, ...]:
    """Candidates without what lies beyond the prompts' box; those that lie off it altogether as they are.

    All as they are where there is no box, or a foreground click lies beyond it: the object is larger than the box then.
    """
    if prompts.box_xyxy is None:
        return candidates
    x0, y0, x1, y1 = prompts.box_xyxy
    slack = max(SLACK_PX, SLACK_SHARE * max(x1 - x0, y1 - y0))
    left, top, right, bottom = x0 - slack, y0 - slack, x1 + slack, y1 + slack
    x, y = prompts.points_xy[prompts.foreground].T
    if ((x < left) | (x > right) | (y < top) | (y > bottom)).any():
        return candidates
    return tuple(replace(each, logits=_cut(each.logits, left, top, right, bottom)) for each in candidates)


def _cut(logits: FloatImage, left: float, top: float, right: float, bottom: float) -> FloatImage:
    rows, cols = (slice(max(round(low), 0), max(round(high), 0)) for low, high in ((top, bottom), (left, right)))
    if not (logits[rows, cols] > 0).any():
        return logits
    found = np.full_like(logits, OUTSIDE_LOGIT)
    found[rows, cols] = logits[rows, cols]
    return found
