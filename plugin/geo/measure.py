"""Lengths and areas on the ground."""

from __future__ import annotations

import math

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsDistanceArea,
    QgsGeometry,
    QgsProject,
    QgsUnitTypes,
)

DECIMALS = 1
"""Of areas and lengths that are shown."""


def in_map_units(metres: float, crs: QgsCoordinateReferenceSystem) -> float:
    """A length on the ground, roughly where the CRS is in degrees."""
    return metres * QgsUnitTypes.fromUnitToUnitFactor(QgsUnitTypes.DistanceUnit.DistanceMeters, crs.mapUnits())


def area_m2(geometry: QgsGeometry, crs: QgsCoordinateReferenceSystem, project: QgsProject) -> float | None:
    """Area on the CRS's ellipsoid in m²; None without a CRS."""
    return _measure(crs, project).measureArea(geometry) if crs.isValid() else None


def compactness(geometry: QgsGeometry, crs: QgsCoordinateReferenceSystem, project: QgsProject) -> float:
    """4 π area / perimeter² on the ground (Polsby and Popper, Yale Law & Policy Review 1991): 1 of a circle, 0 of a line."""
    measure = _measure(crs, project)
    perimeter = measure.measurePerimeter(geometry)
    return min(4 * math.pi * measure.measureArea(geometry) / perimeter**2, 1.0) if perimeter > 0 else 0.0


def size_text(geometry: QgsGeometry, crs: QgsCoordinateReferenceSystem, project: QgsProject) -> str:
    """Area and perimeter on the CRS's ellipsoid, in the units of the project; empty without a CRS."""
    if not crs.isValid():
        return ""
    measure = _measure(crs, project)
    area = measure.convertAreaMeasurement(measure.measureArea(geometry), project.areaUnits())
    length = measure.convertLengthMeasurement(measure.measurePerimeter(geometry), project.distanceUnits())
    return " · ".join(
        (
            QgsDistanceArea.formatArea(area, DECIMALS, project.areaUnits()),
            QgsDistanceArea.formatDistance(length, DECIMALS, project.distanceUnits()),
        )
    )


def area_text(geometry: QgsGeometry, crs: QgsCoordinateReferenceSystem, project: QgsProject) -> str:
    """Area as `size_text` has it."""
    return size_text(geometry, crs, project).split(" · ")[0]


def vertex_count(geometry: QgsGeometry) -> int:
    """Of all rings, the first of each counted once."""
    shape = geometry.constGet()
    rings = sum(shape.ringCount(part) for part in range(shape.partCount()))
    return int(shape.nCoordinates()) - rings


def _measure(crs: QgsCoordinateReferenceSystem, project: QgsProject) -> QgsDistanceArea:
    measure = QgsDistanceArea()
    measure.setSourceCrs(crs, project.transformContext())
    measure.setEllipsoid(crs.ellipsoidAcronym() or "EPSG:7030")
    return measure
