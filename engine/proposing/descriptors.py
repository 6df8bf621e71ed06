"""What an object looks like to a model: its features, averaged over the object."""

from __future__ import annotations

import numpy as np

from ...models.base import Cells, Describing, FloatArray, Mask, Model
from ..tiles.memory_cache import EncodedTile


class Describer:
    """Describes objects of one tile. A model that shows nobody its features describes all alike.

    cells: its features, None where there are none.
    """

    def __init__(self, network: Model, encoded: EncodedTile) -> None:
        self.cells = network.describe(encoded.embedding) if isinstance(network, Describing) else None

    def of(self, mask: Mask) -> FloatArray:
        """(channels,) mean of the features in a (rows, columns) mask of the tile; zeros where it is empty."""
        if self.cells is None:
            return np.zeros(0, np.float32)
        shares = shares_of(mask, self.cells)
        weight = float(shares.sum())
        if weight <= 0:
            return np.zeros(len(self.cells.features), np.float32)
        top, bottom = _ends(shares.sum(axis=1) > 0)
        left, right = _ends(shares.sum(axis=0) > 0)
        there = self.cells.features[:, top:bottom, left:right]
        mean: FloatArray = np.tensordot(there, shares[top:bottom, left:right], 2) / weight
        return mean


def shares_of(mask: Mask, cells: Cells) -> FloatArray:
    """(rows, columns) share of each cell that is inside a mask; the last ones may reach beyond it."""
    _, rows, cols = cells.features.shape
    padded = np.zeros((rows * cells.side_px, cols * cells.side_px), np.float32)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    return np.asarray(padded.reshape(rows, cells.side_px, cols, cells.side_px).mean(axis=(1, 3)))


def _ends(there: Mask) -> tuple[int, int]:
    """First index, and that behind the last."""
    indices = np.flatnonzero(there)
    return int(indices[0]), int(indices[-1]) + 1
