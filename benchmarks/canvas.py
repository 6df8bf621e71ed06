"""An object's mask on its raster's own pixels, and how answers compare with it."""

from __future__ import annotations

import math

import numpy as np
import shapely
from rasterio.features import rasterize
from scipy import ndimage

from ..models.base import Mask
from ..models.click_simulation import Click
from .scenes import Scene, Target


class Canvas:
    """The raster's pixels around an object, as far as answers to it may reach."""

    def __init__(self, scene: Scene, target: Target, margin: float = 3.0) -> None:
        """margin: how far around, in longer sides of the object."""
        x0, y0, x1, y1 = target.polygon_px.bounds
        reach = margin * max(x1 - x0, y1 - y0)
        rows, cols = scene.valid.shape
        self.left, self.top = max(0, math.floor(x0 - reach)), max(0, math.floor(y0 - reach))
        right, bottom = min(cols, math.ceil(x1 + reach)), min(rows, math.ceil(y1 + reach))
        self._source = scene.source
        self._valid = scene.valid[self.top : bottom, self.left : right]
        self.truth = self._burn(target.polygon_px)
        self._width_px = max(1, round(0.02 * math.hypot(x1 - x0, y1 - y0)))

    def place(self, click: Click) -> tuple[float, float, bool]:
        """A click's pixel middle in the raster's pixel coordinates."""
        return click.col + self.left + 0.5, click.row + self.top + 0.5, click.foreground

    def mask(self, polygon: shapely.Geometry | None) -> Mask:
        """Valid pixels whose middle a polygon in the raster's CRS covers."""
        if polygon is None:
            return np.zeros_like(self._valid)
        return self._burn(shapely.transform(polygon, self._source.to_pixel))

    def _burn(self, polygon_px: shapely.Geometry) -> Mask:
        shifted = shapely.transform(polygon_px, lambda xy: xy - (self.left, self.top))
        burnt: Mask = rasterize([shifted], self._valid.shape).astype(np.bool_) & self._valid
        return burnt

    @property
    def ceiling(self) -> float:
        """Boundary IoU of the label itself, were it a pixel beside its place: nobody draws more exactly than that."""
        moved = [np.roll(self.truth, step, axis) & self._valid for axis in (0, 1) for step in (-1, 1)]
        return float(np.mean([self.boundary_iou(each) for each in moved]))

    def iou(self, answer: Mask) -> float:
        """Intersection over union with the truth."""
        return _iou(answer, self.truth)

    def boundary_iou(self, answer: Mask) -> float:
        """IoU of the inner borders (Cheng et al., CVPR 2021), as wide as a fiftieth of the diagonal of the object's box."""
        return _iou(self._border(answer), self._border(self.truth))

    def _border(self, mask: Mask) -> Mask:
        border: Mask = mask & ~ndimage.binary_erosion(mask, iterations=self._width_px, border_value=1)
        return border


def _iou(a: Mask, b: Mask) -> float:
    union = int((a | b).sum())
    return float((a & b).sum() / union) if union else 1.0
