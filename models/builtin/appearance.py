"""Colours of inside and outside sharpen the network's answer, as far as they tell the two apart.

The colour models are histograms and the decision is local; learning both from the answer so far is the idea of GrabCut (Rother,
Kolmogorov and Blake, SIGGRAPH 2004).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

BINS = 12
"""For each colour channel."""

SMOOTH_PX = 1
"""Half side of the box over which evidence is averaged, in the network's pixels."""

REACH_PX = 32
"""How far around the answer the outside's colours are taken, and the answer may change."""

WEIGHT = 1.5
LIMIT = 3.0
"""Of the evidence of one pixel, in logits."""


def sharpened(logits: Tensor, image: Tensor, clicks: Tensor) -> Tensor:
    """(k, h, w) logits with the evidence of the colours, where it contradicts no click.

    image: (3, h, w) in -0.5..0.5 at the same resolution. clicks: (n, 3) row, column, 1 or 0 for foreground or background.
    """
    bins = ((image + 0.5) * BINS).long().clamp(0, BINS - 1)
    index = ((bins[0] * BINS + bins[1]) * BINS + bins[2]).flatten()
    return torch.stack([candidate + _evidence(candidate, index, clicks) for candidate in logits])


def _evidence(logits: Tensor, index: Tensor, clicks: Tensor) -> Tensor:
    inside = (logits > 0).float()
    near = _grown(inside)
    sure_in, sure_out = inside * logits.sigmoid(), near * (1 - inside) * (1 - logits.sigmoid())
    counts = [_histogram(index, share) for share in (sure_in, sure_out)]
    if min(float(c.sum()) for c in counts) < 50:
        return torch.zeros_like(logits)
    colours = [c / c.sum() for c in counts]
    apart = 1 - torch.minimum(*colours).sum()
    evidence = torch.log((colours[0] + 1e-4) / (colours[1] + 1e-4)).clamp(-LIMIT, LIMIT)[index].view_as(logits)
    mean = F.avg_pool2d(F.pad(evidence[None, None], [SMOOTH_PX] * 4, mode="replicate"), 2 * SMOOTH_PX + 1, 1)[0, 0]
    if (mean[clicks[:, 0], clicks[:, 1]] * (2 * clicks[:, 2] - 1) < 0).any():
        return torch.zeros_like(logits)  # the user means something else than the colours
    return WEIGHT * apart**2 * mean * near


def _grown(inside: Tensor) -> Tensor:
    """What lies within `REACH_PX`, to a few pixels; 1 there, else 0."""
    cells = F.max_pool2d(inside[None, None], 4, ceil_mode=True)
    side = REACH_PX // 4
    grown = F.max_pool2d(F.max_pool2d(cells, (2 * side + 1, 1), 1, (side, 0)), (1, 2 * side + 1), 1, (0, side))
    height, width = inside.shape
    return F.interpolate(grown, scale_factor=4.0)[0, 0, :height, :width]


def _histogram(index: Tensor, share: Tensor) -> Tensor:
    """Colours of some pixels, each spread to its neighbours in colour."""
    counts = torch.bincount(index, share.flatten(), BINS**3).view(1, 1, BINS, BINS, BINS)
    return F.avg_pool3d(F.pad(counts, [1] * 6, mode="replicate"), 3, 1).flatten()
