"""Logits to polygons: sub-pixel contours, cleaned, always valid. And polygons to masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from contourpy import FillType, contour_generator
from rasterio.features import rasterize
from shapely import MultiPolygon, Polygon

from ...models.base import FloatImage, Mask
from ..spreading.mosaic import LogitField
from ..tiles.grid import PixelBox, Tile, TileGrid

LOGIT_LIMIT = 8.0
"""Logits are cut here, so that one extreme pixel does not pull the contour to its neighbour's middle."""

TOLERANCE_PX = 0.5
"""Simplification: no vertex moves the outline by more, in pixels of the tile."""

SEAM_GRID_PX = 1 / 1024
"""Pieces of a contour are joined on this grid: their ends, computed twice, differ by rounding."""

MIN_RING_COORDINATES = 4
"""Of a closed ring, the first one counted twice."""

MIN_HOLE_PX = 16.0
"""Smaller holes are closed unless a background click is in them."""

MIN_PART_SHARE = 0.05
"""Without clicks to tell, parts smaller than this share of the largest are dropped."""


def outline(
    logits: FloatImage, foreground_xy: npt.NDArray[np.float64], background_xy: npt.NDArray[np.float64]
) -> Polygon | MultiPolygon | None:
    """The zero contour of (rows, columns) logits in the tile's continuous pixel coordinates, or None if nothing is inside.

    Marching squares between pixel middles; the tile's frame closes what reaches it. Of several parts those with a
    foreground click (n, 2) stay, without any click those that are not specks.
    """
    return _cleaned(_contours(logits), foreground_xy, background_xy)


def outline_of_mosaic(
    grid: TileGrid,
    field: LogitField,
    outlined: set[Tile],
    foreground_xy: npt.NDArray[np.float64],
    background_xy: npt.NDArray[np.float64],
) -> Polygon | MultiPolygon | None:
    """As `outline`, of a whole level: contours in the cores of the tiles that hold them, and what those enclose."""
    scale = 2.0**field.level
    frame = shapely.box(0, 0, grid.width_px / scale, grid.height_px / scale)
    pieces = [piece for tile in sorted(outlined) for piece in _contours_in_core(grid.core(tile), field, frame)]
    pieces.extend(shapely.intersection(box, frame) for box in _inside_boxes(grid, field, outlined))
    if not pieces:
        return None
    whole = shapely.union_all(pieces, grid_size=SEAM_GRID_PX)
    parts = [part for part in shapely.get_parts(polygonal(whole)) if part is not None]
    return _cleaned(parts, foreground_xy, background_xy)


def _contours_in_core(core: PixelBox, field: LogitField, frame: Polygon) -> list[Polygon]:
    rows, cols = core.shape
    corner = np.array((core.left, core.top))
    found = _contours_within(field.read(core.grown(1)), shapely.box(0, 0, cols, rows))
    return [shapely.intersection(shapely.transform(piece, lambda xy: xy + corner), frame) for piece in found]


def _inside_boxes(grid: TileGrid, field: LogitField, outlined: set[Tile]) -> Iterator[Polygon]:
    """What lies inside without holding any outline: runs of cores along rows that hold some, and runs of whole rows."""
    rows, cols = grid.shape(field.level)
    held = {row: [tile.col for tile in tiles] for row, tiles in groupby(sorted(outlined), lambda tile: tile.row)}
    runs = [(row, row, run) for row, taken in held.items() for run in _gaps(taken, cols)]
    runs += [(top, bottom, (0, cols - 1)) for top, bottom in _gaps(list(held), rows)]
    for top, bottom, (left, right) in runs:
        first, last = grid.core(Tile(field.level, top, left)), grid.core(Tile(field.level, bottom, right))
        if field.read(PixelBox(first.top, first.left, first.top + 1, first.left + 1))[0, 0] > 0:
            yield shapely.box(first.left, first.top, last.right, last.bottom)


def _gaps(taken: Sequence[int], length: int) -> Iterator[tuple[int, int]]:
    """First and last of the runs of numbers below a length that are not among the taken ones, in ascending order."""
    for before, after in pairwise((-1, *taken, length)):
        if after - before > 1:
            yield before + 1, after - 1


def _cleaned(
    parts: list[Polygon], foreground_xy: npt.NDArray[np.float64], background_xy: npt.NDArray[np.float64]
) -> Polygon | MultiPolygon | None:
    if not parts:
        return None
    parts = _keep_meant(parts, shapely.points(foreground_xy))
    holes_for = shapely.points(background_xy)
    filled = [_fill_small_holes(part, holes_for) for part in parts]
    return polygonal(simplified(MultiPolygon(filled) if len(filled) > 1 else filled[0], TOLERANCE_PX))


def burnt(polygon: Polygon | MultiPolygon, shape: tuple[int, int]) -> Mask:
    """(rows, columns) pixels whose middle a polygon in the tile's continuous pixel coordinates covers."""
    return np.asarray(rasterize([polygon], shape, dtype=np.uint8), np.bool_)


def simplified(shape: shapely.Geometry, tolerance: float) -> shapely.Geometry:
    """One or more polygons without the vertices that move their outline by less than a tolerance (Douglas and Peucker 1973).

    Each ring by itself, which is many times faster than minding all of them, unless one collapses or they cross.
    """
    parts = shapely.get_parts(shape).tolist()
    thin = [shapely.simplify(shapely.get_rings(part), tolerance, preserve_topology=False) for part in parts]
    if all((shapely.get_num_coordinates(rings) >= MIN_RING_COORDINATES).all() for rings in thin):
        polygons = [Polygon(rings[0], rings[1:]) for rings in thin]
        found = polygons[0] if len(polygons) == 1 else MultiPolygon(polygons)
        if found.is_valid:
            return found
    return shapely.simplify(shape, tolerance, preserve_topology=True)


def polygonal(geometry: shapely.Geometry) -> Polygon | MultiPolygon | None:
    """The areas of a geometry as a valid, non-empty polygon or multipolygon with counter-clockwise shells, or None."""
    if not geometry.is_valid:
        geometry = shapely.make_valid(geometry, method="structure", keep_collapsed=False)
    areas = [part for part in shapely.get_parts(geometry) if isinstance(part, (Polygon, MultiPolygon)) and part.area > 0]
    if not areas:
        return None
    merged = areas[0] if len(areas) == 1 else shapely.union_all(areas)
    oriented: Polygon | MultiPolygon = shapely.orient_polygons(merged)
    return oriented


def _contours(logits: FloatImage) -> list[Polygon]:
    inside = logits > 0
    rows_inside, cols_inside = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows_inside):
        return []
    # One pixel around what is inside is enough, and saves most of a tile.
    top, left = max(int(rows_inside[0]) - 1, 0), max(int(cols_inside[0]) - 1, 0)
    near = logits[top : rows_inside[-1] + 2, left : cols_inside[-1] + 2]
    return [shapely.transform(part, lambda xy: xy + np.array((left, top))) for part in _contours_of(near)]


def _contours_of(logits: FloatImage) -> list[Polygon]:
    # Continued beyond the frame, then cut there: the contour meets the frame at a right angle and keeps its corners.
    rows, cols = logits.shape
    return _contours_within(np.pad(logits, 1, mode="edge"), shapely.box(0, 0, cols, rows))


def _contours_within(logits: FloatImage, frame: Polygon) -> list[Polygon]:
    """What is inside, of logits that reach one pixel beyond a frame, whose first pixel has its outer corner at (0, 0)."""
    clipped = np.clip(logits, -LOGIT_LIMIT, LOGIT_LIMIT).astype(np.float64)
    clipped[clipped == 0.0] = -1e-9  # zero is outside; the contour must not run through pixel middles
    rows, cols = clipped.shape
    generator = contour_generator(np.arange(cols) - 0.5, np.arange(rows) - 0.5, clipped, fill_type=FillType.OuterOffset)
    points, offsets = generator.filled(0.0, LOGIT_LIMIT + 1)
    polygons: list[Polygon] = []
    for xy, offset in zip(points, offsets, strict=True):
        rings = [xy[start:end] for start, end in pairwise(offset) if end - start > 3]
        if rings:
            area = Polygon(rings[0], rings[1:])
            areas = polygonal(area if frame.contains_properly(area) else shapely.intersection(shapely.make_valid(area), frame))
            polygons.extend(part for part in shapely.get_parts(areas) if part is not None)
    return polygons


def _keep_meant(parts: list[Polygon], foreground: npt.NDArray[Any]) -> list[Polygon]:
    if len(foreground):
        clicked = [part for part in parts if shapely.intersects(part, foreground).any()]
        return clicked or [max(parts, key=lambda part: part.area)]
    largest = max(part.area for part in parts)
    return [part for part in parts if part.area >= MIN_PART_SHARE * largest]


def _fill_small_holes(part: Polygon, background: npt.NDArray[Any]) -> Polygon:
    def stays(hole: shapely.LinearRing) -> bool:
        area = Polygon(hole)
        return bool(area.area >= MIN_HOLE_PX or shapely.intersects(area, background).any())

    return Polygon(part.exterior, [hole for hole in part.interiors if stays(hole)])
