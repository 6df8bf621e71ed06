"""Classical methods behind the models' Protocol, for comparison: GrabCut, flood fill, random walker.

Each works on the tile reduced to a size that it can bear. Their settings are plain ones, not tuned on any scene.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from skimage.segmentation import random_walker

from ..models.base import MOST_CANDIDATES, Candidate, Embedding, FloatImage, Mask, PixelPrompts, own

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ReducedTile:
    """A tile as a baseline sees it, and the tile's valid pixels at full size."""

    image: Image
    valid: Mask

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self.image.nbytes + self.valid.nbytes

    def markers(self, prompts: PixelPrompts, radius: int) -> npt.NDArray[np.uint8]:
        """1 around foreground clicks, 2 around background clicks, 0 elsewhere."""
        marks = np.zeros(self.image.shape[:2], np.uint8)
        for (row, col), foreground in prompts.pixels(self.valid.shape).items():
            cv2.circle(marks, self.reduced(row, col), radius, 1 if foreground else 2, -1)
        return marks

    def reduced(self, row: int, col: int) -> tuple[int, int]:
        """(column, row) here of a pixel of the tile."""
        rows, cols = self.image.shape[:2]
        return col * cols // self.valid.shape[1], row * rows // self.valid.shape[0]


class Baseline(ABC):
    """Reduces the tile once and answers with one mask."""

    name: str
    side_px: int

    def encode(self, image: Image, valid: Mask) -> ReducedTile:
        """The tile, its longer side `side_px` at most."""
        ratio = min(1.0, self.side_px / max(valid.shape))
        size = max(1, round(valid.shape[1] * ratio)), max(1, round(valid.shape[0] * ratio))
        return ReducedTile(np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8), valid)

    def decode(self, embedding: Embedding, prompts: PixelPrompts, most: int = MOST_CANDIDATES) -> tuple[Candidate, ...]:
        """One candidate."""
        embedding = own(embedding, ReducedTile)
        rows, cols = embedding.valid.shape
        smooth = cv2.resize(self.solve(embedding, prompts), (cols, rows), interpolation=cv2.INTER_LINEAR)
        logits = (8 * smooth - 4).astype(np.float32)
        for (row, col), foreground in prompts.pixels(embedding.valid.shape).items():
            logits[row, col] = 4 if foreground else -4
        logits[~embedding.valid] = -4
        return (Candidate(logits, 0.5),)

    @abstractmethod
    def solve(self, tile: ReducedTile, prompts: PixelPrompts) -> FloatImage:
        """Share of the object in each pixel of the reduced tile."""


class GrabCut(Baseline):
    """Rother, Kolmogorov and Blake, SIGGRAPH 2004. What is near foreground clicks is probably foreground at first."""

    name = "grabcut"
    side_px = 256

    def solve(self, tile: ReducedTile, prompts: PixelPrompts) -> FloatImage:
        """Three rounds of graph cuts between two mixtures of colours."""
        marks = tile.markers(prompts, 3)
        near = np.zeros_like(marks)
        for (row, col), foreground in prompts.pixels(tile.valid.shape).items():
            if foreground:
                cv2.circle(near, tile.reduced(row, col), self.side_px // 10, 1, -1)
        mask = np.where(near > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        mask[marks == 1], mask[marks == 2] = cv2.GC_FGD, cv2.GC_BGD
        if (mask % 2 == 1).any() and (mask % 2 == 0).any():
            cv2.setRNGSeed(0)
            cv2.grabCut(tile.image, mask, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
        return _connected(mask % 2 == 1, marks == 1).astype(np.float32)


class FloodFill(Baseline):
    """The magic wand: neighbours whose colour is near the clicked one; a background click takes back what it floods."""

    name = "floodfill"
    side_px = 1024
    tolerance = 14

    def solve(self, tile: ReducedTile, prompts: PixelPrompts) -> FloatImage:
        """One flood a click, in their order."""
        smooth = cv2.GaussianBlur(tile.image, (0, 0), 2.0)
        rows, cols = smooth.shape[:2]
        result = np.zeros((rows, cols), np.float32)
        for (row, col), foreground in prompts.pixels(tile.valid.shape).items():
            flooded = np.zeros((rows + 2, cols + 2), np.uint8)
            flags = 8 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | (1 << 8)
            near = (self.tolerance,) * 3
            cv2.floodFill(smooth, flooded, tile.reduced(row, col), 0, near, near, flags)
            closed = cv2.morphologyEx(flooded[1:-1, 1:-1], cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
            result[closed > 0] = foreground
        return result


class RandomWalker(Baseline):
    """Grady, PAMI 2006. The tile's frame is background where no click says otherwise."""

    name = "randomwalker"
    side_px = 256

    def solve(self, tile: ReducedTile, prompts: PixelPrompts) -> FloatImage:
        """Probability that a walker from each pixel meets a foreground mark first."""
        marks = tile.markers(prompts, 2)
        if min(marks.shape) < 5 or not (marks == 1).any():
            return np.asarray(marks == 1, np.float32)
        frame = np.ones_like(marks)
        frame[1:-1, 1:-1] = 0
        marks[(frame > 0) & (marks == 0)] = 2
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it recommends faster solvers, and tells of marks cut off by others
            options = {"beta": 600, "mode": "cg_j", "tol": 1e-2, "channel_axis": -1, "return_full_prob": True}
            shares = random_walker(tile.image / 255.0, marks.astype(np.int32), **options)
        return np.asarray(shares[0], np.float32)


def _connected(mask: Mask, seeds: Mask) -> Mask:
    _, labels = cv2.connectedComponents(mask.astype(np.uint8))
    kept = np.unique(labels[seeds & mask])
    return np.isin(labels, kept[kept > 0])


BASELINES: tuple[type[Baseline], ...] = (GrabCut, FloodFill, RandomWalker)
