"""How a coordinate reference system is named to others."""

from __future__ import annotations

from qgis.core import QgsCoordinateReferenceSystem


def crs_code(crs: QgsCoordinateReferenceSystem) -> str:
    """An authority's code, or WKT for what is known on this machine alone; empty where there is none."""
    is_public = crs.authid() and not crs.authid().startswith(("USER:", "CUSTOM:"))
    return crs.authid() if is_public else crs.toWkt()
