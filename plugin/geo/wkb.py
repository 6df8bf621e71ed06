"""Geometry as it crosses the pipe: hexadecimal WKB."""

from __future__ import annotations

import struct

from qgis.core import QgsGeometry, QgsWkbTypes

from ...contract.errors import ProtocolError
from ...contract.wkb import checked_wkb


def to_hex(geometry: QgsGeometry) -> str:
    """Of a geometry that is not null."""
    return bytes(geometry.asWkb()).hex()


def from_hex(wkb_hex: str) -> QgsGeometry:
    """Inverse of `to_hex`."""
    geometry = QgsGeometry()
    geometry.fromWkb(bytes.fromhex(wkb_hex))
    return geometry


def polygon_from_hex(wkb_hex: str) -> QgsGeometry:
    """A polygon or multipolygon that encloses something; raises `ProtocolError` for anything else."""
    geometry = QgsGeometry()
    try:
        geometry.fromWkb(checked_wkb(wkb_hex))
    except ValueError as error:
        raise ProtocolError(reason=str(error)) from error
    box = geometry.boundingBox()
    is_polygon = not geometry.isNull() and geometry.type() == QgsWkbTypes.GeometryType.PolygonGeometry
    if not is_polygon or geometry.isEmpty() or not box.isFinite():
        raise ProtocolError(reason="a shape that is no polygon")
    return geometry


def rings_of(geometry: QgsGeometry) -> list[list[tuple[float, float]]]:
    """The rings of a polygon or multipolygon in the order of its vertices' numbers, each as (x, y) and closed.

    Read from WKB at once: to ask QGIS for each vertex takes a hundred times as long.
    """
    data = bytes(geometry.asWkb())
    found: list[list[tuple[float, float]]] = []
    if data:
        _read_rings(data, 0, found)
    return found


def _read_rings(data: bytes, start: int, found: list[list[tuple[float, float]]]) -> int:
    """Appends the rings of the (multi)polygon that begins at a byte; the byte behind it."""
    order = "<" if data[start] == 1 else ">"
    kind, count = struct.unpack_from(f"{order}II", data, start + 1)
    start += 9
    if kind % 1000 == QgsWkbTypes.Type.MultiPolygon:
        for _ in range(count):
            start = _read_rings(data, start, found)
        return start
    dimensions = 2 + {0: 0, 1: 1, 2: 1, 3: 2}[kind // 1000]
    for _ in range(count):
        (length,) = struct.unpack_from(f"{order}I", data, start)
        start += 4
        values = struct.unpack_from(f"{order}{length * dimensions}d", data, start)
        found.append(list(zip(values[0::dimensions], values[1::dimensions])))
        start += 8 * length * dimensions
    return start
