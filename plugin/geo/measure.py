"""Lengths and areas on the ground."""

from __future__ import annotations

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsDistanceArea,
    QgsGeometry,
    QgsProject,
    QgsUnitTypes,
)


def in_map_units(metres: float, crs: QgsCoordinateReferenceSystem) -> float:
    """A length on the ground, roughly where the CRS is in degrees."""
    return metres * QgsUnitTypes.fromUnitToUnitFactor(QgsUnitTypes.DistanceUnit.DistanceMeters, crs.mapUnits())


def area_m2(geometry: QgsGeometry, crs: QgsCoordinateReferenceSystem, project: QgsProject) -> float | None:
    """Area on the CRS's ellipsoid in m²; None without a CRS."""
    if not crs.isValid():
        return None
    measure = QgsDistanceArea()
    measure.setSourceCrs(crs, project.transformContext())
    measure.setEllipsoid(crs.ellipsoidAcronym() or "EPSG:7030")
    return measure.measureArea(geometry)
