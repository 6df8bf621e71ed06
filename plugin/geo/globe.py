"""Polygons in longitude and latitude, cut at the antimeridian and closed over a pole (RFC 7946, section 3.1.9)."""

from __future__ import annotations

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransformContext,
    QgsGeometry,
    QgsPointXY,
    QgsRectangle,
    QgsWkbTypes,
)

from ...contract.globe import POLE, TURN, WORLDS, Ring, beside, jumps, unwrapped
from .transforms import transform_between, transformed_shape
from .wkb import rings_of

CYLINDRICAL = ("longlat", "merc", "webmerc", "eqc", "cea", "mill")
"""Projections of PROJ on which the antimeridian is an edge of the map."""

DEGREES = "EPSG:4326"


def placed_in(
    shape: QgsGeometry,
    source: QgsCoordinateReferenceSystem,
    target: QgsCoordinateReferenceSystem,
    context: QgsCoordinateTransformContext,
) -> QgsGeometry:
    """A polygon in another CRS, cut where that ends at the antimeridian; raises `CoordinatesUntransformable`."""
    moved = transformed_shape(shape, transform_between(source, target, context))
    is_area = shape.type() == QgsWkbTypes.GeometryType.PolygonGeometry
    if not is_area or source == target or target.projectionAcronym() not in CYLINDRICAL:
        return moved
    degrees = moved if target.isGeographic() else _in_degrees(shape, source, context)
    cut = on_globe(degrees)
    if cut is None:
        return moved
    if target.isGeographic():
        return cut
    return transformed_shape(cut, transform_between(QgsCoordinateReferenceSystem(DEGREES), target, context))


def on_globe(polygons: QgsGeometry) -> QgsGeometry | None:
    """What lies between -180° and 180°; None where nothing crosses the antimeridian."""
    each = [rings_of(part) for part in polygons.asGeometryCollection()]
    if not any(rings and jumps(rings[0]) for rings in each):
        return None
    parts = [part for rings in each for part in _parts(rings)]
    return QgsGeometry.unaryUnion(parts)


def _in_degrees(
    shape: QgsGeometry, source: QgsCoordinateReferenceSystem, context: QgsCoordinateTransformContext
) -> QgsGeometry:
    return transformed_shape(shape, transform_between(source, QgsCoordinateReferenceSystem(DEGREES), context))


def _parts(rings: list[list[tuple[float, float]]]) -> list[QgsGeometry]:
    if not jumps(rings[0]):
        return [_polygon(rings[0])] if len(rings) == 1 else [QgsGeometry.fromPolygonXY([_points(ring) for ring in rings])]
    shell = unwrapped(rings[0])
    west, east = min(x for x, _ in shell), max(x for x, _ in shell)
    whole = _polygon(shell)
    for hole in rings[1:]:
        whole = whole.difference(_polygon(beside(unwrapped(hole), west, east)))
    found = []
    for turns in WORLDS:
        world = QgsRectangle(TURN * turns - TURN / 2, -POLE, TURN * turns + TURN / 2, POLE)
        piece = whole.intersection(QgsGeometry.fromRect(world))
        if not piece.isEmpty():
            piece.translate(-TURN * turns, 0)
            found += [part for part in piece.asGeometryCollection() if part.area() > 0]
    return found


def _polygon(ring: Ring) -> QgsGeometry:
    polygon = QgsGeometry.fromPolygonXY([_points(ring)])
    return polygon if polygon.isGeosValid() else polygon.makeValid()


def _points(ring: Ring) -> list[QgsPointXY]:
    return [QgsPointXY(x, y) for x, y in ring]
