"""From a raster layer of the map to what the engine opens, and from the map's scale to a level."""

from __future__ import annotations

import math

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsCsException,
    QgsPointXY,
    QgsProviderRegistry,
    QgsRasterLayer,
    QgsRectangle,
)

from .errors import CoordinatesUntransformable, ImageryInvalid, ImageryUnsupported, NoImagery


def raster_path(layer: QgsRasterLayer | None) -> str:
    """What GDAL opens for the layer; raises `NoImagery`, `ImageryInvalid`, `ImageryUnsupported`."""
    if layer is None:
        raise NoImagery()
    if layer.providerType() != "gdal":
        raise ImageryUnsupported(layer=layer.name(), provider=layer.providerType())
    if not layer.isValid():
        raise ImageryInvalid(layer=layer.name())
    parts = QgsProviderRegistry.instance().decodeUri("gdal", layer.source())
    if parts.get("layerName") or not parts.get("path"):
        return layer.source()
    return f"{parts.get('vsiPrefix') or ''}{parts['path']}{parts.get('vsiSuffix') or ''}"


def level_at(layer: QgsRasterLayer, center: QgsPointXY, map_units_per_pixel: float, transform: QgsCoordinateTransform) -> int:
    """The level whose pixels are nearest to the map's, so that what is segmented is what is seen.

    transform: map to layer. Raises `CoordinatesUntransformable`.
    """
    here = transformed(center, transform)
    right = transformed(QgsPointXY(center.x() + map_units_per_pixel, center.y()), transform)
    native_px = math.hypot(
        (right.x() - here.x()) / layer.rasterUnitsPerPixelX(), (right.y() - here.y()) / layer.rasterUnitsPerPixelY()
    )
    return round(math.log2(native_px)) if native_px > 0 else 0


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


def _untransformable(transform: QgsCoordinateTransform, error: QgsCsException) -> CoordinatesUntransformable:
    return CoordinatesUntransformable(
        source=transform.sourceCrs().authid(), target=transform.destinationCrs().authid(), reason=str(error)
    )
