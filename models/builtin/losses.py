"""What candidates are trained for: overlap with the truth, and to know how good they are."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


def mask_losses(logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """(b, k) loss of each candidate, focal cross-entropy and Dice, and its IoU; logits (b, k, h, w), truth (b, 1, h, w)."""
    logits = logits.float()
    probability = logits.sigmoid()
    target = truth.expand_as(logits)
    crossentropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    with torch.no_grad():
        focus = (probability - target).abs()
        focus = focus / focus.mean((-2, -1), keepdim=True).clamp_min(1e-2)  # normalised focal loss, as RITM has it
        hard = (logits > 0).float()
        iou = (hard * target).sum((-2, -1)) / torch.maximum(hard, target).sum((-2, -1)).clamp_min(1)
    focal = (crossentropy * focus).mean((-2, -1))
    overlap = (probability * target).sum((-2, -1))
    dice = 1 - (2 * overlap + 1) / (probability.sum((-2, -1)) + target.sum((-2, -1)) + 1)
    return focal + dice, iou


def objective(logits: Tensor, quality: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Mean loss, and the (b,) candidates that the network itself would show.

    The best candidate learns most, so that the three may differ; the shown one learns as well, so that it is good.
    """
    losses, iou = mask_losses(logits, truth)
    shown = quality.argmax(1)
    best = losses.min(1).values
    chosen = losses.gather(1, shown[:, None])[:, 0]
    loss = 0.6 * best + 0.3 * chosen + 0.1 * losses.mean(1)
    return (loss + 2 * ((quality.float() - iou) ** 2).mean(1)).mean(), shown
