"""The cartographer's hand on an outline: simpler, smoother, straight, rectangular, without specks, wider or narrower.

All lengths are in metres on the ground, measured at the object (pixels where the raster has no CRS). A step that would change
the shape too much is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
import shapely
from shapely import LinearRing, MultiPolygon, Polygon

from ...contract.looks import Finish
from ..rasters.ground import metres_per_pixel
from ..rasters.source import RasterSource
from .contours import polygonal, simplified
from .straight import straightened

MIN_RIGHT_ANGLE_IOU = 0.85
"""A rectangular outline that overlaps the free one less is not taken."""

SHORT_WALLS_PX = (12.0, 8.0, 5.0, 3.0, 2.0)
SHORT_WALL_SHARE = 0.25
"""Steps shorter than these, in pixels and in sides of a square as large as the roof, are tried as no walls."""

VERTEX_COST = 0.004
"""So much more overlap each further vertex has to bring."""

SPECK_PX = 6.0
SPECK_SHARE = 0.01
"""Side of a hole or part, and share of the roof, below which it is a chimney or a shadow, and no courtyard or wing."""

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
    return polygon if found is None else shapely.remove_repeated_points(found)


def _steps(finish: Finish, pixel_m: float) -> list[Callable[[Polygon | MultiPolygon], shapely.Geometry]]:
    steps: list[Callable[[Polygon | MultiPolygon], shapely.Geometry]] = []
    if finish.min_area_m2 > 0:
        steps.append(lambda shape: _without_specks(shape, finish.min_area_m2))
    tolerance_m = max(finish.tolerance_m, finish.tolerance_px * pixel_m)
    if tolerance_m > 0:
        steps.append(lambda shape: simplified(shape, tolerance_m))
    if finish.straight_sides and not finish.right_angles:
        steps.append(lambda shape: _each_part(shape, partial(straightened, pixel_m=pixel_m)))
    if finish.right_angles:
        steps.append(
            lambda shape: _each_part(_without_specks(shape, _speck_m2(shape, pixel_m)), partial(_rectangular, pixel_m=pixel_m))
        )
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


def _speck_m2(shape: Polygon | MultiPolygon, pixel_m: float) -> float:
    """Area of holes and parts of a roof that are none."""
    return max((SPECK_PX * pixel_m) ** 2, SPECK_SHARE * float(shape.area))


def _rectangular(part: Polygon, pixel_m: float) -> Polygon:
    """With edges along one direction and across it, as few as keep the shape; as it was where none do."""
    walls_m = sorted({min(wall_px * pixel_m, SHORT_WALL_SHARE * float(np.sqrt(part.area))) for wall_px in SHORT_WALLS_PX})
    tried = [_squared(part, angle, wall_m) for angle in (_dominant_angle(part), _angle_of_box(part)) for wall_m in walls_m]
    fitting = [each for each in tried if each is not None and each[1] >= MIN_RIGHT_ANGLE_IOU]
    best, _ = max(fitting, key=lambda each: each[1] - VERTEX_COST * shapely.get_num_coordinates(each[0]), default=(part, 1.0))
    return best


def _squared(part: Polygon, angle: float, short_wall_m: float) -> tuple[Polygon, float] | None:
    """Edges along a direction and across it alone, and the IoU; None where that leaves nothing, or crosses itself."""
    turned = shapely.transform(part, lambda xy: _rotated(xy, -angle))
    shell, *holes = (_stepped(np.asarray(ring.coords)[:-1], short_wall_m) for ring in (turned.exterior, *turned.interiors))
    if shell is None:
        return None
    squared = Polygon(shell, [hole for hole in holes if hole is not None])
    if not squared.is_valid:
        return None
    iou = squared.intersection(turned).area / squared.union(turned).area
    return shapely.transform(squared, lambda xy: _rotated(xy, angle)), float(iou)


def _angle_of_box(part: Polygon) -> float:
    """The direction of the smallest box around a shape."""
    xy = np.asarray(part.minimum_rotated_rectangle.exterior.coords)
    dx, dy = xy[1] - xy[0]
    return float(np.arctan2(dy, dx))


def _dominant_angle(part: Polygon) -> float:
    """The direction of most of the outline's length, up to quarter turns: the mean of the edges' angles, four times."""
    edges = np.diff(np.asarray(part.exterior.coords), axis=0)
    angles, lengths = np.arctan2(edges[:, 1], edges[:, 0]), np.hypot(*edges.T)
    return float(np.angle((lengths**2 * np.exp(4j * angles)).sum()) / 4)


def _rotated(xy: Floats, angle: float) -> Floats:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(xy @ np.array([[cos, sin], [-sin, cos]]))


def _stepped(xy: Floats, short_wall_m: float) -> Floats | None:
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
    places = _without_short_steps(places, short_wall_m)
    if len(places) < 4:
        return None
    corners = []
    for (axis, place, _), (_, other, _) in zip(places, [*places[1:], places[0]], strict=True):
        corners.append((other, place) if axis == 1 else (place, other))
    return np.array(corners)


def _without_short_steps(places: list[tuple[int, float, float]], short_wall_m: float) -> list[tuple[int, float, float]]:
    """Short edges are no walls: the ones beside them become one. places: axis, place on it and length of the run of each."""
    while len(places) > 4:
        edges = [abs(after[1] - before[1]) for before, after in zip(_turned(places, -1), _turned(places, 1), strict=True)]
        index = min(range(len(places)), key=edges.__getitem__)
        if edges[index] >= short_wall_m:
            break
        before, _, after, *others = _turned(places, index - 1)
        length = before[2] + after[2]
        places = [(before[0], (before[1] * before[2] + after[1] * after[2]) / length, length), *others]
    return places


def _turned(places: list[tuple[int, float, float]], by: int) -> list[tuple[int, float, float]]:
    return places[by:] + places[:by]
