"""Where in a tile an object like some may be: the features of their insides told from those around them, cell by cell.

Ridge regression, as in `ranking`. It is far too coarse for outlines, and saves asking the model where nothing of the kind is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import shapely
from shapely import MultiPolygon, Polygon

from ...models.base import FloatArray, FloatImage, Mask
from ..outlines.contours import burnt
from ..segmenting.query import Query
from ..tiles.grid import Window
from .descriptors import Describer, shares_of

KEPT_SHARE = 0.4
"""Of the cells of the examples' tiles: so many of the likeliest are asked about. Fields, which differ more among each other
than roofs and ponds do, are left out by it more often.
"""

RIDGE = 3.0
INSIDE, OUTSIDE = 0.7, 0.1
"""Shares of a cell from which on it belongs to an example, and below which it does not."""

RING_SHARE = 1 / 3
"""Of the square root of an example's area: so far around it is looked at as well."""

WEIGHTS = (0.5, 0.3, 0.2)
"""Of insides, of what is around them, of the rest of their tiles, where more of the kind may be."""


class Likely:
    """How like the examples each cell of a tile is."""

    def __init__(self, inside: Sequence[FloatArray], around: Sequence[FloatArray], rest: Sequence[FloatArray]) -> None:
        """(cells, channels) of each example."""
        groups = [np.concatenate(each).astype(np.float64) for each in (inside, around, rest)]
        rows = np.concatenate(groups)
        self._mean, self._scale = rows.mean(axis=0), rows.std(axis=0) + 1e-6
        weights = np.concatenate([np.full(len(g), w / max(len(g), 1)) for g, w in zip(groups, WEIGHTS, strict=True)])
        targets = np.where(np.arange(len(rows)) < len(groups[0]), 1.0, -1.0)
        standard = np.hstack(((rows - self._mean) / self._scale, np.ones((len(rows), 1))))
        weighted = standard * weights[:, None]
        self._weights = np.linalg.solve(weighted.T @ standard + RIDGE * np.eye(standard.shape[1]), weighted.T @ targets)
        self._least = float(np.quantile(standard @ self._weights, 1 - KEPT_SHARE))

    @staticmethod
    def of(query: Query, level: int, examples_px: Sequence[Polygon | MultiPolygon]) -> Likely | None:
        """From examples in native pixels; None where none is large enough, or the model shows nobody its features."""
        grid = query.scene.source.grid
        groups: tuple[list[FloatArray], list[FloatArray], list[FloatArray]] = ([], [], [])
        for example in examples_px:
            x0, y0, x1, y1 = example.bounds
            tile = grid.tile_at(level, (x0 + x1) / 2, (y0 + y1) / 2)
            encoded = query.encoded(tile)
            describer = Describer(query.network, encoded)
            if describer.cells is None:
                return None
            wide = example.buffer(RING_SHARE * example.area**0.5)
            masks = (_mask(each, grid.window(tile), encoded.valid.shape) for each in (example, wide))
            own, ring = (shares_of(mask, describer.cells) for mask in masks)
            if not own.any():  # smaller than a pixel there: it tells nothing
                continue
            is_inside = own >= min(INSIDE, 0.9 * own.max())
            kinds = (is_inside, (ring > OUTSIDE) & (own < OUTSIDE), ring < OUTSIDE)
            for group, there in zip(groups, kinds, strict=True):
                group.append(describer.cells.features[:, there].T)
        return Likely(*groups) if groups[0] else None

    def above_least(self, cells: FloatArray) -> FloatImage:
        """(rows, columns) of (channels, rows, columns) features: above 0 where it is worth asking, the more the likelier."""
        standard = (cells - self._mean[:, None, None]) / self._scale[:, None, None]
        scores: npt.NDArray[np.float64] = np.tensordot(self._weights[:-1], standard, 1) + self._weights[-1] - self._least
        return scores.astype(np.float32)


def _mask(polygon_px: Polygon | MultiPolygon, window: Window, shape: tuple[int, int]) -> Mask:
    there = shapely.transform(polygon_px, lambda xy: (xy - (window.x0, window.y0)) / window.scale_xy)
    return burnt(there, shape)
