"""Outlines as lines, for coasts, rivers and borders: without what the imagery's frame or nodata makes."""

from __future__ import annotations

from qgis.core import QgsGeometry


def outline_as_lines(polygon: QgsGeometry, data_end: QgsGeometry | None, crossing: float) -> QgsGeometry:
    """The outline of a polygon as lines, without what lies along the end of the data.

    data_end: strip around where data end, in the polygon's CRS; None where they nowhere do. crossing: an outline that lies in
    the strip for no longer than that, in units of the CRS, only meets the end of the data and does not follow it.
    """
    rings = QgsGeometry(polygon.constGet().boundary())
    if data_end is None:
        return rings
    meeting = [part for part in _parts(rings.intersection(data_end)) if part.length() <= crossing]
    return QgsGeometry.collectGeometry([*_parts(rings.difference(data_end)), *meeting]).mergeLines()


def _parts(lines: QgsGeometry) -> list[QgsGeometry]:
    """As few as hang together."""
    return (lines.mergeLines() if lines.isMultipart() else lines).asGeometryCollection()
