"""Regions that stand out in parts of a scene that nobody labelled: objects of no class, to learn from."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import felzenszwalb

SEARCH_SIDE_PX = 512
"""The image is reduced until its longer side is no more than that."""

SMALLEST_PX = 150

Ring = npt.NDArray[np.float64]


def find_regions(image: npt.NDArray[np.uint8], labelled: Sequence[Sequence[Ring]]) -> list[list[Ring]]:
    """Rings, outer one first, of segments that stand out and lie off the labelled objects.

    image: (rows, columns, 3). labelled: rings of each object. All rings are (n, 2) in pixels of the image, x first.
    Segments are those of Felzenszwalb and Huttenlocher (IJCV 2004).
    """
    rows, cols = image.shape[:2]
    scale = max(1.0, max(rows, cols) / SEARCH_SIDE_PX)
    size = max(1, round(cols / scale)), max(1, round(rows / scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    per_px = np.array([cols / size[0], rows / size[1]])
    taken = np.zeros(small.shape[:2], np.uint8)
    for rings in labelled:
        cv2.fillPoly(taken, [np.round(ring / per_px).astype(np.int32) for ring in rings], 1)
    lab = cv2.cvtColor(cv2.GaussianBlur(small, (0, 0), 1.5), cv2.COLOR_RGB2LAB).astype(np.float32)
    labels = felzenszwalb(lab / 255, scale=300, sigma=0.5, min_size=SMALLEST_PX) + 1
    sizes = np.bincount(labels.ravel())
    found = []
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        if not SMALLEST_PX < sizes[label] < 0.2 * labels.size:
            continue
        window = tuple(slice(max(side.start - 8, 0), side.stop + 8) for side in box)
        mask = (labels[window] == label).astype(np.uint8)
        if taken[window][mask > 0].mean() < 0.05 and _stands_out(lab[window], mask):
            traced, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
            corner = (window[1].start + 0.5, window[0].start + 0.5)
            kept = [(ring[:, 0] + corner) * per_px for ring in traced if cv2.contourArea(ring) > 20]
            if kept:
                found.append(sorted(kept, key=lambda ring: -float(np.ptp(ring, axis=0).prod())))
    return found


def _stands_out(lab: npt.NDArray[np.float32], mask: npt.NDArray[np.uint8]) -> bool:
    """Whether the colours around the region differ from its own by more than these vary."""
    kernel = np.ones((9, 9), np.uint8)
    ring = (cv2.dilate(mask, kernel) - cv2.dilate(mask, np.ones((3, 3), np.uint8))) > 0
    inside = lab[mask > 0]
    spread = inside.std(axis=0).mean() + 3
    apart = np.linalg.norm(lab[ring] - inside.mean(axis=0), axis=1)
    return bool(len(apart) and np.percentile(apart, 15) > 1.5 * spread)
