"""Where an outline runs along the end of the data: the raster's frame, or nodata. Lines leave that out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import shapely
from contourpy import LineType, contour_generator
from shapely import LineString, MultiPolygon, Polygon

from ..outlines.contours import polygonal
from ..rasters.scene import Scene
from ..tiles.grid import PixelBox, Window

REACH_PX = 1.5
"""So far from an outline data may end, in pixels of its level: half a pixel is the contour's own, one the model's."""


def data_end(scene: Scene, polygons: Sequence[Polygon | MultiPolygon], level: int) -> Polygon | MultiPolygon | None:
    """The strip around each place where data end beside an outline, in the raster's CRS; None where none do.

    polygons: in the raster's CRS, traced at `level`. Of servers only the frame is known. Raises `RasterError`s.
    """
    source, native = scene.source, 2.0**level
    drawn = [shapely.transform(polygon, lambda xy: source.to_pixel(xy) / native) for polygon in polygons]
    outlines = shapely.union_all([shapely.boundary(each) for each in drawn])
    near = outlines.buffer(REACH_PX)
    frame = shapely.box(0, 0, source.width_px / native, source.height_px / native).exterior
    ends = [frame, *(() if source.is_service else _nodata_edges(scene, outlines, level))]
    there = shapely.intersection(shapely.union_all(ends), near)
    if there.is_empty:
        return None
    return polygonal(shapely.transform(there.buffer(REACH_PX), lambda xy: source.to_map(xy * native)))


def _nodata_edges(scene: Scene, outlines: shapely.Geometry, level: int) -> Iterator[LineString]:
    """Between valid and invalid pixels, where tiles hold some of the outlines; in pixels of the level."""
    source, native = scene.source, 2.0**level
    grid = source.grid
    left, top, right, bottom = (int(value) for value in outlines.bounds)
    shapely.prepare(outlines)
    for tile in grid.tiles_near(level, PixelBox(top, left, bottom + 1, right + 1)):
        box = grid.core(tile).grown(1) & grid.frame(level)
        if not outlines.intersects(shapely.box(box.left, box.top, box.right, box.bottom)):
            continue
        rows, cols = box.shape
        window = Window(box.left * native, box.top * native, box.right * native, box.bottom * native, cols, rows)
        valid = source.read_valid(scene.radiometry.bands, window)
        if not valid.all() and valid.any():
            x, y = np.arange(cols) + box.left + 0.5, np.arange(rows) + box.top + 0.5
            lines = contour_generator(x, y, valid.astype(np.float32), line_type=LineType.Separate).lines(0.5)
            yield from (LineString(line) for line in lines if len(line) > 1)
