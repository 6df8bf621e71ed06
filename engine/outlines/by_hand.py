"""Outlines changed by hand, done again to what is found now."""

from __future__ import annotations

from collections.abc import Sequence

import shapely
from shapely import MultiPolygon, Polygon

from ...contract.edits import Edit
from .contours import polygonal

ROUNDING = 1e-6
"""Share of a polygon's extent within which vertices on straight edges are leftovers of the overlays."""


def edited(polygon: Polygon | MultiPolygon, edits: Sequence[Edit]) -> Polygon | MultiPolygon | None:
    """A polygon with edits of its CRS done to it, in turn; None where nothing is left."""
    shape: shapely.Geometry = polygon
    for edit in edits:
        if edit.added:
            shape = shape.union(shapely.from_wkb(edit.added))
        if edit.removed:
            shape = shape.difference(shapely.from_wkb(edit.removed))
    if not edits:
        return polygon
    x0, y0, x1, y1 = polygon.bounds
    return polygonal(shape.simplify(ROUNDING * max(x1 - x0, y1 - y0)))
