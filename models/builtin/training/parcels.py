"""Made-up farmland and villages: parcels with faint borders, contour strips, parcels cut by roads, roofs with shadows."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from .scenery import CROP_PX, Image, fractal

Labels = npt.NDArray[np.int32]
Box = tuple[float, float, float, float]
"""Along and across the rows of parcels: first and last of either."""

SMALLEST_PARCEL_PX = 400
MOST_MASKS = 4


def farmland(ground: Image, others: list[Image], rng: np.random.Generator) -> tuple[Image, npt.NDArray[np.uint8]]:
    """(320, 320, 3) parcels on a ground, some of them covered by `others`; and (m, 320, 320) masks of up to four."""
    along, across = _bent_axes(rng)
    if rng.random() < 0.25:
        width = rng.uniform(14, 60)
        labels = np.floor((across + 400) / width).astype(np.int32) + 1
    else:
        labels = _grid(along, across, rng)
    if rng.random() < 0.45:
        labels[_roads(along, across, rng)] = 0
    image = _sown(ground, others, labels, along, rng)
    return image, _chosen(labels, rng)


def village(ground: Image, rng: np.random.Generator) -> tuple[Image, npt.NDArray[np.uint8]]:
    """(320, 320, 3) roofs with two slopes and shadows on a ground; and (m, 320, 320) masks of up to four roofs."""
    image = ground.astype(np.float32)
    labels = np.zeros((CROP_PX, CROP_PX), np.int32)
    sun = rng.uniform(0, 2 * np.pi)
    shade, street = rng.uniform(0.25, 0.65), rng.uniform(0, np.pi)
    mean_side = float(np.exp(rng.uniform(np.log(16), np.log(75))))
    palette = rng.uniform(40, 235, (4, 1)) + rng.normal(0, 25, (4, 3))
    for number in range(1, int(np.clip(rng.uniform(0.15, 0.9) * (CROP_PX / mean_side) ** 2 / 2, 3, 70))):
        sides = mean_side * np.exp(rng.normal(0, 0.3, 2))
        angle = street + rng.choice([0, np.pi / 2]) + rng.normal(0, 0.06)
        roof = _roof(rng.uniform(0, CROP_PX, 2), sides, angle, rng)
        grown = cv2.dilate(roof, np.ones((3, 3), np.uint8)) if rng.random() < 0.8 else roof
        if (labels[grown > 0] > 0).any() or roof.sum() < 100:
            continue
        height = rng.uniform(0.15, 0.6) * sides.min()
        image *= 1 - shade * _shadow(roof, sun, height)[..., None]
        _lay_roof(image, roof, palette[int(rng.integers(4))], angle, sun, rng)
        labels[roof > 0] = number
    return np.asarray(np.clip(image, 0, 255), np.uint8), _chosen(labels, rng)


def _bent_axes(rng: np.random.Generator) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Two turned coordinates of each pixel, about -230 to 230, bent more or less."""
    ys, xs = (np.mgrid[:CROP_PX, :CROP_PX] - CROP_PX / 2).astype(np.float32)
    angle = rng.uniform(0, np.pi)
    along, across = xs * np.cos(angle) + ys * np.sin(angle), ys * np.cos(angle) - xs * np.sin(angle)
    if rng.random() < 0.6:
        bend = cv2.GaussianBlur(fractal(rng), (0, 0), float(rng.uniform(25, 60)))
        along = along + bend / (bend.std() + 1e-6) * rng.uniform(2, 18)
        across = across + np.roll(bend, 97, axis=0) / (bend.std() + 1e-6) * rng.uniform(2, 18)
    return along, across


def _grid(along: npt.NDArray[np.float32], across: npt.NDArray[np.float32], rng: np.random.Generator) -> Labels:
    """Parcels by halving the land again and again, as inheritance does."""
    labels = np.ones(along.shape, np.int32)
    typical = float(np.exp(rng.uniform(np.log(35), np.log(170))))
    for number, (a0, b0, a1, b1) in enumerate(_halved((-330.0, -330.0, 330.0, 330.0), typical, rng), 1):
        labels[(along >= a0) & (along < a1) & (across >= b0) & (across < b1)] = number
    return labels


def _halved(box: Box, typical: float, rng: np.random.Generator) -> list[Box]:
    a0, b0, a1, b1 = box
    sides = a1 - a0, b1 - b0
    if max(sides) < typical * rng.uniform(0.7, 2.2) or min(sides) < 10:
        return [box]
    share = rng.uniform(0.3, 0.7)
    if (sides[0] > sides[1]) ^ (rng.random() < 0.2):
        cut = a0 + share * sides[0]
        parts = (a0, b0, cut, b1), (cut, b0, a1, b1)
    else:
        cut = b0 + share * sides[1]
        parts = (a0, b0, a1, cut), (a0, cut, a1, b1)
    return [each for part in parts for each in _halved(part, typical, rng)]


def _roads(along: npt.NDArray[np.float32], across: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    found = np.zeros(along.shape, np.bool_)
    for _ in range(int(rng.integers(1, 3))):
        slope = rng.uniform(-1, 1) if rng.random() < 0.5 else 0.0
        axis, other = (along, across) if rng.random() < 0.5 else (across, along)
        found |= np.abs(axis + slope * other - rng.uniform(-120, 120)) < rng.uniform(1.5, 6)
    return found


def _sown(
    ground: Image, others: list[Image], labels: Labels, along: npt.NDArray[np.float32], rng: np.random.Generator
) -> Image:
    """Parcels that differ a little in tone, rows or cover, and lines between them."""
    count = int(labels.max()) + 1
    tone = rng.normal(0, rng.uniform(3, 30), (count, 1)) + rng.normal(0, rng.uniform(1, 8), (count, 3))
    rows = rng.uniform(0, 8, count) * (rng.random(count) < 0.3)
    image = ground.astype(np.float32)
    cover = rng.integers(0, len(others) + 2, count)
    for index, other in enumerate(others, 2):
        image = np.where((cover[labels] == index)[..., None], other, image)
    image += tone[labels]
    image += (rows[labels] * np.sin(along * rng.uniform(0.5, 2)))[..., None]
    image[labels == 0] = rng.uniform(60, 230) + rng.normal(0, 10, 3)
    if rng.random() < 0.7 or tone.std() < 8:
        border = _borders(labels, int(rng.integers(1, 4)))
        line = rng.choice([-1, 1]) * rng.uniform(8, 60) * (np.clip(1 + 0.5 * fractal(rng), 0, 1) if rng.random() < 0.5 else 1)
        image += (border * line)[..., None]
    return np.asarray(np.clip(cv2.GaussianBlur(image, (0, 0), 0.7), 0, 255), np.uint8)


def _borders(labels: Labels, width: int) -> npt.NDArray[np.float32]:
    edge = np.zeros(labels.shape, np.uint8)
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edge[1:] |= labels[1:] != labels[:-1]
    return cv2.dilate(edge, np.ones((width, width), np.uint8)).astype(np.float32)


def _roof(centre: npt.NDArray[np.float64], sides: npt.NDArray[np.float64], angle: float, rng: np.random.Generator) -> Image:
    corners = np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]) * sides / 2
    if rng.random() < 0.25:
        notch = rng.uniform(-0.2, 0.6, 2) * sides / 2
        bottom = (corners[1, 0], notch[1]), notch, (notch[0], corners[2, 1])
        corners = np.array([corners[0], corners[1], *bottom, corners[3]])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    mask = np.zeros((CROP_PX, CROP_PX), np.uint8)
    cv2.fillPoly(mask, [np.round(corners @ turn.T + centre).astype(np.int32)], 1)
    return mask


def _shadow(roof: Image, sun: float, height: float) -> npt.NDArray[np.float32]:
    fallen = np.zeros(roof.shape, np.uint8)
    for reach in np.linspace(0, height, 4)[1:]:
        shift = np.array([[1, 0, -np.cos(sun) * reach], [0, 1, -np.sin(sun) * reach]])
        fallen |= np.asarray(cv2.warpAffine(roof, shift, (CROP_PX, CROP_PX)), np.uint8)
    return np.asarray(cv2.GaussianBlur(fallen.astype(np.float32), (0, 0), 0.8), np.float32)


def _lay_roof(
    image: npt.NDArray[np.float32],
    roof: Image,
    colour: npt.NDArray[np.float64],
    angle: float,
    sun: float,
    rng: np.random.Generator,
) -> None:
    """Paints a roof into an image: two slopes, one turned to the sun, or flat."""
    rows, cols = np.nonzero(roof)
    across = (cols - cols.mean()) * -np.sin(angle) + (rows - rows.mean()) * np.cos(angle)
    lit = np.cos(sun - angle - np.pi / 2) * rng.uniform(0, 0.3)
    shading = 1 + np.where(across > 0, lit, -lit) * (rng.random() < 0.7)
    grain = rng.normal(0, rng.uniform(1, 8), (len(rows), 1))
    image[rows, cols] = (colour + rng.normal(0, 12)) * shading[:, None] + grain


def _chosen(labels: Labels, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """(m, 320, 320) masks of up to four labels of a fair size, each in one piece."""
    masks: list[npt.NDArray[np.bool_]] = []
    sizes = np.bincount(labels.ravel())
    for label in rng.permutation(np.arange(1, len(sizes))):
        if len(masks) < MOST_MASKS and SMALLEST_PARCEL_PX <= sizes[label] <= 0.6 * labels.size:
            _, parts, stats, _ = cv2.connectedComponentsWithStats((labels == label).astype(np.uint8), connectivity=4)
            largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
            if stats[largest, cv2.CC_STAT_AREA] >= SMALLEST_PARCEL_PX:
                masks.append(parts == largest)
    return np.array(masks, np.uint8).reshape(-1, CROP_PX, CROP_PX)
