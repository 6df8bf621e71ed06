"""Straight sides and sharp corners: an outline drawn anew with as few sides as its shape is worth.

Where sides begin is found by dynamic programming over all sets of the outline's vertices: the best one has the least sum of
squared distances to its sides' lines and of a price for each side (Perez and Vidal, Optimum polygonal approximation of
digitized curves, Pattern Recognition Letters 15, 1994). Corners are where neighbouring lines cross, so that they are sharp
though a model rounds them; bends become several short sides.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from shapely import LinearRing, LineString, Polygon
from shapely.ops import substring

SIDE_PRICE_PX3 = 40.0
"""What a further side costs: squared distances in pixels, integrated along the outline."""

MOST_VERTICES = 400
"""Longer outlines are simplified before, with twice the tolerance until they have no more."""

ROUNDED_PX = 3.0
ROUNDED_SHARE = 0.2
"""So much at both ends of a side, at most, is taken for a rounded corner and tells nothing of the side's direction."""

CORNER_REACH_PX = 6.0
"""A corner lies no farther from the outline; where lines cross farther away, the middle of their nearest points is taken."""

LEAST_TURN_SIN = 0.17
"""Sine of the angle below which two lines are taken for parallel."""

MIN_SIDES = 3
MIN_IOU = 0.85
"""A straightened outline that overlaps the free one less is not taken."""

Floats = npt.NDArray[np.float64]


def straightened(part: Polygon, pixel_m: float) -> Polygon:
    """A polygon, in metres, with straight sides; as it was where none fit, or where they would cross.

    pixel_m: size of the pixels in which it was found.
    """
    shell, *holes = (_straight_ring(np.asarray(ring.coords) / pixel_m) * pixel_m for ring in (part.exterior, *part.interiors))
    found = Polygon(shell, holes)
    if not found.is_valid or found.intersection(part).area < MIN_IOU * found.union(part).area:
        return part
    return found


def _straight_ring(closed_xy: Floats) -> Floats:
    """(m, 2) corners of a closed ring (n, 2), in pixels; the ring itself where it has too few sides."""
    tolerance_px = 0.5
    ring = LinearRing(closed_xy)
    while len(ring.coords) - 1 > MOST_VERTICES:
        ring = ring.simplify(tolerance_px)
        tolerance_px *= 2
    xy = np.asarray(ring.coords)[:-1]
    starts = _side_starts(_deviations(xy))
    if len(starts) < MIN_SIDES:
        return closed_xy
    sides = [_side(xy, start, end) for start, end in zip(starts, np.roll(starts, -1), strict=True)]
    before = [sides[-1], *sides[:-1]]
    return np.array([_corner(one, other, xy[start]) for one, other, start in zip(before, sides, starts, strict=True)])


def _moments(from_xy: Floats, to_xy: Floats) -> Floats:
    """(n, 6) integrals of 1, x, y, x², y² and xy along straight edges (n, 2) to (n, 2)."""
    lengths = np.hypot(*(to_xy - from_xy).T)
    (x0, y0), (x1, y1) = from_xy.T, to_xy.T
    squares = (x0 * x0 + x0 * x1 + x1 * x1) / 3, (y0 * y0 + y0 * y1 + y1 * y1) / 3
    product = (2 * x0 * y0 + 2 * x1 * y1 + x0 * y1 + x1 * y0) / 6
    return np.stack((lengths, *(lengths * each for each in ((x0 + x1) / 2, (y0 + y1) / 2, *squares, product))), axis=1)


def _deviations(xy: Floats) -> Floats:
    """(n, n) of a ring's vertices (n, 2): [i, k] integrates squared distances to the line that fits edges i to i + k best."""
    count = len(xy)
    centred = xy - xy.mean(axis=0)
    edges = _moments(centred, np.roll(centred, -1, axis=0))
    sums = np.concatenate((np.zeros((1, 6)), np.cumsum(np.concatenate((edges, edges)), axis=0)))
    first, after = np.arange(count)[:, None], np.arange(1, count + 1)[None]
    length, sum_x, sum_y, sum_xx, sum_yy, sum_xy = np.moveaxis(sums[first + after] - sums[first], -1, 0)
    spread_x, spread_y, mixed = sum_xx - sum_x**2 / length, sum_yy - sum_y**2 / length, sum_xy - sum_x * sum_y / length
    smaller_eigenvalue = (spread_x + spread_y) / 2 - np.hypot((spread_x - spread_y) / 2, mixed)
    return np.asarray(np.maximum(smaller_eigenvalue, 0))


def _side_starts(deviations: Floats) -> npt.NDArray[np.intp]:
    """Numbers of the vertices where sides begin, ascending: first as if one were 0, then with one of those for certain."""
    some = _starts_from(0, deviations)
    return np.sort(_starts_from(int(some[len(some) // 2]), deviations))


def _starts_from(origin: int, deviations: Floats) -> npt.NDArray[np.intp]:
    """As `_side_starts`, one of them given."""
    count = len(deviations)
    cost, previous = np.zeros(count + 1), np.zeros(count + 1, np.intp)
    for end in range(1, count + 1):
        starts = np.arange(end)
        ways = cost[:end] + deviations[(origin + starts) % count, end - starts - 1] + SIDE_PRICE_PX3
        previous[end] = ways.argmin()
        cost[end] = ways[previous[end]]
    chain = [int(previous[count])]
    while chain[-1] > 0:
        chain.append(int(previous[chain[-1]]))
    return (origin + np.array(chain[::-1])) % count


def _side(xy: Floats, start: int, end: int) -> tuple[Floats, Floats]:
    """A point and the direction of the line that fits a side best, from vertex to vertex but for its rounded ends."""
    count = len(xy)
    line = LineString(xy[np.arange(start, start + ((end - start) % count or count) + 1) % count])
    rounded_px = min(ROUNDED_PX, ROUNDED_SHARE * line.length)
    middle_part = np.asarray(substring(line, rounded_px, line.length - rounded_px).coords)
    offset = middle_part.mean(axis=0)
    length, *sums = _moments(middle_part[:-1] - offset, middle_part[1:] - offset).sum(axis=0)
    x, y, xx, yy, xy_ = (each / length for each in sums)
    angle = np.arctan2(2 * (xy_ - x * y), xx - x * x - yy + y * y) / 2
    return offset + np.array((x, y)), np.array((np.cos(angle), np.sin(angle)))


def _corner(before: tuple[Floats, Floats], after: tuple[Floats, Floats], near: Floats) -> Floats:
    """Where two lines cross if that is near enough to a vertex, else the middle of what is nearest to it on both."""
    (at, along), (other_at, other_along) = before, after
    if abs(along[0] * other_along[1] - along[1] * other_along[0]) > LEAST_TURN_SIN:
        distance = np.linalg.solve(np.stack((along, -other_along), axis=1), other_at - at)[0]
        corner = at + distance * along
        if np.hypot(*(corner - near)) <= CORNER_REACH_PX:
            return np.asarray(corner)
    nearest = at + (near - at) @ along * along, other_at + (near - other_at) @ other_along * other_along
    return np.asarray((nearest[0] + nearest[1]) / 2)
