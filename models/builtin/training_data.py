"""Training samples: crops of labelled scenes seen through many sensors, and scenes composed of pieces of them.

Every sample follows from its seed alone, so a run can be resumed and repeated. Needs rasterio, geopandas and OpenCV, which
the shipped model does not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import geopandas
import numpy as np
import numpy.typing as npt
import rasterio
from scipy import ndimage
from skimage.segmentation import felzenszwalb

from ..base import Mask
from .scenery import CROP_PX, Image, canopy, coast, plain, random_shape, shaded, shadow

BUILDING_SHARE = 0.3
COMPOSED_SHARE = 0.32
REGION_SHARE = 0.1
"""Shares of samples: whose first object is a building, composed ones, and whose first object is an unlabelled region."""

MIN_VISIBLE_PX = 150

FILL_SCALE = 4

Affine = npt.NDArray[np.float64]
"""(2, 3) matrix from scene pixels to crop pixels."""


@dataclass(frozen=True)
class Shape:
    """Outline of an object: (n, 2) rings in scene pixels, x first, filled by the even-odd rule."""

    rings: tuple[npt.NDArray[np.float64], ...]
    bounds: tuple[float, float, float, float]

    @property
    def side_px(self) -> float:
        """The longer side."""
        x0, y0, x1, y1 = self.bounds
        return max(x1 - x0, y1 - y0)


@dataclass(frozen=True)
class TrainingScene:
    """A scene's image, halved again and again, with its labelled objects and regions found outside of them."""

    name: str
    mipmaps: tuple[Image, ...]
    objects: tuple[Shape, ...]
    regions: tuple[Shape, ...]


@dataclass(frozen=True)
class Sample:
    """A (320, 320, 3) image and (m, 320, 320) masks of objects on it."""

    image: Image
    masks: Mask


def read_scenes(folder: Path) -> tuple[list[TrainingScene], str]:
    """All scenes below `folder`, and the SHA-256 of their files."""
    digest = hashlib.sha256()
    scenes = []
    for path in sorted(folder.iterdir()):
        for file in ("image.tif", "labels.gpkg"):
            digest.update((path / file).read_bytes())
        scenes.append(_read_scene(path))
    return scenes, digest.hexdigest()


def _read_scene(path: Path) -> TrainingScene:
    with rasterio.open(path / "image.tif") as source:
        image = np.ascontiguousarray(source.read([1, 2, 3]).transpose(1, 2, 0))
        to_pixel = ~source.transform
    labels = geopandas.read_file(path / "labels.gpkg")
    objects = [
        _shape([np.column_stack(to_pixel @ np.asarray(ring.coords)[:, :2].T) for ring in (part.exterior, *part.interiors)])
        for geometry in labels.geometry
        for part in getattr(geometry, "geoms", [geometry])
    ]
    mipmaps = [image]
    while min(mipmaps[-1].shape[:2]) > CROP_PX:
        height, width = mipmaps[-1].shape[:2]
        mipmaps.append(np.asarray(cv2.resize(mipmaps[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8))
    return TrainingScene(path.name, tuple(mipmaps), tuple(objects), tuple(_find_regions(mipmaps, objects)))


def _shape(rings: list[npt.NDArray[np.float64]]) -> Shape:
    (x0, y0), (x1, y1) = rings[0].min(axis=0), rings[0].max(axis=0)
    return Shape(tuple(rings), (float(x0), float(y0), float(x1), float(y1)))


def _find_regions(mipmaps: list[Image], objects: list[Shape]) -> list[Shape]:
    """Segments of the image (Felzenszwalb and Huttenlocher, IJCV 2004) that stand out and lie off the labelled objects."""
    level = next(i for i, m in enumerate(mipmaps) if max(m.shape[:2]) <= 512)
    image = mipmaps[level]
    scale = mipmaps[0].shape[1] / image.shape[1]
    taken = np.zeros(image.shape[:2], np.uint8)
    for each in objects:
        cv2.fillPoly(taken, [np.round(ring / scale).astype(np.int32) for ring in each.rings], 1)
    lab = cv2.cvtColor(cv2.GaussianBlur(image, (0, 0), 1.5), cv2.COLOR_RGB2LAB).astype(np.float32)
    labels = felzenszwalb(lab / 255, scale=300, sigma=0.5, min_size=150) + 1
    sizes = np.bincount(labels.ravel())
    found = []
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        if not 150 < sizes[label] < 0.2 * labels.size:
            continue
        window = tuple(slice(max(side.start - 8, 0), side.stop + 8) for side in box)
        mask = (labels[window] == label).astype(np.uint8)
        if taken[window][mask > 0].mean() < 0.05 and _stands_out(lab[window], mask):
            rings, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
            corner = (window[1].start + 0.5, window[0].start + 0.5)
            kept = [(ring[:, 0] + corner) * scale for ring in rings if cv2.contourArea(ring) > 20]
            if kept:
                kept.sort(key=lambda ring: -float(np.ptp(ring, axis=0).prod()))
                found.append(_shape(kept))
    return found


def _stands_out(lab: npt.NDArray[np.float32], mask: Image) -> bool:
    """Whether the colours around the region differ from its own by more than these vary."""
    kernel = np.ones((9, 9), np.uint8)
    ring = (cv2.dilate(mask, kernel) - cv2.dilate(mask, np.ones((3, 3), np.uint8))) > 0
    inside = lab[mask > 0]
    spread = inside.std(axis=0).mean() + 3
    apart = np.linalg.norm(lab[ring] - inside.mean(axis=0), axis=1)
    return bool(np.percentile(apart, 15) > 1.5 * spread)


class Sampler:
    """Draws samples from scenes."""

    def __init__(self, scenes: list[TrainingScene], objects_per_image: int) -> None:
        self._count = objects_per_image
        self._fields = [s for s in scenes if not s.name.startswith("building")]
        self._buildings = [s for s in scenes if s.name.startswith("building")]
        self._all = scenes

    def draw(self, seed: tuple[int, ...]) -> Sample:
        """The sample of a seed."""
        rng = np.random.default_rng(seed)
        kind = rng.random()
        if kind < COMPOSED_SHARE:
            image, masks = self._compose(rng)
        else:
            image, masks = self._crop(rng, want_region=kind < COMPOSED_SHARE + REGION_SHARE)
        image = _through_sensor(image, rng)
        order = rng.permutation(len(masks))[: self._count] if len(masks) > self._count else np.arange(len(masks))
        if 0 not in order:
            order[0] = 0
        picked = masks[np.resize(order, self._count)]
        return Sample(image, picked > 0)

    def _scene(self, rng: np.random.Generator) -> TrainingScene:
        wanted, other = (self._buildings, self._fields)[:: 1 if rng.random() < BUILDING_SHARE else -1]
        pool = wanted or other
        # scenes with more objects are drawn more often, but not in proportion
        weight = np.sqrt([len(scene.objects) for scene in pool])
        return pool[rng.choice(len(pool), p=weight / weight.sum())]

    def _crop(self, rng: np.random.Generator, want_region: bool) -> tuple[Image, npt.NDArray[np.uint8]]:
        for _ in range(8):
            scene = self._scene(rng)
            shapes = scene.regions if want_region and scene.regions else scene.objects
            target = shapes[rng.integers(len(shapes))]
            to_crop, coarseness = _view(target, rng)
            first = _fill(target, to_crop)
            if first.sum() >= MIN_VISIBLE_PX:
                break
        others = [_fill(shape, to_crop) for shape in scene.objects if shape is not target and _is_near(shape, to_crop)]
        masks = np.stack([first, *(m for m in others if m.sum() >= 2 * MIN_VISIBLE_PX)])
        return _coarsen(_warp(scene, to_crop), coarseness), masks

    def _compose(self, rng: np.random.Generator) -> tuple[Image, npt.NDArray[np.uint8]]:
        kind = rng.random()
        if kind < 0.3:
            ground = self._texture(rng) if rng.random() < 0.6 else plain(rng)
            image, masks = canopy(ground, rng)
        elif kind < 0.5:
            image, masks = coast(self._texture(rng), self._texture(rng), plain(rng), rng)
        else:
            image, masks = self._patches(rng)
        if not len(masks):
            return self._crop(rng, want_region=False)
        return _coarsen(image, _coarseness(rng, 0.6)), masks

    def _patches(self, rng: np.random.Generator) -> tuple[Image, npt.NDArray[np.uint8]]:
        """Shapes cut out of one scene and laid on another, as lakes, crowns, islands and roofs lie in the land."""
        image = self._texture(rng)
        taken = np.zeros((CROP_PX, CROP_PX), np.uint8)
        masks = []
        for _ in range(int(rng.integers(2, 5))):
            mask = random_shape(rng)
            mask[taken > 0] = 0
            if not MIN_VISIBLE_PX <= mask.sum() <= 0.8 * mask.size:
                continue
            other = self._texture(rng) if rng.random() < 0.6 else plain(rng)
            if rng.random() < 0.3:
                other = shaded(other, mask, rng)
            alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), float(rng.uniform(0.4, 1.5)))[..., None]
            if rng.random() < 0.3:
                image = shadow(image, mask, rng)
            image = (image * (1 - alpha) + other * alpha).astype(np.uint8)
            taken |= mask
            masks.append(mask)
        return image, np.array(masks, np.uint8)

    def _texture(self, rng: np.random.Generator) -> Image:
        scene = self._all[rng.integers(len(self._all))]
        height, width = scene.mipmaps[0].shape[:2]
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        scale = float(np.exp(rng.uniform(np.log(0.3), np.log(1.5))))
        return _warp(scene, _placing(x, y, scale, rng))


def _view(target: Shape, rng: np.random.Generator) -> tuple[Affine, float]:
    """Where a user would stand: the object spans a sixth to half of the tile, at times more; and the sensor's pixel size."""
    kind = rng.random()
    low, high = (95, 260) if kind < 0.65 else (35, 120) if kind < 0.8 else (240, 560)
    side = rng.uniform(low, high)
    x0, y0, x1, y1 = target.bounds
    scale = float(side / max(target.side_px, 4))
    slack = max(CROP_PX / 2 - 0.35 * side, 8)
    return _placing((x0 + x1) / 2, (y0 + y1) / 2, scale, rng, slack), _coarseness(rng, 0.4)


def _coarseness(rng: np.random.Generator, sharp: float) -> float:
    """1 for a share of the samples, else up to 8, as where a small object was zoomed to."""
    return 1.0 if rng.random() < sharp else float(np.exp(rng.uniform(0, np.log(8))))


def _placing(x: float, y: float, scale: float, rng: np.random.Generator, slack: float = 0.0) -> Affine:
    """A map that takes (x, y) near the crop's middle, turned and mirrored at random."""
    angle = rng.choice([0, np.pi / 2, np.pi, 1.5 * np.pi]) + (rng.uniform(-0.8, 0.8) if rng.random() < 0.7 else 0.0)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if rng.random() < 0.5:
        turn[0] *= -1
    middle = CROP_PX / 2 + rng.uniform(-slack, slack, 2)
    return np.column_stack((turn, middle - turn @ (x, y)))


def _warp(scene: TrainingScene, to_crop: Affine) -> Image:
    scale = float(np.sqrt(abs(np.linalg.det(to_crop[:, :2]))))
    level = int(np.clip(np.floor(-np.log2(scale) + 0.3), 0, len(scene.mipmaps) - 1))
    source = scene.mipmaps[level]
    ratio = scene.mipmaps[0].shape[1] / source.shape[1]
    matrix = to_crop.copy()
    matrix[:, :2] *= ratio
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5  # OpenCV counts from pixel middles
    warped = cv2.warpAffine(source, matrix, (CROP_PX, CROP_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(warped, np.uint8)


def _fill(shape: Shape, to_crop: Affine) -> npt.NDArray[np.uint8]:
    """Pixels that the object covers by more than half. Four times finer first: OpenCV also paints what an edge touches."""
    rings = [
        np.round(((ring @ to_crop[:, :2].T + to_crop[:, 2]) * FILL_SCALE - 0.5) * 16).astype(np.int32) for ring in shape.rings
    ]
    finer = np.zeros((CROP_PX * FILL_SCALE, CROP_PX * FILL_SCALE), np.uint8)
    cv2.fillPoly(finer, rings, 255, shift=4)
    return np.asarray(cv2.resize(finer, (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA) > 148, np.uint8)


def _is_near(shape: Shape, to_crop: Affine) -> bool:
    x0, y0, x1, y1 = shape.bounds
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]) @ to_crop[:, :2].T + to_crop[:, 2]
    return bool((corners.max(axis=0) > 0).all() and (corners.min(axis=0) < CROP_PX).all())


def _coarsen(image: Image, coarseness: float) -> Image:
    """As if each pixel of the sensor spanned `coarseness` pixels."""
    if coarseness < 1.1:
        return image
    side = max(8, round(CROP_PX / coarseness))
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (CROP_PX, CROP_PX), interpolation=cv2.INTER_LINEAR), np.uint8)


def _through_sensor(image: Image, rng: np.random.Generator) -> Image:
    """Band orders, single bands, stretches, haze, noise, sharpening, compression."""
    sensed = _degraded(_recoloured(image.astype(np.float32), rng), rng)
    result = np.clip(sensed, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        _, packed = cv2.imencode(".jpg", result, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 95))])
        result = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(result)


def _recoloured(x: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
    """Bands swapped or alone, saturation, stretch, gamma, brightness."""
    if rng.random() < 0.25:
        x = x[..., rng.permutation(3)]
    if rng.random() < 0.15:
        x = np.repeat(x[..., [int(rng.integers(3))]] if rng.random() < 0.5 else x.mean(-1, keepdims=True), 3, -1)
    elif rng.random() < 0.5:
        grey = x.mean(-1, keepdims=True)
        x = grey + (x - grey) * rng.uniform(0.4, 1.8)
    if rng.random() < 0.5:
        low, high = np.percentile(x, rng.uniform(0, 3)), np.percentile(x, 100 - rng.uniform(0, 3))
        x = (x - low) / max(high - low, 20) * 255
    if rng.random() < 0.7:
        x = 255 * (np.clip(x / 255, 0, 1) ** np.exp(rng.normal(0, 0.35, 3 if rng.random() < 0.3 else 1)))
    return np.asarray(x * np.exp(rng.normal(0, 0.15, 3 if rng.random() < 0.4 else 1)) + rng.normal(0, 12))


def _degraded(x: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
    """Haze, sharpening or blur, noise."""
    if rng.random() < 0.2:
        haze = rng.uniform(0.1, 0.5)
        x = (1 - haze) * x + haze * rng.uniform(140, 240)
    if rng.random() < 0.25:
        x = x + rng.uniform(0.3, 1.5) * (x - cv2.GaussianBlur(x, (0, 0), rng.uniform(0.7, 2)))
    elif rng.random() < 0.25:
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.4, 1.6))
    if rng.random() < 0.4:
        x = x + rng.normal(0, rng.uniform(1, 10), x.shape)
    return x
