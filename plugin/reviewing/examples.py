"""The features of the target that the rest is to be like."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsCoordinateTransform,
    QgsExpression,
    QgsFeatureRequest,
    QgsGeometry,
    QgsRectangle,
    QgsVectorLayer,
    QgsWkbTypes,
)

from ..geo.transforms import transformed_box, transformed_shape
from ..target.classes import classes_of

MOST = 24
"""So many are enough to tell what is meant."""

KNOWN_SHARE = 0.3
"""A proposal that lies on a feature with more of its area is known already."""


def examples_of(
    layer: QgsVectorLayer, class_name: Any, view: QgsRectangle, to_imagery: QgsCoordinateTransform
) -> list[QgsGeometry]:
    """Polygons in the imagery's CRS: what is selected in the layer, else features of the class in view (in the imagery's CRS).

    to_imagery: from the layer's CRS. Raises `CoordinatesUntransformable`.
    """
    if layer.geometryType() != QgsWkbTypes.GeometryType.PolygonGeometry:
        return []
    request = QgsFeatureRequest()
    if layer.selectedFeatureCount():
        request.setFilterFids(layer.selectedFeatureIds())
    else:
        request.setFilterRect(_reversed_box(view, to_imagery))
        field = classes_of(layer)[0]
        if class_name not in (None, "") and layer.fields().lookupField(field) >= 0:
            request.setFilterExpression(QgsExpression.createFieldEqualityExpression(field, class_name))
    request.setLimit(MOST)
    shapes = (feature.geometry() for feature in layer.getFeatures(request) if feature.hasGeometry())
    return [transformed_shape(shape, to_imagery) for shape in shapes if not shape.isEmpty()]


def is_known(polygon: QgsGeometry, layer: QgsVectorLayer, to_layer: QgsCoordinateTransform) -> bool:
    """Whether a proposal (in the imagery's CRS) lies on a feature of the layer; raises `CoordinatesUntransformable`."""
    if layer.geometryType() != QgsWkbTypes.GeometryType.PolygonGeometry:
        return False
    there = transformed_shape(polygon, to_layer)
    request = QgsFeatureRequest().setFilterRect(there.boundingBox()).setNoAttributes()
    features = (each.geometry() for each in layer.getFeatures(request) if each.hasGeometry())
    return any(there.intersection(shape).area() > KNOWN_SHARE * there.area() for shape in features)


def _reversed_box(view: QgsRectangle, to_imagery: QgsCoordinateTransform) -> QgsRectangle:
    back = QgsCoordinateTransform(to_imagery.destinationCrs(), to_imagery.sourceCrs(), to_imagery.context())
    return transformed_box(view, back)
