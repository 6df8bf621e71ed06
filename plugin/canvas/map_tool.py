"""The map tool: mouse and keys become calls of the digitizer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from qgis.core import QgsGeometry, QgsPointXY, QgsRectangle
from qgis.gui import QgsMapCanvas, QgsMapMouseEvent, QgsMapTool
from qgis.PyQt.QtCore import QEvent, QObject, QPoint, Qt, pyqtSignal
from qgis.PyQt.QtGui import QKeyEvent, QKeySequence
from qgis.PyQt.QtWidgets import QApplication

from ..digitizing.digitizer import Digitizer
from ..digitizing.draft import Combining
from ..digitizing.hover import Hover
from ..digitizing.prefetch import Prefetch
from ..digitizing.state import DraftState
from .preview import Preview
from .tool_keys import ToolKeys, ends_hiding

ASLANT_DEG = 1.0
"""A map turned by more than that has boxes that are none in its coordinates."""

SIZE_KEYS = {"+": 1, "-": -1}
CLASS_KEYS = frozenset("123456789")
UNDO_KEYS = (Qt.Key.Key_Backspace, Qt.Key.Key_Delete)
COMMAND_MODIFIERS = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.MetaModifier


class LassoTool(ToolKeys, QgsMapTool):
    """Left click foreground, right or Shift + click background, drag a box, Alt + click reopens an accepted polygon.

    Ctrl + drag draws: around the object, across it, or with Shift across what does not belong to it.

    + and - turn the size dial, 1 to 9 choose the class (`class_chosen`), F1 asks for help (`help_wanted`), H hides the preview
    while it is held. While there is a draft, Tab shows the model's next candidate, A adds what is clicked next, S subtracts it,
    X cuts along the next line, V asks for the tool that changes the outline by hand (`hand_wanted`), Backspace or Ctrl+Z takes
    the last step back, Ctrl+Shift+Z does it again, Enter accepts, Esc clears, or stops what is under way. Without one these
    keys are QGIS's, but for Backspace and Delete, which would delete the selected features of the active layer, and for
    Ctrl+Shift+Z while there is something to do again.

    Ctrl + right click points at a counter-example (`counter_example`, place in map coordinates) and leaves the draft alone.

    `elsewhere` (raster layer, place in map coordinates): the first click on an object lies off the imagery, and on that layer.
    """

    class_chosen = pyqtSignal(int)
    help_wanted = pyqtSignal()
    hand_wanted = pyqtSignal()
    elsewhere = pyqtSignal(object, object)
    counter_example = pyqtSignal(object)

    def __init__(self, canvas: QgsMapCanvas, digitizer: Digitizer, preview: Preview, hover: Hover, prefetch: Prefetch) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._digitizer = digitizer
        self._preview = preview
        self._hover = hover
        self._prefetch = prefetch
        self._pressed_at: QPoint | None = None
        self._stroke: list[QgsPointXY] | None = None
        self._drawn_px: list[QPoint] = []
        self.shows_work = False
        self.setCursor(Qt.CursorShape.CrossCursor)
        for signal in (digitizer.draft_changed, digitizer.answered, digitizer.progressed):
            signal.connect(self._show_work)

    def _show_work(self) -> None:
        """By the cursor."""
        is_asking = self._digitizer.state in (DraftState.ASKING, DraftState.WAITING_TO_ACCEPT)
        if is_asking is not self.shows_work:
            self.shows_work = is_asking
            self.setCursor(Qt.CursorShape.BusyCursor if is_asking else Qt.CursorShape.CrossCursor)

    def activate(self) -> None:
        """Take the mouse, and the keys that QGIS has shortcuts for."""
        super().activate()
        self._canvas.installEventFilter(self)
        self._canvas.setFocus()
        self._prefetch.start()

    def deactivate(self) -> None:
        """Give them back; the draft stays for the next time."""
        self._canvas.removeEventFilter(self)
        self._hover.stop()
        self._prefetch.stop()
        self._pressed_at = self._stroke = None
        super().deactivate()

    def canvasPressEvent(self, event: QgsMapMouseEvent) -> None:
        """A click or a drag begins."""
        self._hover.stop()
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed_at = event.pos()
            if event.modifiers() & Qt.KeyboardModifier.ControlModifier or self._digitizer.state is DraftState.SPLITTING:
                self._stroke, self._drawn_px = [self.toMapCoordinates(event.pos())], [event.pos()]

    def canvasMoveEvent(self, event: QgsMapMouseEvent) -> None:
        """A drag grows, or the mouse looks for the next object."""
        if self._stroke is not None:
            self._stroke.append(self.toMapCoordinates(event.pos()))
            self._drawn_px.append(event.pos())
            self._preview.draw_stroke(self._stroke, not _is_shifted(event))
        elif self._is_drag_to(event.pos()):
            self._show_rectangle(event.pos())
        elif event.buttons() == Qt.MouseButton.NoButton:
            self._hover.move(self.toMapCoordinates(event.pos()))
            self._prefetch.move(self.toMapCoordinates(event.pos()))

    def canvasReleaseEvent(self, event: QgsMapMouseEvent) -> None:
        """The click or drag is done."""
        place = event.pos()
        if event.button() == Qt.MouseButton.RightButton and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.counter_example.emit(self.toMapCoordinates(place))
        elif event.button() == Qt.MouseButton.RightButton:
            self._digitizer.click(self.toMapCoordinates(place), foreground=False)
        elif event.button() == Qt.MouseButton.LeftButton and self._pressed_at is not None:
            stroke, self._stroke = self._stroke, None
            if stroke is not None and self._is_drawn_to(place):
                self._preview.draw_stroke([], True)
                self._digitizer.draw([*stroke, self.toMapCoordinates(place)], not _is_shifted(event))
            elif stroke is None and self._is_drag_to(place):
                self._take_rectangle(place)
            elif event.modifiers() & Qt.KeyboardModifier.AltModifier:
                self._digitizer.reopen(self.toMapCoordinates(place))
            else:
                self._click(self.toMapCoordinates(place), not _is_shifted(event))
            self._pressed_at = None

    def _click(self, place: QgsPointXY, foreground: bool) -> None:
        other = self._digitizer.lens.other_imagery_at(place) if self._digitizer.draft.is_empty else None
        if other is None:
            self._digitizer.click(place, foreground)
        else:
            self.elsewhere.emit(other, place)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Claim the keys of the draft before QGIS's own shortcuts (such as Ctrl+Z) see them; note that the mouse leaves."""
        if event.type() == QEvent.Type.Leave:
            self._hover.stop()
        if event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Tab and not self._digitizer.draft.is_empty:
            self._digitizer.next_candidate()  # before Qt moves the focus
            return True
        if ends_hiding(event):
            self._preview.set_hidden(False)
        is_escape = event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Escape
        if is_escape and self._pressed_at is not None:  # the canvas keeps keys from its tools while a button is down
            self._pressed_at = self._stroke = None
            self._digitizer.draft_changed.emit()  # draws what is left
            return True
        return self.claims(event)

    def _action(self, event: QKeyEvent) -> Callable[[], None] | None:
        """What a key does; None for keys that are QGIS's."""
        if event.text() in SIZE_KEYS and not event.modifiers() & COMMAND_MODIFIERS:
            return partial(self._digitizer.lens.set_size, self._digitizer.lens.size + SIZE_KEYS[event.text()])
        if event.text() in CLASS_KEYS and not event.modifiers() & COMMAND_MODIFIERS:
            return partial(self.class_chosen.emit, int(event.text()))
        if event.key() in UNDO_KEYS:
            return self._digitizer.undo
        if event.matches(QKeySequence.StandardKey.HelpContents):
            return self.help_wanted.emit
        if event.matches(QKeySequence.StandardKey.Redo) and self._digitizer.can_redo:
            return self._digitizer.redo
        if self._digitizer.draft.is_empty:
            return None
        if event.matches(QKeySequence.StandardKey.Undo):
            return self._digitizer.undo
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            return None
        actions: dict[int, Callable[[], None]] = {
            Qt.Key.Key_Return: self._digitizer.accept,
            Qt.Key.Key_Enter: self._digitizer.accept,
            Qt.Key.Key_Escape: self._escape,
            Qt.Key.Key_A: partial(self._digitizer.combine_next, Combining.ADD),
            Qt.Key.Key_S: partial(self._digitizer.combine_next, Combining.SUBTRACT),
            Qt.Key.Key_X: self._digitizer.split_next,
            Qt.Key.Key_V: self.hand_wanted.emit,
            Qt.Key.Key_H: partial(self._preview.set_hidden, True),
        }
        return actions.get(event.key())

    def _escape(self) -> None:
        """One thing at a time: what is to be cut, what grows, the draft."""
        if self._digitizer.state is DraftState.SPLITTING:
            self._digitizer.split_next()
        elif not self._digitizer.stop():
            self._digitizer.clear()

    def _is_drag_to(self, place: QPoint) -> bool:
        """Whether the button went down far enough from here for a box."""
        pressed_at = self._pressed_at
        return pressed_at is not None and (place - pressed_at).manhattanLength() >= QApplication.startDragDistance()

    def _is_drawn_to(self, place: QPoint) -> bool:
        """Whether the line that ends here is long enough to be meant; one around an object ends where it began."""
        places = [*self._drawn_px, place]
        length = sum((end - start).manhattanLength() for start, end in zip(places, places[1:]))
        return length >= QApplication.startDragDistance()

    def _show_rectangle(self, place: QPoint) -> None:
        """Of a drag that has come here."""
        if self._is_aslant:
            self._preview.draw_stroke(self._ring_to(place), True)
        else:
            self._preview.drag_box(self._rectangle_to(place))

    def _take_rectangle(self, place: QPoint) -> None:
        """A drag ends here: a box, or on a map that is turned aslant an outline, since a box would hold much more."""
        if self._is_aslant:
            self._preview.draw_stroke([], True)
            self._digitizer.draw(self._ring_to(place))
        else:
            self._digitizer.box(self._rectangle_to(place))

    @property
    def _is_aslant(self) -> bool:
        return abs((self.canvas().rotation() + 45) % 90 - 45) > ASLANT_DEG

    def _rectangle_to(self, place: QPoint) -> QgsRectangle:
        return QgsGeometry.fromMultiPointXY(self._corners_to(place)).boundingBox()

    def _ring_to(self, place: QPoint) -> list[QgsPointXY]:
        corners = self._corners_to(place)
        return [*corners, corners[0]]

    def _corners_to(self, place: QPoint) -> list[QgsPointXY]:
        """In map coordinates, of the rectangle on the screen between where the button went down and a place."""
        pressed_at = self._pressed_at or place
        corners = (pressed_at, QPoint(place.x(), pressed_at.y()), place, QPoint(pressed_at.x(), place.y()))
        return [self.toMapCoordinates(each) for each in corners]


def _is_shifted(event: QgsMapMouseEvent) -> bool:
    return bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
