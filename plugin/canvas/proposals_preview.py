"""What the canvas shows of a review: all that waits, and the one that is looked at."""

from __future__ import annotations

from collections.abc import Sequence

from qgis.core import QgsCoordinateReferenceSystem, QgsGeometry, QgsWkbTypes
from qgis.gui import QgsMapCanvas, QgsRubberBand
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QColor

WAITING = QColor(86, 180, 233)
"""Told apart from drafts and hints, also by who sees no red or green (Okabe and Ito, 2008)."""

CURRENT = QColor(230, 159, 0)
HALO = QColor(0, 0, 0, 160)
NOTHING = QColor(0, 0, 0, 0)
POLYGON = QgsWkbTypes.GeometryType.PolygonGeometry


class ProposalsPreview:
    """Owns the canvas items; `remove` takes them from the scene."""

    def __init__(self, canvas: QgsMapCanvas) -> None:
        self._canvas = canvas
        self._waiting, self._current = QgsRubberBand(canvas, POLYGON), QgsRubberBand(canvas, POLYGON)
        for band, colour, width in ((self._waiting, WAITING, 1), (self._current, CURRENT, 3)):
            band.setFillColor(NOTHING)
            band.setStrokeColor(colour)
            band.setSecondaryStrokeColor(HALO)
            band.setWidth(width)
        self._waiting.setLineStyle(Qt.PenStyle.DashLine)

    def show(self, waiting: Sequence[QgsGeometry], current: QgsGeometry | None, crs: QgsCoordinateReferenceSystem) -> None:
        """Show polygons in `crs`."""
        self._waiting.reset(POLYGON)
        self._current.reset(POLYGON)
        if waiting:
            self._waiting.setToGeometry(QgsGeometry.collectGeometry(list(waiting)), crs)
        if current is not None:
            self._current.setToGeometry(current, crs)

    def set_hidden(self, is_hidden: bool) -> None:
        """Let the imagery be seen without anything on it, or all be shown again."""
        for band in (self._waiting, self._current):
            band.setVisible(not is_hidden)

    def remove(self) -> None:
        """Take all items off the canvas; the preview is of no use afterwards."""
        for band in (self._waiting, self._current):
            self._canvas.scene().removeItem(band)
