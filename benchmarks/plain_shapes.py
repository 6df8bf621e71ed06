"""Plain shapes that fill much of a tile: lakes and large fields are such, and crops of training hardly show them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import rasterio
import shapely
from affine import Affine
from rasterio.features import rasterize
from shapely import Polygon

from ..contract.prompts import Point, Prompts
from ..engine.segmenting.session import Segmenter
from ..models.base import Model

SIDE_PX = 1000
RADII_PX = (150, 250, 350, 450)
MIDDLES_PX = ((500, 500), (460, 420), (560, 520))
TONES = ((40, 130), (170, 60))
"""Of shape and surroundings."""

TO_MAP = Affine(1, 0, 500_000, 0, -1, 4_500_000)


def shapes_px() -> Iterator[tuple[Polygon, tuple[float, float]]]:
    """Discs and squares with a bite taken out, in pixels, each with a place inside that is not quite its middle."""
    frame = shapely.box(0, 0, SIDE_PX, SIDE_PX)
    for (x, y), radius in product(MIDDLES_PX, RADII_PX):
        disc = shapely.Point(x, y).buffer(radius)
        bite = shapely.Point(x + radius, y).buffer(radius / 4)
        for whole in (disc, shapely.box(*disc.bounds)):
            yield whole.difference(bite).intersection(frame), (x - radius / 9, y)


def worst_iou(model: Model) -> float:
    """The lowest IoU of one click in each shape, on noisy images at native resolution, with the shape."""
    with TemporaryDirectory() as folder:
        asked = enumerate(product(shapes_px(), TONES))
        return min(_iou(model, shape, click, tones, Path(folder) / f"{n}.tif") for n, ((shape, click), tones) in asked)


def _iou(model: Model, shape: Polygon, click: tuple[float, float], tones: tuple[int, int], path: Path) -> float:
    inside = rasterize([shape], (SIDE_PX, SIDE_PX)).astype(bool)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 12, inside.shape), rng.integers(0, 40, inside.shape)
    image = np.where(inside, tones[0] + noise[0], tones[1] + noise[1]).astype(np.uint8)
    with rasterio.open(path, "w", "GTiff", SIDE_PX, SIDE_PX, 1, "EPSG:32613", TO_MAP, "uint8") as dataset:
        dataset.write(image, 1)
    segmenter = Segmenter(models=[model])
    found = segmenter.segment(str(path), Prompts((Point(*(TO_MAP @ click)),)), model=model.name, level=0).polygon
    segmenter.close()
    truth = shapely.transform(shape, lambda xy: np.column_stack((500_000 + xy[:, 0], 4_500_000 - xy[:, 1])))
    return float(found.intersection(truth).area / found.union(truth).area)
