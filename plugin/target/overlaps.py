"""The project's own setting for new polygons: not to overlap those that are there."""

from __future__ import annotations

from contextlib import suppress

from qgis.core import Qgis, QgsFeatureRequest, QgsGeometry, QgsProject, QgsVectorLayer, QgsWkbTypes

from ...contract.errors import RasterLassoError
from ..geo.transforms import transform_between, transformed_box, transformed_shape

MODES = getattr(Qgis, "AvoidIntersectionsMode", None) or QgsProject.AvoidIntersectionsMode
"""QGIS moved it in 3.26."""


def without_overlaps(polygon: QgsGeometry, layer: QgsVectorLayer, project: QgsProject, feature_id: int | None) -> QgsGeometry:
    """A polygon (in the layer's CRS) less what the project says that it must not overlap; empty where nothing is left.

    feature_id: the polygon's own, where it is in the layer already.
    """
    mode = project.avoidIntersectionsMode()
    if mode == MODES.AvoidIntersectionsCurrentLayer:
        others = [layer]
    elif mode == MODES.AvoidIntersectionsLayers:
        others = project.avoidIntersectionsLayers()
    else:
        return polygon
    taken = [shape for other in others for shape in _near(polygon, other, layer, project, feature_id)]
    if not taken:
        return polygon
    left = polygon.difference(QgsGeometry.unaryUnion(taken))
    parts = [part for part in left.asGeometryCollection() if part.type() == QgsWkbTypes.GeometryType.PolygonGeometry]
    return QgsGeometry.collectGeometry(parts) if parts else QgsGeometry.fromMultiPolygonXY([])


def _near(
    polygon: QgsGeometry, other: QgsVectorLayer, layer: QgsVectorLayer, project: QgsProject, feature_id: int | None
) -> list[QgsGeometry]:
    """The shapes of a layer that a polygon meets, in the CRS of its own layer."""
    if other.geometryType() != QgsWkbTypes.GeometryType.PolygonGeometry:
        return []
    there = transform_between(layer.crs(), other.crs(), project.transformContext())
    back = transform_between(other.crs(), layer.crs(), project.transformContext())
    try:
        request = QgsFeatureRequest(transformed_box(polygon.boundingBox(), there))
    except RasterLassoError:  # the polygon can't be placed there, so nothing of the layer is near
        return []
    found = []
    for feature in other.getFeatures(request):
        if feature.hasGeometry() and not (other is layer and feature.id() == feature_id):
            with suppress(RasterLassoError):  # what can't be placed here meets nothing here
                found.append(transformed_shape(feature.geometry(), back))
    sound = (shape if shape.isGeosValid() else shape.makeValid() for shape in found)
    return [shape for shape in sound if shape.intersects(polygon)]
