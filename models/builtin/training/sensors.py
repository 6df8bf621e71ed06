"""What a sensor, a provider and a map server make of a scene: its pixel's size, bands, stretch, haze, noise, compression."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[Any]

SMALLEST_SIDE_PX = 12
"""Of a crop as a sensor sees it."""


def sensed(image: Image, pixel: float, rng: np.random.Generator) -> Image:
    """A (n, n, 3) crop as a sensor shows it whose pixel spans `pixel` pixels of the crop; 1 or less for one as fine."""
    side = image.shape[0]
    if pixel > 1.1:
        small = max(SMALLEST_SIDE_PX, round(side / pixel))
        image = np.asarray(cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA), np.uint8)
    image = _finished(_degraded(_recoloured(image.astype(np.float32), rng), rng))
    if rng.random() < 0.25:
        image = _compressed(image, rng)
    if pixel > 1.1:
        way = rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST], p=[0.7, 0.15, 0.15])
        image = np.asarray(cv2.resize(image, (side, side), interpolation=int(way)), np.uint8)
        if rng.random() < 0.1:
            image = _compressed(image, rng)
    return np.ascontiguousarray(image)


def _finished(x: Floats) -> Image:
    return np.asarray(np.clip(x, 0, 255), np.uint8)


def _compressed(image: Image, rng: np.random.Generator) -> Image:
    _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 95))])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)


def _recoloured(x: Floats, rng: np.random.Generator) -> Floats:
    """Half of the crops a little brighter or darker only; others as strange as bands and stretches may make them."""
    if rng.random() < 0.5:
        x = 255 * np.clip(x / 255, 0, 1) ** np.exp(rng.normal(0, 0.2))
        return np.asarray(x * np.exp(rng.normal(0, 0.08)) + rng.normal(0, 6, 3))
    kind = rng.random()
    if kind < 0.15:
        x = x[..., rng.permutation(3)]
    elif kind < 0.32:  # panchromatic, or one band
        x = np.repeat(x[..., [int(rng.integers(3))]] if rng.random() < 0.5 else x.mean(-1, keepdims=True), 3, -1)
    elif kind < 0.5:  # near infrared, red, green: green things shine
        red, green, blue = x[..., 0], x[..., 1], x[..., 2]
        infrared = green + rng.uniform(1, 3) * np.maximum(2 * green - red - blue, 0) + rng.uniform(-20, 40)
        x = np.stack((infrared, red, green), -1)
    elif rng.random() < 0.5:
        grey = x.mean(-1, keepdims=True)
        x = grey + (x - grey) * rng.uniform(0.4, 1.8)
    if rng.random() < 0.5:
        most = 12.0 if rng.random() < 0.15 else 3.0
        low, high = np.percentile(x, rng.uniform(0, most)), np.percentile(x, 100 - rng.uniform(0, most))
        x = (x - low) / max(high - low, 20) * 255
    if rng.random() < 0.7:
        x = 255 * (np.clip(x / 255, 0, 1) ** np.exp(rng.normal(0, 0.3, 3 if rng.random() < 0.3 else 1)))
    return np.asarray(x * np.exp(rng.normal(0, 0.12, 3 if rng.random() < 0.4 else 1)) + rng.normal(0, 10))


def _degraded(x: Floats, rng: np.random.Generator) -> Floats:
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
