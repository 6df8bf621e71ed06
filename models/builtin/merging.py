"""What later clicks leave alone: the answer changes only where the change hangs together with the newest click.

The idea is the progressive merge of FocalClick (Chen et al., CVPR 2022).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from .network import PromptTensors

FROM_CLICK = 4
"""The clicks before it may still change everything: the answer is not settled yet."""

REACH_CELLS = 2
"""A change so near to the click counts as touching it, in cells of 4 pixels of the network."""


def merged(coarse: Tensor, best: int, prompts: PromptTensors) -> Tensor:
    """(1, k, h, w) logits, those of candidate `best` as before wherever the change is not the newest click's."""
    given = torch.nonzero(prompts.kinds[0] >= 0)[:, 0]
    before = prompts.previous[0, 0]
    if len(given) < FROM_CLICK or not (before > 0.5).any():
        return coarse
    changed = (coarse[0, best] > 0) != (before > 0.5)
    col, row = (prompts.clicks_xy[0, given[-1]] / 4).long().tolist()
    kept = _connected(changed, row, col)
    result = coarse.clone()
    result[0, best] = torch.where(changed & ~kept, torch.logit(before, eps=1e-3), coarse[0, best])
    return result


def _connected(changed: Tensor, row: int, col: int) -> Tensor:
    """The parts of (h, w) changes that come near a cell, by growing from there as long as anything is gained."""
    allowed = changed.float()[None, None]
    grown = torch.zeros_like(allowed)
    near = (slice(max(row - REACH_CELLS, 0), row + REACH_CELLS + 1), slice(max(col - REACH_CELLS, 0), col + REACH_CELLS + 1))
    grown[0, 0][near] = allowed[0, 0][near]
    size = -1
    while size != (size := int(grown.sum())):
        for _ in range(8):
            grown = F.max_pool2d(grown, 3, 1, 1) * allowed
    return grown[0, 0] > 0
