"""Where a crop of a scene lies, what the image shows there, and which of its pixels an object covers.

A crop is (320, 320) pixels of the network. Masks keep inside the scene's frame: pixels beyond it are told apart, since no one
knows what is there.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ...base import Mask
from .scenery import CROP_PX, Image
from .scenes import Scene, Shape

FILL_SCALE = 4

LARGEST_SCALE = 12.0
LARGEST_SCALE_UNTRUSTED = 5.0
"""Crop pixels for a pixel of the scene: nearer than that an outline says nothing."""

Affine = npt.NDArray[np.float64]
"""(2, 3) matrix from scene pixels to crop pixels, x first."""


@dataclass(frozen=True)
class View:
    """A place to look from.

    to_crop: from scene pixels to crop pixels. sensor_px: size of the sensor's pixel in crop pixels, at least that of the scene.
    """

    to_crop: Affine
    sensor_px: float

    @property
    def scale(self) -> float:
        """Crop pixels for each pixel of the scene."""
        return float(np.sqrt(abs(np.linalg.det(self.to_crop[:, :2]))))


def view_of(target: Shape, scene: Scene, rng: np.random.Generator) -> View:
    """Where a user may stand who means an object: it spans from 1/12 of the crop (far too wide) to more than all of it."""
    kind = rng.random()
    low, high = (90, 230) if kind < 0.58 else (27, 90) if kind < 0.80 else (210, 256) if kind < 0.92 else (256, 520)
    side_px = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    scale = min(side_px / max(target.side_px, 4), LARGEST_SCALE if scene.origin.is_trusted else LARGEST_SCALE_UNTRUSTED)
    x0, y0, x1, y1 = target.bounds
    slack = max(CROP_PX / 2 - 0.35 * side_px, 8)
    to_crop = inside_frame(placing((x0 + x1) / 2, (y0 + y1) / 2, scale, rng, slack), scene.size_wh_px)
    across = float(np.exp(rng.uniform(np.log(8), np.log(150))))
    wanted = 1.0 if rng.random() < 0.4 else side_px / across
    return View(to_crop, float(np.clip(wanted, 1.0, min(20.0, max(scale * scene.origin.coarsest, 1.0)))))


def placing(x: float, y: float, scale: float, rng: np.random.Generator, slack: float = 0.0) -> Affine:
    """A map that takes (x, y) of the scene to within `slack` of the crop's middle, turned and mirrored at random."""
    angle = rng.choice([0, np.pi / 2, np.pi, 1.5 * np.pi]) + (rng.uniform(-0.8, 0.8) if rng.random() < 0.6 else 0.0)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if rng.random() < 0.5:
        turn[0] *= -1
    middle = CROP_PX / 2 + rng.uniform(-slack, slack, 2)
    return np.column_stack((turn, middle - turn @ (x, y)))


def inside_frame(to_crop: Affine, size_wh: tuple[int, int]) -> Affine:
    """Moved so that the crop lies within the scene's frame, or around its middle along an axis where it can't."""
    turn = to_crop[:, :2]
    corners = np.array([(0, 0), (CROP_PX, 0), (CROP_PX, CROP_PX), (0, CROP_PX)], np.float64)
    in_scene = (corners - to_crop[:, 2]) @ np.linalg.inv(turn).T
    low, high = in_scene.min(axis=0), in_scene.max(axis=0)
    size = np.array(size_wh, np.float64)
    fits = high - low <= size
    shift = np.where(fits, np.maximum(0, -low) - np.maximum(0, high - size), size / 2 - (low + high) / 2)
    return np.column_stack((turn, to_crop[:, 2] - turn @ shift))


def warp(scene: Scene, to_crop: Affine) -> Image:
    """(320, 320, 3) of the scene; mirrored beyond its frame."""
    scale = float(np.sqrt(abs(np.linalg.det(to_crop[:, :2]))))
    level = int(np.clip(np.floor(-np.log2(scale) + 0.3), 0, len(scene.mipmaps) - 1))
    source = np.asarray(scene.mipmaps[level])
    ratio_xy = np.array(scene.size_wh_px) / source.shape[1::-1]
    matrix = to_crop.copy()
    matrix[:, :2] *= ratio_xy
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5  # OpenCV counts from pixel middles
    warped = cv2.warpAffine(source, matrix, (CROP_PX, CROP_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(warped, np.uint8)


def frame_mask(scene: Scene, to_crop: Affine) -> Mask:
    """(320, 320) pixels that show the scene and not what was mirrored beyond its frame."""
    cols, rows = scene.size_wh_px
    frame = Shape.of([np.array([(0, 0), (cols, 0), (cols, rows), (0, rows)], np.float64)])
    return fill(frame, to_crop) > 0


def fill(shape: Shape, to_crop: Affine) -> npt.NDArray[np.uint8]:
    """(320, 320) 1 where the object covers more than half a pixel."""
    # Four times finer first: OpenCV also paints what an edge only touches.
    rings = [
        np.round(((ring @ to_crop[:, :2].T + to_crop[:, 2]) * FILL_SCALE - 0.5) * 16).astype(np.int32) for ring in shape.rings
    ]
    finer = np.zeros((CROP_PX * FILL_SCALE, CROP_PX * FILL_SCALE), np.uint8)
    cv2.fillPoly(finer, rings, 255, shift=4)
    return np.asarray(cv2.resize(finer, (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA) > 148, np.uint8)


def is_near(shape: Shape, to_crop: Affine) -> bool:
    """Whether the object's box meets the crop."""
    x0, y0, x1, y1 = shape.bounds
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]) @ to_crop[:, :2].T + to_crop[:, 2]
    return bool((corners.max(axis=0) > 0).all() and (corners.min(axis=0) < CROP_PX).all())


def band_around(mask: npt.NDArray[np.uint8], half_width_px: float) -> Mask:
    """(320, 320) pixels nearer to the mask's outline than that; the crop's edge is no outline."""
    if half_width_px < 0.75:
        return np.zeros(mask.shape, np.bool_)
    inside, outside = (cv2.distanceTransform(np.ascontiguousarray(side), cv2.DIST_L2, 5) for side in (mask, 1 - mask))
    band: Mask = np.where(mask > 0, inside, outside) <= half_width_px
    return band
