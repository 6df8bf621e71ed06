"""What the canvas shows of the draft: clicks, box, and the polygon found so far."""

from __future__ import annotations

from collections.abc import Sequence

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCsException,
    QgsGeometry,
    QgsPointXY,
    QgsProject,
    QgsRectangle,
    QgsWkbTypes,
)
from qgis.gui import QgsMapCanvas, QgsRubberBand, QgsVertexMarker
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QColor

from ..digitizing.draft import Draft
from ..geo.transforms import transform_between
from ..geo.wkb import from_hex

FILL = QColor(255, 213, 0, 30)
"""Little of it: what is judged lies below."""

STROKE = QColor(255, 213, 0)
HINT_FILL = QColor(255, 255, 255, 40)
HINT_STROKE = QColor(255, 255, 255, 200)
FRAME = QColor(255, 255, 255, 130)
HALO = QColor(0, 0, 0, 160)
FOREGROUND = QColor(0, 158, 115)
BACKGROUND = QColor(213, 94, 0)
BOX = QColor(0, 114, 178)
MARKER_PX = 12


class Preview:
    """Owns the canvas items; `remove` takes them from the scene."""

    def __init__(self, canvas: QgsMapCanvas, project: QgsProject) -> None:
        self._canvas = canvas
        self._project = project
        self._polygon = QgsRubberBand(canvas, QgsWkbTypes.GeometryType.PolygonGeometry)
        self._polygon.setFillColor(FILL)
        self._polygon.setStrokeColor(STROKE)
        self._polygon.setSecondaryStrokeColor(HALO)
        self._polygon.setWidth(2)
        self._box = QgsRubberBand(canvas, QgsWkbTypes.GeometryType.PolygonGeometry)
        self._box.setFillColor(QColor(0, 0, 0, 0))
        self._box.setStrokeColor(BOX)
        self._box.setWidth(2)
        self._ghosts = QgsRubberBand(canvas, QgsWkbTypes.GeometryType.PolygonGeometry)
        self._ghosts.setFillColor(QColor(0, 0, 0, 0))
        self._ghosts.setStrokeColor(STROKE)
        self._ghosts.setLineStyle(Qt.PenStyle.DotLine)
        self._outline = QgsRubberBand(canvas, QgsWkbTypes.GeometryType.PolygonGeometry)
        self._outline.setFillColor(QColor(0, 0, 0, 0))
        self._outline.setStrokeColor(BOX)
        self._outline.setLineStyle(Qt.PenStyle.DashLine)
        self._frame = QgsRubberBand(canvas, QgsWkbTypes.GeometryType.PolygonGeometry)
        self._frame.setFillColor(QColor(0, 0, 0, 0))
        self._frame.setStrokeColor(FRAME)
        self._frame.setLineStyle(Qt.PenStyle.DashDotLine)
        self._stroke = QgsRubberBand(canvas, QgsWkbTypes.GeometryType.LineGeometry)
        self._stroke.setWidth(3)
        self._hint = QgsRubberBand(canvas, QgsWkbTypes.GeometryType.PolygonGeometry)
        self._hint.setFillColor(HINT_FILL)
        self._hint.setStrokeColor(HINT_STROKE)
        self._bands = (self._polygon, self._ghosts, self._box, self._outline, self._frame, self._stroke, self._hint)
        self._markers: list[QgsVertexMarker] = []

    def show(
        self,
        draft: Draft,
        polygon: QgsGeometry | None,
        crs: QgsCoordinateReferenceSystem,
        alternatives: Sequence[QgsGeometry] = (),
        frame: QgsGeometry | None = None,
    ) -> None:
        """Show a draft, its polygon, and faintly what else may be meant and what the model looks at, all in `crs`."""
        self.set_hidden(False)
        self.clear()
        for ghost in alternatives:
            self._ghosts.addGeometry(ghost, crs)
        if polygon is not None:
            self._polygon.setToGeometry(polygon, crs)
        if frame is not None:
            self._frame.setToGeometry(frame, crs)
        if draft.outline is not None:
            self._outline.setToGeometry(from_hex(draft.outline), crs)
        box = draft.box
        if box is not None:
            self._box.setToGeometry(QgsGeometry.fromRect(QgsRectangle(box.x0, box.y0, box.x1, box.y1)), crs)
        to_map = transform_between(crs, self._canvas.mapSettings().destinationCrs(), self._project.transformContext())
        for point in draft.points:
            try:
                place = to_map.transform(QgsPointXY(point.x, point.y))
            except QgsCsException:  # off the new projection of the map: there is nowhere to draw it
                continue
            self._markers.append(self._marker(place, point.foreground))

    def set_hidden(self, is_hidden: bool) -> None:
        """Let the imagery be seen without anything on it, or all be shown again."""
        for item in (*self._bands, *self._markers):
            item.setVisible(not is_hidden)

    def show_hint(self, polygon: QgsGeometry | None, crs: QgsCoordinateReferenceSystem) -> None:
        """Show what a click would give, faintly."""
        if polygon is None:
            self._hint.reset(QgsWkbTypes.GeometryType.PolygonGeometry)
        else:
            self._hint.setToGeometry(polygon, crs)

    def drag_box(self, box: QgsRectangle) -> None:
        """Show a box under way, in map coordinates."""
        self._box.setToGeometry(QgsGeometry.fromRect(box), QgsCoordinateReferenceSystem())

    def draw_stroke(self, stroke: list[QgsPointXY], foreground: bool) -> None:
        """Show a line under way, in map coordinates; none to show nothing."""
        self._stroke.setStrokeColor(FOREGROUND if foreground else BACKGROUND)
        self._stroke.setToGeometry(QgsGeometry.fromPolylineXY(stroke), QgsCoordinateReferenceSystem())

    def clear(self) -> None:
        """Show nothing."""
        self._polygon.reset(QgsWkbTypes.GeometryType.PolygonGeometry)
        self._ghosts.reset(QgsWkbTypes.GeometryType.PolygonGeometry)
        self._box.reset(QgsWkbTypes.GeometryType.PolygonGeometry)
        self._outline.reset(QgsWkbTypes.GeometryType.PolygonGeometry)
        self._frame.reset(QgsWkbTypes.GeometryType.PolygonGeometry)
        self._stroke.reset(QgsWkbTypes.GeometryType.LineGeometry)
        for marker in self._markers:
            self._canvas.scene().removeItem(marker)
        self._markers.clear()

    def remove(self) -> None:
        """Take all items off the canvas; the preview is of no use afterwards."""
        self.clear()
        for band in self._bands:
            self._canvas.scene().removeItem(band)

    def _marker(self, place: QgsPointXY, foreground: bool) -> QgsVertexMarker:
        marker = QgsVertexMarker(self._canvas)
        marker.setCenter(place)
        marker.setIconSize(MARKER_PX)
        marker.setPenWidth(3)
        marker.setColor(FOREGROUND if foreground else BACKGROUND)
        marker.setFillColor(FOREGROUND if foreground else BACKGROUND)
        marker.setIconType(QgsVertexMarker.IconType.ICON_CIRCLE if foreground else QgsVertexMarker.IconType.ICON_X)
        return marker
