"""How a new polygon gets on with what is there: borders taken over from neighbours, lines without the image's frame."""

from __future__ import annotations

from qgis.analysis import QgsGeometrySnapper
from qgis.core import (
    QgsCurve,
    QgsFeatureRequest,
    QgsGeometry,
    QgsPointXY,
    QgsPolygon,
    QgsRectangle,
    QgsVectorLayer,
    QgsWkbTypes,
)

WELD = 1e-3
"""Of the tolerance: what is nearer than this is the same place."""


def with_shared_borders(
    polygon: QgsGeometry, layer: QgsVectorLayer, tolerance: float, feature_id: int | None = None
) -> tuple[QgsGeometry, dict[int, QgsGeometry]]:
    """A polygon in the layer's CRS, its border moved onto its neighbours'; and the neighbours that get vertices for it, by id.

    What overlaps stays with the older one; gaps narrower than the tolerance (in map units) are closed. feature_id: the
    polygon's own, where it is in the layer already. Neighbours keep their shapes, they only gain vertices on their edges.
    """
    near = polygon.boundingBox()
    near.grow(2 * tolerance)
    neighbours = {
        feature.id(): QgsGeometry(feature.geometry())
        for feature in layer.getFeatures(QgsFeatureRequest(near))
        if feature.id() != feature_id and feature.hasGeometry()
    }
    if not neighbours:
        return polygon, {}
    others = list(neighbours.values())
    taken = QgsGeometry.unaryUnion(others)
    free = polygon.makeValid().difference(taken)
    snapped = QgsGeometrySnapper.snapGeometry(free, tolerance, others)
    mine = _areas(_with_slivers_between(snapped.makeValid().difference(taken), taken, tolerance), tolerance)
    if mine.isEmpty():
        return polygon, {}
    near_enough = tolerance * WELD
    mine = _with_vertices_of(_welded(mine, others, near_enough), others, near_enough)
    changed = {}
    for each, other in neighbours.items():
        fitted = _with_vertices_of(other, [mine], near_enough)
        if not fitted.equals(other) or fitted.constGet().nCoordinates() != other.constGet().nCoordinates():
            changed[each] = fitted
    return mine, changed


def _with_slivers_between(mine: QgsGeometry, taken: QgsGeometry, width: float) -> QgsGeometry:
    """With the holes between a polygon and its neighbours that are narrower than a width."""
    rings = QgsGeometry.unaryUnion([mine, taken]).asGeometryCollection()
    holes = [_ring(part.constGet().interiorRing(n)) for part in rings for n in range(part.constGet().numInteriorRings())]
    slivers = [hole for hole in holes if _is_sliver(hole, width) and hole.intersects(mine)]
    return QgsGeometry.unaryUnion([mine, *slivers]) if slivers else mine


def _ring(curve: QgsCurve) -> QgsGeometry:
    return QgsGeometry(QgsPolygon(curve.clone()))


def _is_sliver(part: QgsGeometry, width: float) -> bool:
    return part.area() <= width * part.length() / 2


def _areas(geometry: QgsGeometry, tolerance: float) -> QgsGeometry:
    """The polygons of a geometry, less slivers."""
    parts = [
        part
        for part in geometry.asGeometryCollection()
        if part.type() == QgsWkbTypes.GeometryType.PolygonGeometry and not _is_sliver(part, tolerance)
    ]
    return QgsGeometry.collectGeometry(parts) if parts else QgsGeometry()


def _welded(geometry: QgsGeometry, others: list[QgsGeometry], near_enough: float) -> QgsGeometry:
    """With every vertex that is nearly one of the others' moved onto it."""
    found = QgsGeometry(geometry)
    for number, vertex in enumerate(geometry.vertices()):
        point = QgsPointXY(vertex)
        for other in others:
            nearest, _, _, _, squared = other.closestVertex(point)
            if 0 < squared <= near_enough**2:
                found.moveVertex(nearest.x(), nearest.y(), number)
                break
    found.removeDuplicateNodes(0)
    return found


def _with_vertices_of(geometry: QgsGeometry, others: list[QgsGeometry], near_enough: float) -> QgsGeometry:
    """With a vertex wherever another geometry has one on its outline, so that both share every edge."""
    found = QgsGeometry(geometry)
    near = geometry.boundingBox()
    near.grow(near_enough)
    for other in others:
        for vertex in other.vertices():
            point = QgsPointXY(vertex)
            if not near.contains(point):
                continue
            squared, _, after, _ = found.closestSegmentWithContext(point)
            if after < 0 or squared > near_enough**2 or found.closestVertex(point)[4] <= near_enough**2:
                continue
            found.insertVertex(point.x(), point.y(), after)
    return found


def outline_as_lines(polygon: QgsGeometry, frame: QgsRectangle, margin: float) -> QgsGeometry:
    """A polygon's outline, without what lies along the imagery's frame (within a margin, in map units)."""
    line = QgsWkbTypes.GeometryType.LineGeometry
    edge = QgsGeometry.fromRect(frame).convertToType(line)
    return polygon.convertToType(line, True).difference(edge.buffer(margin, 4)).mergeLines()
