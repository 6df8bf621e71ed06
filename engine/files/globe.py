"""Polygons in longitude and latitude, cut at the antimeridian and closed over a pole (RFC 7946, section 3.1.9)."""

from __future__ import annotations

import shapely
from shapely import MultiPolygon, Polygon, affinity

from ...contract.globe import POLE, TURN, WORLDS, beside, jumps, unwrapped
from ..outlines.contours import polygonal


def on_globe(shape: shapely.Geometry) -> shapely.Geometry:
    """A polygon or multipolygon as it lies between -180° and 180°; what does not cross the antimeridian stays as it is."""
    if not isinstance(shape, (Polygon, MultiPolygon)):
        return shape
    parts = [part for polygon in shapely.get_parts(shape).tolist() for part in _parts(polygon)]
    return shape if parts == shapely.get_parts(shape).tolist() else polygonal(shapely.union_all(parts)) or shape


def _parts(polygon: Polygon) -> list[Polygon]:
    if not jumps(list(polygon.exterior.coords)):
        return [polygon]
    shell = unwrapped(list(polygon.exterior.coords))
    west, east = min(x for x, _ in shell), max(x for x, _ in shell)
    whole = Polygon(shell).buffer(0)
    for hole in polygon.interiors:
        whole = whole.difference(Polygon(beside(unwrapped(list(hole.coords)), west, east)).buffer(0))
    found = []
    for turns in WORLDS:
        world = shapely.box(TURN * turns - TURN / 2, -POLE, TURN * turns + TURN / 2, POLE)
        piece = polygonal(whole.intersection(world))
        if piece is not None:
            found += shapely.get_parts(affinity.translate(piece, -TURN * turns)).tolist()
    return found
