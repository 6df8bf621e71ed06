"""What a box alone says of an object, as an answer before the first click."""

from __future__ import annotations

import torch
from torch import Tensor

BOX_CORE = 0.8
"""Size of the ellipse that stands for an answer before a box alone, as a share of the box."""


def ellipse_in(box_cells: Tensor, cells: torch.Size | tuple[int, int]) -> Tensor:
    """(1, 1, h, w) of 1 where an object of a box (x0, y0, x1, y1 in cells) probably is, 0 elsewhere."""
    x0, y0, x1, y1 = box_cells.tolist()
    ys, xs = torch.arange(cells[0]) + 0.5, torch.arange(cells[1]) + 0.5
    reach_x = (xs - (x0 + x1) / 2) / max(BOX_CORE * (x1 - x0) / 2, 0.5)
    reach_y = (ys - (y0 + y1) / 2) / max(BOX_CORE * (y1 - y0) / 2, 0.5)
    inside: Tensor = reach_y[:, None] ** 2 + reach_x[None] ** 2 < 1
    return inside.float()[None, None]
