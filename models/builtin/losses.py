"""What candidates are trained for: overlap with the truth, and to know how good they are."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


def mask_losses(logits: Tensor, truth: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """(b, k) loss of each candidate, and its IoU. Logits are (b, k, h, w), truth and weight (b, 1, h, w).

    The loss is normalised focal cross-entropy, as RITM has it (Sofiiuk et al., ICIP 2022), plus Dice. weight: of each pixel in
    the cross-entropy; pixels of weight 0 count nowhere.
    """
    logits = logits.float()
    probability = logits.sigmoid()
    counted = torch.ones_like(truth) if weight is None else (weight > 0).float()
    weight = counted if weight is None else weight
    target = truth.expand_as(logits)
    crossentropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    pixels = counted.sum((-2, -1)).clamp_min(1)
    with torch.no_grad():
        focus = (probability - target).abs() * counted
        focus = focus / (focus.sum((-2, -1), keepdim=True) / pixels[..., None, None]).clamp_min(1e-2)
        hard = (logits > 0).float()
        iou = (hard * target * counted).sum((-2, -1)) / (torch.maximum(hard, target) * counted).sum((-2, -1)).clamp_min(1)
    focal = (crossentropy * focus * weight).sum((-2, -1)) / pixels
    seen = probability * counted
    overlap = (seen * target).sum((-2, -1))
    dice = 1 - (2 * overlap + 1) / (seen.sum((-2, -1)) + (target * counted).sum((-2, -1)) + 1)
    return focal + dice, iou


def objective(logits: Tensor, quality: Tensor, truth: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean loss, and the (b,) candidates that the network itself would show; `weight` as in `mask_losses`.

    The best candidate learns most, so that the three may differ; the shown one learns as well, so that it is good.
    """
    losses, iou = mask_losses(logits, truth, weight)
    shown = quality.argmax(1)
    best = losses.min(1).values
    chosen = losses.gather(1, shown[:, None])[:, 0]
    loss = 0.6 * best + 0.3 * chosen + 0.1 * losses.mean(1)
    return (loss + 2 * ((quality.float() - iou) ** 2).mean(1)).mean(), shown
