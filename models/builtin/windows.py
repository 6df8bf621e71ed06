"""Which parts of a tile are worth computing: windows around answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..base import Mask
from .network import NetWindow, PromptTensors

NEAR_LOGIT = -3.0
"""Below this the coarse answer is taken as it is."""

MARGIN_CELLS = 4
"""How far around the coarse answer the fine one is computed, in cells of 4 pixels of the network."""

HALO_CELLS = 2
"""How much further the last layers see."""

WINDOW_MARGIN_PX = 64
"""How far around the answer before the next one is looked for, in the network's pixels."""

FIRST_MARGIN_PX = 160
"""How far around clicks the first answer is looked for: what training crops showed."""


@dataclass(frozen=True)
class CellWindow:
    """Part of a coarse answer, in its cells of 4 pixels of the network."""

    top: int
    left: int
    bottom: int
    right: int

    def of(self, maps: Tensor, stride: float = 1) -> Tensor:
        """That part of maps of `stride` cells, the last two dimensions being rows and columns."""
        rows = slice(int(self.top / stride), int(self.bottom / stride))
        return maps[..., rows, int(self.left / stride) : int(self.right / stride)]

    def within(self, outer: CellWindow) -> CellWindow:
        """The same, counted from an outer window's corner."""
        return CellWindow(self.top - outer.top, self.left - outer.left, self.bottom - outer.top, self.right - outer.left)


def search_window(prompts: PromptTensors, whole: NetWindow) -> NetWindow:
    """Where the answer is looked for: around the one before, the box and the clicks, further for a first click."""
    rows_cols = torch.nonzero(prompts.previous[0, 0] > 0.3).cpu().numpy() * 4
    is_first = not len(rows_cols) and not prompts.box.any()
    clicks = prompts.clicks_xy[0][prompts.kinds[0] >= 0].cpu().numpy()[:, ::-1]
    corners = prompts.box.reshape(2, 2).cpu().numpy()[:, ::-1] if prompts.box.any() else clicks
    corner = (whole.bottom - 1, whole.right - 1)
    places = np.concatenate((rows_cols, clicks, corners))
    if not len(places):
        return whole
    rows, cols = np.clip(places.astype(np.intp), 0, corner).T
    return NetWindow.around(rows, cols, (whole.bottom, whole.right), FIRST_MARGIN_PX if is_first else WINDOW_MARGIN_PX)


def reaches_cut(answer: Tensor, window: NetWindow, whole: NetWindow) -> bool:
    """Whether an answer comes near an edge of its window that is not the tile's own."""
    inside = answer[0, 0] > 0.5
    near = WINDOW_MARGIN_PX // 16
    cuts = (
        (window.top > whole.top, inside[:near]),
        (window.left > whole.left, inside[:, :near]),
        (window.bottom < whole.bottom, inside[-near:]),
        (window.right < whole.right, inside[:, -near:]),
    )
    return any(is_cut and bool(edge.any()) for is_cut, edge in cuts)


def possible_part(coarse: Tensor) -> CellWindow | None:
    """What lies around all that an (h, w) coarse answer calls possible, if there is any."""
    near: Mask = (coarse > NEAR_LOGIT).cpu().numpy()
    if not near.any():
        return None
    top, bottom = _span(np.flatnonzero(near.any(axis=1)), near.shape[0])
    left, right = _span(np.flatnonzero(near.any(axis=0)), near.shape[1])
    return CellWindow(top, left, bottom, right)


def window_around(parts: Sequence[CellWindow], shape: tuple[int, int]) -> CellWindow:
    """What holds all parts, with so much more that convolutions see the same in each of them."""
    return CellWindow(
        max(min(part.top for part in parts) - HALO_CELLS, 0),
        max(min(part.left for part in parts) - HALO_CELLS, 0),
        min(max(part.bottom for part in parts) + HALO_CELLS, shape[0]),
        min(max(part.right for part in parts) + HALO_CELLS, shape[1]),
    )


def _span(places: npt.NDArray[np.intp], length: int) -> tuple[int, int]:
    """From the first place to behind the last, with a margin."""
    return max(int(places[0]) - MARGIN_CELLS, 0), min(int(places[-1]) + 1 + MARGIN_CELLS, length)
