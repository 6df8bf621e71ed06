"""The map tool that changes the outline of the draft by hand: vertices, edges, and lines that reshape it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Optional

from qgis.core import QgsGeometry, QgsPointXY, QgsWkbTypes
from qgis.gui import (
    QgsAdvancedDigitizingDockWidget,
    QgsMapCanvas,
    QgsMapMouseEvent,
    QgsMapToolAdvancedDigitizing,
    QgsRubberBand,
    QgsSnapIndicator,
)
from qgis.PyQt.QtCore import QEvent, QObject, QPoint, Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor, QKeyEvent, QKeySequence
from qgis.PyQt.QtWidgets import QApplication

from ...contract.errors import RasterLassoError
from ..digitizing.by_hand import Change, edge_moved, reshaped, vertex_deleted, vertex_inserted, vertex_moved
from ..digitizing.digitizer import Digitizer
from ..geo.transforms import transformed_shape
from .preview import Preview
from .tool_keys import ToolKeys, ends_hiding

GRIP_PX = 9
"""A vertex, or the middle of an edge, is gripped from this near; an edge from half of it."""

HANDLES = QColor(255, 255, 255)
MOVED = QColor(0, 114, 178)


@dataclass(frozen=True)
class Grip:
    """What the mouse holds, in map coordinates. vertex: its number, or of an edge that of its end.

    before, after: the ends of what moves along. is_new: whether the vertex is made by moving it. edge_from: number of the
    vertex at which the edge begins that moves as a whole, else None. start: where it was gripped.
    """

    vertex: int
    before: QgsPointXY
    after: QgsPointXY
    start: QgsPointXY
    is_new: bool = False
    edge_from: Optional[int] = None


class HandTool(ToolKeys, QgsMapToolAdvancedDigitizing):
    """Drag a vertex, or the middle of an edge for a new one, or an edge; or draw a line across the outline that reshapes it.

    A click grips as well, and the next one lets go, so that QGIS's advanced digitizing panel can say where. QGIS's snapping
    holds. Delete removes the vertex under the mouse; Enter accepts, Backspace and Ctrl+Z take back, Ctrl+Shift+Z does again; V
    and Esc lead back (`left`), as it ends by itself where there is nothing to change any more.
    """

    left = pyqtSignal()

    def __init__(
        self, canvas: QgsMapCanvas, cad: QgsAdvancedDigitizingDockWidget, digitizer: Digitizer, preview: Preview
    ) -> None:
        super().__init__(canvas, cad)
        self._canvas = canvas
        self._digitizer = digitizer
        self._preview = preview
        self._shape = QgsGeometry()
        self._grip: Grip | None = None
        self._is_picked = False
        self._pressed_at: QPoint | None = None
        self._line: list[QgsPointXY] = []
        self._hovered = QPoint()
        self._handles = _band(canvas, QgsWkbTypes.GeometryType.PointGeometry, HANDLES, 2)
        self._handles.setIcon(QgsRubberBand.IconType.ICON_BOX)
        self._handles.setIconSize(6)
        self._handles.setSecondaryStrokeColor(QColor(0, 0, 0, 160))
        self._moved = _band(canvas, QgsWkbTypes.GeometryType.LineGeometry, MOVED, 3)
        self._snapped = QgsSnapIndicator(canvas)
        self.setCursor(Qt.CursorShape.CrossCursor)

    def activate(self) -> None:
        """Show what can be gripped."""
        super().activate()
        self._canvas.installEventFilter(self)
        self._canvas.setFocus()
        for signal in self._signals():
            signal.connect(self._refresh)
        self._refresh()

    def deactivate(self) -> None:
        """The draft stays as it is."""
        self._canvas.removeEventFilter(self)
        for signal in self._signals():
            signal.disconnect(self._refresh)
        self._let_go()
        self._handles.reset(QgsWkbTypes.GeometryType.PointGeometry)
        self._snapped.setVisible(False)
        super().deactivate()

    def remove(self) -> None:
        """Take what is shown off the canvas; the tool is of no use afterwards."""
        for band in (self._handles, self._moved):
            self._canvas.scene().removeItem(band)

    def cadCanvasPressEvent(self, event: QgsMapMouseEvent) -> None:
        """Grip something, or begin a line."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self._pressed_at = event.pos()
        if self._grip is None:
            self._grip = self._grip_at(event.originalMapPoint())
            self._line = [] if self._grip else [event.mapPoint()]

    def cadCanvasMoveEvent(self, event: QgsMapMouseEvent) -> None:
        """Show what would become of it."""
        self._hovered = event.pos()
        self._snapped.setMatch(event.mapPointMatch())
        if self._grip is not None:
            self._show_moved(self._grip, event.mapPoint())
        elif self._line:
            self._line.append(event.originalMapPoint())
            self._moved.setToGeometry(QgsGeometry.fromPolylineXY(self._line), None)
        else:
            grip = self._grip_at(event.originalMapPoint())
            self._show_moved(grip, grip.start) if grip else self._moved.reset(QgsWkbTypes.GeometryType.LineGeometry)

    def cadCanvasReleaseEvent(self, event: QgsMapMouseEvent) -> None:
        """Let go, or keep hold of what was only clicked."""
        self._hovered = event.pos()
        if event.button() == Qt.MouseButton.RightButton:
            self._let_go()
            return
        if event.button() != Qt.MouseButton.LeftButton or self._pressed_at is None:
            return
        is_drag = (event.pos() - self._pressed_at).manhattanLength() >= QApplication.startDragDistance()
        self._pressed_at = None
        grip, line = self._grip, [*self._line, event.mapPoint()]
        if grip is not None and not is_drag and not self._is_picked:
            self._is_picked = True
            return
        self._let_go()
        if grip is not None:
            self._change(lambda: self._moving(grip, event.mapPoint()))
        elif is_drag:
            self._change(lambda: reshaped(self._digitizer.lens.in_imagery(line)))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Claim the keys before QGIS's own shortcuts see them."""
        if ends_hiding(event):
            self._preview.set_hidden(False)
        return self.claims(event)

    def _action(self, event: QKeyEvent) -> Callable[[], None] | None:
        if event.matches(QKeySequence.StandardKey.Redo):
            return self._digitizer.redo
        if event.matches(QKeySequence.StandardKey.Undo):
            return self._digitizer.undo
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            return None
        actions: dict[int, Callable[[], None]] = {
            Qt.Key.Key_Return: self._digitizer.accept,
            Qt.Key.Key_Enter: self._digitizer.accept,
            Qt.Key.Key_Backspace: self._digitizer.undo,
            Qt.Key.Key_Delete: self._delete,
            Qt.Key.Key_Escape: self._escape,
            Qt.Key.Key_V: self.left.emit,
            Qt.Key.Key_H: lambda: self._preview.set_hidden(True),
        }
        return actions.get(event.key())

    def _escape(self) -> None:
        if self._grip is not None or self._line:
            self._let_go()
        else:
            self.left.emit()

    def _delete(self) -> None:
        grip = self._grip or self._grip_at(self.toMapCoordinates(self._hovered))
        self._let_go()
        if grip is not None and not grip.is_new and grip.edge_from is None:
            self._change(lambda: vertex_deleted(grip.vertex))

    def _change(self, change: Callable[[], Change]) -> None:
        try:
            self._digitizer.change_by_hand(change())
        except RasterLassoError as error:  # a place that the imagery's CRS does not reach
            self._digitizer.tell(error)

    def _moving(self, grip: Grip, place: QgsPointXY) -> Change:
        """Raises `CoordinatesUntransformable`."""
        start, to = self._digitizer.lens.in_imagery([grip.start, place])
        if grip.edge_from is not None:
            return edge_moved(grip.edge_from, grip.vertex, to.x() - start.x(), to.y() - start.y())
        return vertex_inserted(grip.vertex, to) if grip.is_new else vertex_moved(grip.vertex, to)

    def _grip_at(self, place: QgsPointXY) -> Grip | None:
        """What of the outline is near enough to a place in map coordinates."""
        if self._shape.isEmpty():
            return None
        reach = GRIP_PX * self._canvas.mapUnitsPerPixel()
        found, vertex, before, after, squared = self._shape.closestVertex(place)
        if squared <= reach**2:
            return Grip(vertex, self._at(before), self._at(after), found)
        squared, foot, vertex, _ = self._shape.closestSegmentWithContext(place)
        start, end = self._at(vertex - 1), self._at(vertex)
        middle = QgsPointXY((start.x() + end.x()) / 2, (start.y() + end.y()) / 2)
        if squared <= reach**2 and middle.distance(place) <= reach:
            return Grip(vertex, start, end, middle, is_new=True)
        return Grip(vertex, start, end, foot, edge_from=vertex - 1) if squared <= (reach / 2) ** 2 else None

    def _at(self, number: int) -> QgsPointXY:
        return QgsPointXY(self._shape.vertexAt(number))

    def _show_moved(self, grip: Grip, place: QgsPointXY) -> None:
        line = [grip.before, place, grip.after]
        if grip.edge_from is not None:
            dx, dy = place.x() - grip.start.x(), place.y() - grip.start.y()
            line = [QgsPointXY(end.x() + dx, end.y() + dy) for end in (grip.before, grip.after)]
        self._moved.setToGeometry(QgsGeometry.fromPolylineXY(line), None)

    def _let_go(self) -> None:
        self._grip, self._is_picked, self._line = None, False, []
        self._moved.reset(QgsWkbTypes.GeometryType.LineGeometry)

    def _refresh(self) -> None:
        """Show the vertices of the draft as it is now; where there is none, this is over."""
        polygon = self._digitizer.polygon
        self._let_go()
        if polygon is None:
            self._shape = QgsGeometry()
            self.left.emit()
            return
        try:
            self._shape = transformed_shape(polygon, self._digitizer.lens.to_map())
        except RasterLassoError:  # off the map's projection: there is nothing to grip
            self._shape = QgsGeometry()
        self._handles.setToGeometry(self._shape.convertToType(QgsWkbTypes.GeometryType.PointGeometry, True), None)

    def _signals(self) -> tuple[pyqtSignal, ...]:
        return self._digitizer.draft_changed, self._digitizer.answered, self._canvas.destinationCrsChanged


def _band(canvas: QgsMapCanvas, kind: QgsWkbTypes.GeometryType, colour: QColor, width: int) -> QgsRubberBand:
    band = QgsRubberBand(canvas, kind)
    band.setStrokeColor(colour)
    band.setFillColor(colour)
    band.setWidth(width)
    return band
