"""Transforms between reference systems by the project's own choices, with errors of ours."""

from __future__ import annotations

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsCsException,
    QgsGeometry,
    QgsPointXY,
    QgsRectangle,
)

from ..errors import CoordinatesUntransformable


def transform_between(
    source: QgsCoordinateReferenceSystem, target: QgsCoordinateReferenceSystem, context: QgsCoordinateTransformContext
) -> QgsCoordinateTransform:
    """By the user's choices in `context`, the project's; leaves coordinates as they are where either CRS is unknown."""
    return QgsCoordinateTransform(source, target, context)


def transformed(point: QgsPointXY, transform: QgsCoordinateTransform) -> QgsPointXY:
    """Raises `CoordinatesUntransformable`."""
    try:
        return transform.transform(point)
    except QgsCsException as error:
        raise _untransformable(transform, error) from error


def transformed_box(box: QgsRectangle, transform: QgsCoordinateTransform) -> QgsRectangle:
    """The box around the transformed box; raises `CoordinatesUntransformable`."""
    try:
        return transform.transformBoundingBox(box)
    except QgsCsException as error:
        raise _untransformable(transform, error) from error


def transformed_shape(shape: QgsGeometry, transform: QgsCoordinateTransform) -> QgsGeometry:
    """Raises `CoordinatesUntransformable`."""
    found = QgsGeometry(shape)
    try:
        found.transform(transform)
    except QgsCsException as error:
        raise _untransformable(transform, error) from error
    return found


def _untransformable(transform: QgsCoordinateTransform, error: QgsCsException) -> CoordinatesUntransformable:
    return CoordinatesUntransformable(
        source=transform.sourceCrs().authid(), target=transform.destinationCrs().authid(), reason=str(error)
    )
