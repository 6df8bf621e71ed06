"""How a new polygon gets on with what is there: borders taken over from neighbours."""

from __future__ import annotations

import math
from collections.abc import Iterator

from qgis.analysis import QgsGeometrySnapper
from qgis.core import (
    QgsFeatureRequest,
    QgsGeometry,
    QgsPointXY,
    QgsRectangle,
    QgsSpatialIndex,
    QgsVectorLayer,
    QgsWkbTypes,
)

from ..geo.wkb import rings_of

WELD = 1e-3
"""Of the tolerance: what is nearer than this is the same place."""


def with_shared_borders(
    polygon: QgsGeometry, layer: QgsVectorLayer, tolerance: float, feature_id: int | None = None
) -> tuple[QgsGeometry, dict[int, QgsGeometry]]:
    """A polygon in the layer's CRS, its border moved onto its neighbours'; and the neighbours that get vertices for it, by id.

    What overlaps stays with the older one, so nothing may be left; gaps narrower than the tolerance (in map units) are closed.
    feature_id: the polygon's own, where it is in the layer already. Neighbours keep their shapes, they only gain vertices on
    their edges; invalid ones count as they would be repaired, and stay as they are.
    """
    near = polygon.boundingBox()
    near.grow(2 * tolerance + max(near.width(), near.height()) / 2)  # slivers between may be longer than the polygon
    neighbours = {
        feature.id(): QgsGeometry(feature.geometry())
        for feature in layer.getFeatures(QgsFeatureRequest(near))
        if feature.id() != feature_id and feature.hasGeometry()
    }
    if not neighbours:
        return polygon, {}
    valid = {each: shape for each, shape in neighbours.items() if shape.isGeosValid()}
    repaired = [_polygons(shape.makeValid()) for each, shape in neighbours.items() if each not in valid]
    others = [*valid.values(), *(shape for shape in repaired if not shape.isEmpty())]
    if not others:
        return polygon, {}
    mine = _moved_onto(polygon, others, tolerance, near)
    if mine.isEmpty():
        return mine, {}
    fitted = {each: _with_vertices_of(other, [mine], tolerance * WELD) for each, other in valid.items()}
    around = [*fitted.values(), *others[len(valid) :]]
    mine = _with_slivers_between(mine, _union_near(around, near), tolerance, near)
    mine = _welded(mine, around, tolerance * WELD)
    counts = {each: other.constGet().nCoordinates() for each, other in valid.items()}
    return mine, {each: shape for each, shape in fitted.items() if shape.constGet().nCoordinates() != counts[each]}


def _moved_onto(polygon: QgsGeometry, others: list[QgsGeometry], tolerance: float, near: QgsRectangle) -> QgsGeometry:
    """Without what is taken, its border snapped to the others', and with all their vertices on it."""
    taken = _union_near(others, near)
    snapped = QgsGeometrySnapper.snapGeometry(_polygons(polygon.makeValid().difference(taken)), tolerance, others)
    mine = _without_slivers(_polygons(snapped.makeValid().difference(taken)), tolerance)
    mine = _welded(mine, others, tolerance * WELD)
    mine = _with_vertices_of(mine, [*others, mine], tolerance * WELD)
    return mine if mine.isGeosValid() else _without_slivers(_polygons(mine.makeValid()), tolerance)  # it may touch itself now


def _union_near(shapes: list[QgsGeometry], near: QgsRectangle) -> QgsGeometry:
    """What shapes cover of a box: overlaying all of a large neighbour takes seconds."""
    parts = []
    for shape in shapes:
        part = shape if near.contains(shape.boundingBox()) else shape.clipped(near)
        parts.append(part if part.isGeosValid() else _polygons(part.makeValid()))
    return QgsGeometry.unaryUnion([part for part in parts if not part.isEmpty()])


def _with_slivers_between(mine: QgsGeometry, taken: QgsGeometry, width: float, near: QgsRectangle) -> QgsGeometry:
    """With the holes between a polygon and its neighbours that are narrower than a width, where all neighbours are known."""
    whole = _polygons(QgsGeometry.unaryUnion([mine, taken])).asMultiPolygon()
    holes = [QgsGeometry.fromPolygonXY([ring]) for rings in whole for ring in rings[1:]]
    slivers = [
        hole for hole in holes if _is_sliver(hole, width) and near.contains(hole.boundingBox()) and hole.intersects(mine)
    ]
    return _polygons(QgsGeometry.unaryUnion([mine, *slivers])) if slivers else mine


def _is_sliver(part: QgsGeometry, width: float) -> bool:
    """Whether it is nowhere wider."""
    return part.buffer(-width / 2, 4).isEmpty()


def _polygons(geometry: QgsGeometry) -> QgsGeometry:
    """The polygons of a geometry, as one that may be empty."""
    parts = [part for part in geometry.asGeometryCollection() if part.type() == QgsWkbTypes.GeometryType.PolygonGeometry]
    return QgsGeometry.collectGeometry(parts) if parts else QgsGeometry.fromMultiPolygonXY([])


def _without_slivers(polygons: QgsGeometry, width: float) -> QgsGeometry:
    parts = [part for part in polygons.asGeometryCollection() if not _is_sliver(part, width)]
    return QgsGeometry.collectGeometry(parts) if parts else QgsGeometry.fromMultiPolygonXY([])


def _welded(geometry: QgsGeometry, others: list[QgsGeometry], near_enough: float) -> QgsGeometry:
    """With every vertex that is nearly one of the others', or one of its own before, moved onto it."""
    found = QgsGeometry(geometry)
    known = _places_near(geometry, others, near_enough)
    index = _index_of(known)
    number = -1
    for ring in rings_of(geometry):
        for x, y in ring:
            number += 1
            point = QgsPointXY(x, y)
            box = QgsRectangle(point, point)
            box.grow(near_enough)
            near = min((known[each] for each in index.intersects(box)), key=point.sqrDist, default=None)
            if near is None:
                index.addFeature(len(known), QgsRectangle(point, point))
                known.append(point)
            elif point != near:
                found.moveVertex(near.x(), near.y(), number)
    found.removeDuplicateNodes(0)
    return found


def _with_vertices_of(geometry: QgsGeometry, others: list[QgsGeometry], near_enough: float) -> QgsGeometry:
    """With a vertex on every edge that another geometry has one on, so that both share every edge."""
    places = _places_near(geometry, others, near_enough)
    index = _index_of(places)
    missing = []
    for before, start, end in _edges_near(geometry, places, near_enough):
        box = QgsRectangle(start, end)
        box.normalize()
        box.grow(near_enough)
        on_edge = {
            (start.distance(place), place.x(), place.y())
            for place in (places[number] for number in index.intersects(box))
            if min(start.distance(place), end.distance(place)) > near_enough
            and _distance_to_segment(place, start, end) <= near_enough
        }
        missing += [(before, x, y) for _, x, y in sorted(on_edge)]
    found = QgsGeometry(geometry)
    for before, x, y in reversed(missing):  # from behind, so that the numbers before stay true
        found.insertVertex(x, y, before)
    return found


def _places_near(geometry: QgsGeometry, others: list[QgsGeometry], near_enough: float) -> list[QgsPointXY]:
    """The vertices of other geometries that lie in the box of this one: of a large neighbour few do."""
    box = geometry.boundingBox()
    box.grow(2 * near_enough)
    left, bottom, right, top = box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()
    rings = (ring for other in others for ring in rings_of(other))
    return [QgsPointXY(x, y) for ring in rings for x, y in ring if left <= x <= right and bottom <= y <= top]


def _edges_near(
    geometry: QgsGeometry, places: list[QgsPointXY], near_enough: float
) -> Iterator[tuple[int, QgsPointXY, QgsPointXY]]:
    """Each edge that reaches into the box of the places, with the number of the vertex at its end."""
    if not places:
        return
    xs, ys = [place.x() for place in places], [place.y() for place in places]
    left, right = min(xs) - 2 * near_enough, max(xs) + 2 * near_enough
    bottom, top = min(ys) - 2 * near_enough, max(ys) + 2 * near_enough
    number = 0
    for ring in rings_of(geometry):
        for (x0, y0), (x1, y1) in zip(ring, ring[1:]):
            number += 1
            if (x0 < left and x1 < left) or (x0 > right and x1 > right):
                continue
            if not ((y0 < bottom and y1 < bottom) or (y0 > top and y1 > top)):
                yield number, QgsPointXY(x0, y0), QgsPointXY(x1, y1)
        number += 1


def _index_of(places: list[QgsPointXY]) -> QgsSpatialIndex:
    index = QgsSpatialIndex()
    for number, place in enumerate(places):
        index.addFeature(number, QgsRectangle(place, place))
    return index


def _distance_to_segment(place: QgsPointXY, start: QgsPointXY, end: QgsPointXY) -> float:
    return math.sqrt(place.sqrDistToSegment(start.x(), start.y(), end.x(), end.y())[0])
