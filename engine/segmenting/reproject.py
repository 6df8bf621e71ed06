"""Prompts from another coordinate reference system into the raster's."""

from __future__ import annotations

import numpy as np
import pyproj
import shapely
from pyproj.exceptions import CRSError, ProjError

from ...contract.errors import CrsMissing, CrsUnknown, PromptNotANumber
from ...contract.prompts import Box, Point, Prompts
from .placement import from_hex

BOX_EDGE_POINTS = 21
"""A box from another CRS is bounded by so many points on each edge."""


def reprojected(prompts: Prompts, crs: str, raster_wkt: str | None, path: str) -> Prompts:
    """Prompts in `crs` ("EPSG:4326") as the CRS of a raster has them.

    Axes are x (east, longitude) first. A box becomes the box around it. Raises `CrsUnknown`, `CrsMissing` where the raster has
    none, and `PromptNotANumber`.
    """
    try:
        source = pyproj.CRS.from_user_input(crs)
    except CRSError as error:
        raise CrsUnknown(crs=crs, reason=str(error).splitlines()[0]) from error
    if raster_wkt is None:
        raise CrsMissing(path=path, crs=crs)
    try:
        transformer = pyproj.Transformer.from_crs(source, raster_wkt, always_xy=True)
    except ProjError as error:  # between planets, and to local ones, there is no way
        raise CrsUnknown(crs=crs, reason=f"there is no way from it to that of {path}: {error}") from error
    points = []
    for point in prompts.points:
        x, y = transformer.transform(point.x, point.y)
        if not np.isfinite((x, y)).all():
            raise PromptNotANumber(x=point.x, y=point.y)
        points.append(Point(x, y, point.foreground))
    box = prompts.box
    if box is not None:
        left, right = sorted((box.x0, box.x1))
        bottom, top = sorted((box.y0, box.y1))
        bounds = transformer.transform_bounds(left, bottom, right, top, densify_pts=BOX_EDGE_POINTS)
        if not np.isfinite(bounds).all():
            raise PromptNotANumber(x=left, y=bottom)
        box = Box(*bounds)
    polygon = prompts.polygon
    if polygon is not None:
        there = shapely.transform(from_hex(polygon), transformer.transform, interleaved=False)
        polygon = shapely.to_wkb(there, hex=True)
    return Prompts(tuple(points), box, polygon)
