"""Geometry as it crosses the pipe: hexadecimal WKB."""

from __future__ import annotations

from qgis.core import QgsGeometry


def to_hex(geometry: QgsGeometry) -> str:
    """Of a geometry that is not null."""
    return bytes(geometry.asWkb()).hex()


def from_hex(wkb_hex: str) -> QgsGeometry:
    """Inverse of `to_hex`."""
    geometry = QgsGeometry()
    geometry.fromWkb(bytes.fromhex(wkb_hex))
    return geometry
