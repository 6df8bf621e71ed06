"""The cartographer's hand on an outline: simpler, smoother, rectangular, without specks, wider or narrower.

All lengths are in metres on the ground, measured at the object (pixels where the raster has no CRS). A step that would change
the shape too much is left out.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import shapely
from shapely import LinearRing, MultiPolygon, Polygon

from ...contract.looks import Finish
from ..rasters.ground import metres_per_pixel
from ..rasters.source import RasterSource
from .contours import polygonal, simplified

MIN_RIGHT_ANGLE_IOU = 0.9
"""A rectangular outline that covers less of the free one is not taken."""

SHORT_WALL_PX = 2.0

CHAIKIN_STEPS = 2
CORNER_PX = 4.0
"""Edges are cut to this length before, so that no corner loses more than a pixel or so."""

SMOOTH_TOLERANCE_PX = 0.35
"""What smoothing adds in vertices is taken back with this tolerance."""

Floats = npt.NDArray[np.float64]


def finished(polygon: Polygon | MultiPolygon, source: RasterSource, level: int, finish: Finish) -> Polygon | MultiPolygon:
    """A polygon in the raster's CRS, finished; valid, shells counter-clockwise. As it was where nothing would be left of it."""
    if finish == Finish():
        return polygon
    metres = metres_per_pixel(source, source.to_pixel(shapely.get_coordinates(polygon.centroid))[0])
    pixel_m = float(np.sqrt(metres[0] * metres[1])) * 2.0**level
    plane = shapely.transform(polygon, lambda xy: source.to_pixel(xy) * metres)
    for step in _steps(finish, pixel_m):
        changed = polygonal(step(plane))
        plane = plane if changed is None else changed
    found = polygonal(shapely.transform(plane, lambda xy: source.to_map(xy / metres)))
    return polygon if found is None else found


def _steps(finish: Finish, pixel_m: float) -> list[Callable[[Polygon | MultiPolygon], shapely.Geometry]]:
    steps: list[Callable[[Polygon | MultiPolygon], shapely.Geometry]] = []
    if finish.min_area_m2 > 0:
        steps.append(lambda shape: _without_specks(shape, finish.min_area_m2))
    tolerance_m = max(finish.tolerance_m, finish.tolerance_px * pixel_m)
    if tolerance_m > 0:
        steps.append(lambda shape: simplified(shape, tolerance_m))
    if finish.right_angles:
        steps.append(lambda shape: _each_part(shape, lambda part: _rectangular(part, pixel_m)))
    if finish.smooth:
        smooth_m = SMOOTH_TOLERANCE_PX * pixel_m
        corner = CORNER_PX * pixel_m
        steps.append(lambda shape: simplified(_smoothed(shape.segmentize(corner)), smooth_m))
    if finish.grow_m:
        steps.append(lambda shape: shape.buffer(finish.grow_m, join_style="mitre"))
    return steps


def _each_part(shape: Polygon | MultiPolygon, change: Callable[[Polygon], Polygon]) -> shapely.Geometry:
    return shapely.union_all([change(part) for part in shapely.get_parts(shape)])


def _without_specks(shape: Polygon | MultiPolygon, min_area_m2: float) -> shapely.Geometry:
    """Small holes filled and small parts dropped, but for the largest."""
    parts = sorted(shapely.get_parts(shape), key=lambda part: part.area, reverse=True)
    kept = [part for index, part in enumerate(parts) if index == 0 or part.area >= min_area_m2]
    return shapely.union_all(
        [Polygon(part.exterior, [hole for hole in part.interiors if Polygon(hole).area >= min_area_m2]) for part in kept]
    )


def _smoothed(shape: Polygon | MultiPolygon) -> shapely.Geometry:
    """Corners cut (Chaikin 1974), the rings closed throughout."""

    def cut(ring: LinearRing) -> LinearRing:
        xy = np.asarray(ring.coords)[:-1]
        for _ in range(CHAIKIN_STEPS):
            after = np.roll(xy, -1, axis=0)
            xy = np.stack((0.75 * xy + 0.25 * after, 0.25 * xy + 0.75 * after), axis=1).reshape(-1, 2)
        return LinearRing(xy)

    return _each_part(shape, lambda part: Polygon(cut(part.exterior), [cut(hole) for hole in part.interiors]))


def _rectangular(part: Polygon, pixel_m: float) -> Polygon:
    """With edges along one direction and across it, where that keeps the shape."""
    angle = _dominant_angle(part)
    turned = shapely.transform(part, lambda xy: _rotated(xy, -angle))
    rings = [_stepped(np.asarray(ring.coords)[:-1], pixel_m) for ring in (turned.exterior, *turned.interiors)]
    if rings[0] is None:
        return part
    squared = Polygon(rings[0], [ring for ring in rings[1:] if ring is not None])
    back = polygonal(shapely.transform(squared, lambda xy: _rotated(xy, angle)))
    if not isinstance(back, Polygon) or back.intersection(part).area < MIN_RIGHT_ANGLE_IOU * back.union(part).area:
        return part
    return back


def _dominant_angle(part: Polygon) -> float:
    """The direction of most of the outline's length, up to quarter turns: the mean of the edges' angles, four times."""
    edges = np.diff(np.asarray(part.exterior.coords), axis=0)
    angles, lengths = np.arctan2(edges[:, 1], edges[:, 0]), np.hypot(*edges.T)
    return float(np.angle((lengths**2 * np.exp(4j * angles)).sum()) / 4)


def _rotated(xy: Floats, angle: float) -> Floats:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(xy @ np.array([[cos, sin], [-sin, cos]]))


def _stepped(xy: Floats, pixel_m: float) -> Floats | None:
    """A ring of edges along x and along y in turn, through the middles of the runs of edges of either kind."""
    edges = np.roll(xy, -1, axis=0) - xy
    is_along_x = np.abs(edges[:, 0]) >= np.abs(edges[:, 1])
    turns = np.flatnonzero(is_along_x != np.roll(is_along_x, 1))
    if len(turns) < 4:
        return None
    places = []
    for start, end in zip(turns, np.roll(turns, -1), strict=True):
        run = np.arange(start, end if end > start else end + len(xy)) % len(xy)
        axis = 1 if is_along_x[start] else 0
        lengths = np.abs(edges[run, 1 - axis]) + 1e-9
        middles = (xy[run, axis] + xy[(run + 1) % len(xy), axis]) / 2
        places.append((axis, float((middles * lengths).sum() / lengths.sum()), float(lengths.sum())))
    places = _without_short_steps(places, pixel_m)
    if len(places) < 4:
        return None
    corners = []
    for (axis, place, _), (_, other, _) in zip(places, [*places[1:], places[0]], strict=True):
        corners.append((other, place) if axis == 1 else (place, other))
    return np.array(corners)


def _without_short_steps(places: list[tuple[int, float, float]], pixel_m: float) -> list[tuple[int, float, float]]:
    """Short runs are no walls: the ones beside them become one."""
    while len(places) > 4:
        index = min(range(len(places)), key=lambda each: places[each][2])
        if places[index][2] >= SHORT_WALL_PX * pixel_m:
            break
        start = index - 1 if index else len(places) - 1
        before, _, after, *others = places[start:] + places[:start]
        length = before[2] + after[2]
        places = [(before[0], (before[1] * before[2] + after[1] * after[2]) / length, length), *others]
    return places
