"""Made-up scenery for training: shapes, plain surfaces, canopies, coasts and rivers, where no labelled imagery has any."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

CROP_PX = 320

Image = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float32]


def canopy(ground: Image, rng: np.random.Generator) -> tuple[Image, npt.NDArray[np.uint8]]:
    """Crowns over a (320, 320, 3) ground, apart or in a closed wood, lit from one side; and masks of those well visible."""
    mean_radius = float(np.exp(rng.uniform(np.log(14), np.log(90))))
    heights = np.zeros((CROP_PX, CROP_PX), np.float32)
    owner = np.full((CROP_PX, CROP_PX), -1)
    wanted = rng.uniform(0.1, 1.3) * CROP_PX**2 / (np.pi * mean_radius**2)
    full = []
    for number in range(int(np.clip(wanted, 1, 150))):
        radius = mean_radius * float(np.exp(rng.normal(0, 0.3)))
        centre = rng.uniform(0, CROP_PX, 2)
        left, top = np.clip(centre - 1.6 * radius, 0, CROP_PX - 1).astype(int)
        right, bottom = np.clip(centre + 1.6 * radius + 1, 1, CROP_PX).astype(int)
        dome = _crown(radius, centre, np.ogrid[top:bottom, left:right], rng)
        full.append(int((dome > 0).sum()))
        there = heights[top:bottom, left:right]
        higher = dome > there
        there[higher] = dome[higher]
        owner[top:bottom, left:right][higher] = number
    image = _lit(ground, heights, owner, mean_radius, rng)
    counts = np.bincount(owner[owner >= 0], minlength=len(full))
    seen = [n for n in range(len(full)) if counts[n] > max(0.6 * full[n], 200)]
    return image, np.array([_largest_part(owner == n) for n in rng.permutation(seen)[:4]], np.uint8)


def _crown(
    radius: float, centre_xy: npt.NDArray[np.float64], window: tuple[npt.NDArray[np.int_], ...], rng: np.random.Generator
) -> Field:
    """Height of a dome with a ragged rim over the rows and columns of a window; 0 outside."""
    rows, cols = window
    dx, dy = (cols - centre_xy[0]).astype(np.float32), (rows - centre_xy[1]).astype(np.float32) * rng.uniform(1, 1.33)
    angle = np.arctan2(dy, dx)
    rim = np.zeros_like(angle)
    for lobes in range(2, 9):
        rim += rng.normal(0, 0.16 / lobes) * np.cos(lobes * angle + rng.uniform(0, 6.3))
    reach = np.hypot(dx, dy) / (radius * np.clip(1 + rim, 0.5, 1.5))
    dome = np.sqrt(np.clip(1 - reach**2, 0, 1)) * rng.uniform(0.7, 1.3) * radius
    return np.where(reach < 1, dome + 0.3 * radius, 0).astype(np.float32)


def _lit(
    ground: Image, heights: Field, owner: npt.NDArray[np.int_], radius: float, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Ground and crowns with leaves, slopes towards and away from the sun, and cast shadows."""
    inside = owner >= 0
    sun = np.array([np.cos(a := rng.uniform(0, 6.3)), np.sin(a)])
    hue = np.array([rng.uniform(40, 110), rng.uniform(60, 130), rng.uniform(30, 80)])
    colours = hue * np.exp(
        rng.normal(0, rng.uniform(0.02, 0.2), (owner.max() + 2, 1)) + rng.normal(0, 0.06, (owner.max() + 2, 3))
    )
    leaves = cv2.GaussianBlur(
        rng.normal(0, 1, heights.shape).astype(np.float32), (0, 0), float(rng.uniform(0.6, radius / 12 + 0.7))
    )
    bumpy = cv2.GaussianBlur(heights, (0, 0), 1.2) + leaves / leaves.std() * rng.uniform(0.02, 0.08) * radius
    slope_y, slope_x = np.gradient(bumpy)
    shade = 1 + rng.uniform(0.1, 0.45) * np.tanh(slope_x * sun[0] + slope_y * sun[1])
    image = np.where(inside[..., None], colours[owner] * shade[..., None], ground).astype(np.float32)
    steep, dark = rng.uniform(0.6, 2.0), rng.uniform(0.3, 0.8)
    shadow_of = np.zeros(heights.shape, np.bool_)
    for reach in np.linspace(0.15, 1.5, 8) * radius:
        shift = np.array([[1, 0, -sun[0] * reach], [0, 1, -sun[1] * reach]])
        moved = cv2.warpAffine(heights, shift, (CROP_PX, CROP_PX))
        shadow_of |= moved - steep * reach > heights + 1
    image *= 1 - dark * cv2.GaussianBlur(shadow_of.astype(np.float32), (0, 0), 0.8)[..., None]
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def coast(land: Image, strip: Image, water: Image, rng: np.random.Generator) -> tuple[Image, npt.NDArray[np.uint8]]:
    """A shore with sand and foam, or a river, (320, 320, 3) each; and masks of water, strip and land where of a fair size."""
    ys, xs = (np.mgrid[:CROP_PX, :CROP_PX] - CROP_PX / 2).astype(np.float32) / CROP_PX
    angle = rng.uniform(0, 6.3)
    across = xs * np.cos(angle) + ys * np.sin(angle) + rng.uniform(-0.25, 0.25)
    bends = cv2.GaussianBlur(fractal(rng), (0, 0), float(rng.uniform(0.5, 6))) * rng.uniform(0.02, 0.12)
    shore = across + bends
    if rng.random() < 0.3:
        shore = np.abs(shore) - rng.uniform(0.015, 0.12)
    width = rng.uniform(0.02, 0.25) if rng.random() < 0.6 else 0.0
    wet, sandy = shore < 0, (shore >= 0) & (shore < width)
    soft = np.clip(shore * CROP_PX / rng.uniform(1, 3), -1, 1)[..., None] / 2 + 0.5
    dry = np.where(sandy[..., None], strip, land)
    image = water * (1 - soft) + dry * soft
    if rng.random() < 0.4:
        foam = np.clip((fractal(rng) - rng.uniform(0.3, 1.5)) * 2, 0, 1) * np.exp(
            -np.abs(shore + 0.03) / rng.uniform(0.02, 0.1)
        )
        image += (foam * wet)[..., None] * rng.uniform(60, 160)
    parts = [_largest_part(part) for part in (wet, sandy, shore >= width) if 400 < part.sum() < 0.85 * part.size]
    return np.asarray(np.clip(image, 0, 255), np.uint8), np.array(parts, np.uint8)


def reservoir(land: Image, water: Image, rng: np.random.Generator) -> tuple[Image, npt.NDArray[np.uint8]]:
    """A drowned valley, (320, 320, 3) each: a lake with arms and islands, with a bare bank where the water fell; and its mask.

    Valleys run where two smooth noises meet, so that they wind and branch; the water fills them up to a level.
    """
    sigma = float(rng.uniform(4, 14))
    blurred = cv2.GaussianBlur(fractal(rng), (0, 0), sigma)
    relief = blurred / blurred.std()
    ys, xs = np.mgrid[:CROP_PX, :CROP_PX].astype(np.float32)
    centre = rng.uniform(80, CROP_PX - 80, 2)
    away = np.hypot(xs - centre[0], ys - centre[1]) / rng.uniform(60, 220)
    height = np.abs(relief) + 0.15 * fractal(rng) * rng.random() + 0.6 * away
    level = float(np.quantile(height, rng.uniform(0.04, 0.35)))
    lake = _largest_part(height < level)
    if rng.random() < 0.5:
        lake = np.asarray(cv2.morphologyEx(lake, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)), np.uint8)  # no islet of a pixel
    soft = cv2.GaussianBlur(lake.astype(np.float32), (0, 0), float(rng.uniform(0.4, 1.5)))[..., None]
    ground = land.astype(np.float32)
    if rng.random() < 0.5:
        bank = cv2.dilate(lake, np.ones((int(rng.integers(3, 10)),) * 2, np.uint8)) - lake
        ground += (bank * rng.uniform(20, 90))[..., None]
    shallow = cv2.GaussianBlur(lake.astype(np.float32), (0, 0), 6)[..., None]
    deep = water * (1 + rng.uniform(-0.1, 0.5) * (1 - shallow))
    return np.asarray(np.clip(deep * soft + ground * (1 - soft), 0, 255), np.uint8), lake[None]


def _largest_part(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return np.asarray(labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()), np.uint8)


def random_shape(rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """(320, 320) mask of a lake or wood, a roof or field, or a group of crowns."""
    mask = np.zeros((CROP_PX, CROP_PX), np.uint8)
    kind = rng.random()
    centre = rng.uniform(40, CROP_PX - 40, 2)
    if kind < 0.45:  # lakes, woods: a level set of fractal noise around a centre
        ys, xs = np.mgrid[:CROP_PX, :CROP_PX]
        radius = np.exp(rng.uniform(np.log(25), np.log(200)))
        reach = np.hypot(xs - centre[0], (ys - centre[1]) * rng.uniform(0.6, 1.6)) / radius
        level = ((1 - reach) + rng.uniform(0.1, 0.6) * fractal(rng) > 0).astype(np.uint8)
        count, labels = cv2.connectedComponents(level)
        if count > 1:
            mask[labels == 1 + int(np.bincount(labels.ravel())[1:].argmax())] = 1
    elif kind < 0.75:  # roofs and fields: corners
        sides = np.exp(rng.uniform(np.log(12), np.log(150))) * rng.uniform(0.6, 1.2, 2)
        corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * sides + rng.normal(0, 0.12, (4, 2)) * sides
        if rng.random() < 0.4:
            notch = rng.uniform(-0.5, 0.7, 2) * sides
            bottom = (corners[1, 0], notch[1]), notch, (notch[0], corners[2, 1])
            corners = np.array([corners[0], corners[1], *bottom, corners[3]])
        angle = rng.uniform(0, np.pi)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        cv2.fillPoly(mask, [np.round(corners @ turn.T + centre).astype(np.int32)], 1)
    else:  # crowns: overlapping discs
        radius = np.exp(rng.uniform(np.log(15), np.log(130)))
        for _ in range(int(rng.integers(1, 7))):
            at = centre + rng.normal(0, 0.5, 2) * radius
            cv2.circle(mask, (round(at[0]), round(at[1])), round(radius * rng.uniform(0.5, 1)), 1, -1)
    return mask


def fractal(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """(320, 320) noise of all sizes, of variance 1."""
    noise = np.zeros((CROP_PX, CROP_PX), np.float32)
    for octave in range(2, 7):
        layer = rng.normal(0, 1, (2**octave, 2**octave)).astype(np.float32)
        noise += cv2.resize(layer, (CROP_PX, CROP_PX), interpolation=cv2.INTER_CUBIC) * 0.55**octave
    return np.asarray(noise / noise.std(), np.float32)


def plain(rng: np.random.Generator) -> Image:
    """Water, bare soil: one colour, a little uneven."""
    colour = rng.uniform(5, 250, 3) if rng.random() < 0.5 else rng.uniform(5, 120) + rng.normal(0, 15, 3)
    uneven = fractal(rng)[..., None] * rng.uniform(0, 8) + rng.normal(0, rng.uniform(0.5, 6), (CROP_PX, CROP_PX, 3))
    return np.asarray(np.clip(colour + uneven, 0, 255), np.uint8)


def shaded(image: Image, mask: Image, rng: np.random.Generator) -> Image:
    """Lighter on one side, as a crown or a roof with two slopes is."""
    depth = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 12)
    across = np.gradient(depth)[int(rng.integers(2))]
    return np.asarray(np.clip(image * (1 + rng.uniform(-25, 25) * across[..., None]), 0, 255), np.uint8)


def shadow(image: Image, mask: Image, rng: np.random.Generator) -> Image:
    """Darker where the shadow of what the mask covers falls."""
    shift = np.array([[1, 0, rng.uniform(-14, 14)], [0, 1, rng.uniform(-14, 14)]])
    moved = cv2.warpAffine(mask, shift, (CROP_PX, CROP_PX)).astype(np.float32)
    return np.asarray(image * (1 - rng.uniform(0.3, 0.7) * cv2.GaussianBlur(moved, (0, 0), 1)[..., None]), np.uint8)
