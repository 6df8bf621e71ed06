"""Adaptation to the clicks: a smooth correction of the logits that draws violated clicks to their side.

Clicks that contradict each other among like neighbours are averaged; that each gets its pixel is the model's last step.

Kernel ridge regression on what the network got wrong at the clicks; places are alike that are near and whose cached features
agree. Closed form, a few milliseconds, no gradients; the idea of correcting by the user's clicks is that of BRS (Jang and
Kim, CVPR 2019), which optimises the network's inputs instead.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .network import PromptTensors

REACH_CELLS = 16.0
"""Standard deviation of the kernel in space, in cells of 4 pixels of the network."""

LIKENESS = 0.15
"""Scale of the kernel over 1 - cosine of the features."""

MARGIN = 1.0
"""Logit that a click asks for at its place."""

RIDGE = 0.05


def corrected(coarse: Tensor, embedded: Tensor, prompts: PromptTensors) -> Tensor:
    """(1, k, h, w) logits after correction; embedded (1, c, h, w) of unit length, prompts of one object."""
    given = prompts.kinds[0] >= 0
    if not given.any():
        return coarse
    height, width = coarse.shape[-2:]
    places = prompts.clicks_xy[0, given] / 4
    cols = places[:, 0].long().clamp(0, width - 1)
    rows = places[:, 1].long().clamp(0, height - 1)
    sides = prompts.kinds[0, given] * 2.0 - 1
    missing = (MARGIN - sides * coarse[0, :, rows, cols]).clamp_min(0) * sides
    if not missing.any():
        return coarse
    kernel = _kernel(embedded[0], rows, cols)
    at_clicks = kernel[:, rows, cols]
    weights = torch.linalg.solve(at_clicks + RIDGE * torch.eye(len(rows), device=kernel.device), missing.T)
    return coarse + torch.einsum("nhw,nk->khw", kernel, weights)[None]


def _kernel(embedded: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
    """(n, h, w) likeness of every cell to each clicked one."""
    height, width = embedded.shape[-2:]
    ys = torch.arange(height, device=embedded.device) - rows[:, None]
    xs = torch.arange(width, device=embedded.device) - cols[:, None]
    apart = ys[:, :, None] ** 2 + xs[:, None, :] ** 2
    cosine = torch.einsum("cn,chw->nhw", embedded[:, rows, cols], embedded)
    return torch.exp(-apart / (2 * REACH_CELLS**2) - (1 - cosine) / LIKENESS)
