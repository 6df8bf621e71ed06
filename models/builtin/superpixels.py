"""A tile as a graph of superpixels: what the built-in model keeps of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.color import rgb2lab
from skimage.segmentation import watershed

from ..base import Mask

SPACING_PX = 12
"""Cells of this side hold one watershed marker each."""

COLOR_SIGMA_PX = 1.0


@dataclass(frozen=True)
class SuperpixelGraph:
    """Superpixels 1..n of a tile and their adjacency; 0 stands for invalid pixels.

    labels: (rows, columns) int32. area_px: (n + 1,) float32. center: (n + 1, 2) float32, mean row and column.
    color: (n + 1, 3) float32, mean CIELAB.
    edges: (m, 2) int32, lower label first. border_px: (m,) float32, pixels that two neighbours share. contrast: (m,)
    float32, dissimilarity of neighbours: distance of their colours plus the gradient along their border.
    """

    labels: npt.NDArray[np.int32]
    area_px: npt.NDArray[np.float32]
    center: npt.NDArray[np.float32]
    color: npt.NDArray[np.float32]
    edges: npt.NDArray[np.int32]
    border_px: npt.NDArray[np.float32]
    contrast: npt.NDArray[np.float32]

    @property
    def count(self) -> int:
        """Number of superpixels, n."""
        return len(self.area_px) - 1

    @property
    def nbytes(self) -> int:
        """Memory held."""
        arrays = (self.labels, self.area_px, self.center, self.color, self.edges, self.border_px, self.contrast)
        return sum(array.nbytes for array in arrays)


def build_graph(image: npt.NDArray[np.uint8], valid: Mask) -> SuperpixelGraph:
    """Superpixels of a (rows, columns, 3) uint8 RGB image by marker-controlled watershed of its colour gradient.

    Markers are each cell's flattest pixel (as the waterpixels of Machairas et al., IEEE TIP 2015, without their regularity).
    """
    lab = rgb2lab(image).astype(np.float32)
    smooth = ndimage.gaussian_filter(lab, (COLOR_SIGMA_PX, COLOR_SIGMA_PX, 0))
    gradient = _gradient(smooth)
    labels = watershed(gradient, _markers(gradient, valid), mask=valid).astype(np.int32)
    area_px = np.bincount(labels.ravel()).astype(np.float32)
    color = _means(labels, area_px, *np.moveaxis(smooth, 2, 0))
    center = _means(labels, area_px, *np.indices(labels.shape, np.float32, sparse=True))
    edges, border_px, border_gradient = _adjacency(labels, gradient, len(area_px))
    distance = np.linalg.norm(color[edges[:, 0]] - color[edges[:, 1]], axis=1)
    return SuperpixelGraph(labels, area_px, center, color, edges, border_px, (distance + border_gradient).astype(np.float32))


def _gradient(smooth: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    square = np.zeros(smooth.shape[:2], np.float32)
    for channel in np.moveaxis(smooth, 2, 0):
        for axis in (0, 1):
            square += (ndimage.sobel(channel, axis) / 8) ** 2
    return np.sqrt(square)


def _markers(gradient: npt.NDArray[np.float32], valid: Mask) -> npt.NDArray[np.int32]:
    """A label on the flattest valid pixel of each cell and, so that no island of valid pixels is lost, one on each island."""
    rows, cols = gradient.shape
    cell_rows, cell_cols = -(-rows // SPACING_PX), -(-cols // SPACING_PX)
    padded = np.full((cell_rows * SPACING_PX, cell_cols * SPACING_PX), np.inf, np.float32)
    padded[:rows, :cols] = np.where(valid, gradient, np.inf)
    cells = padded.reshape(cell_rows, SPACING_PX, cell_cols, SPACING_PX).swapaxes(1, 2).reshape(-1, SPACING_PX**2)
    flattest = cells.argmin(axis=1)
    taken = np.flatnonzero(np.isfinite(cells[np.arange(len(cells)), flattest]))
    row = taken // cell_cols * SPACING_PX + flattest[taken] // SPACING_PX
    col = taken % cell_cols * SPACING_PX + flattest[taken] % SPACING_PX
    markers = np.zeros((rows, cols), np.int32)
    markers[row, col] = np.arange(1, len(taken) + 1)
    if valid.all():
        return markers
    islands, count = ndimage.label(valid)
    marked = np.zeros(count + 1, np.bool_)
    marked[islands[row, col]] = True
    unmarked = np.flatnonzero(~marked[1:]) + 1
    lost = np.isin(islands, unmarked)
    markers[lost] = len(taken) + np.searchsorted(unmarked, islands[lost]) + 1
    return markers


def _means(
    labels: npt.NDArray[np.int32], area_px: npt.NDArray[np.float32], *channels: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """(n + 1, channels) mean of each (rows, columns) channel over each superpixel."""
    flat = labels.ravel()
    sums = [np.bincount(flat, np.broadcast_to(channel, labels.shape).ravel()) for channel in channels]
    return (np.stack(sums, axis=1) / np.maximum(area_px, 1)[:, None]).astype(np.float32)


def _adjacency(
    labels: npt.NDArray[np.int32], gradient: npt.NDArray[np.float32], nodes: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    keys, gradients = [], []
    for near, far in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        a, b = labels[near], labels[far]
        border = (a != b) & (a > 0) & (b > 0)
        low, high = np.minimum(a, b)[border], np.maximum(a, b)[border]
        keys.append(low.astype(np.int64) * nodes + high)
        gradients.append(np.maximum(gradient[near], gradient[far])[border])
    pairs, edge_of = np.unique(np.concatenate(keys), return_inverse=True)
    border_px = np.bincount(edge_of, minlength=len(pairs)).astype(np.float32)
    total = np.bincount(edge_of, np.concatenate(gradients), len(pairs))
    edges = np.stack((pairs // nodes, pairs % nodes), axis=1).astype(np.int32)
    return edges, border_px, (total / np.maximum(border_px, 1)).astype(np.float32)
