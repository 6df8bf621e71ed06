"""The map tool of a review: a key for each answer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from qgis.gui import QgsMapCanvas, QgsMapMouseEvent, QgsMapTool
from qgis.PyQt.QtCore import QEvent, QObject, Qt, pyqtSignal
from qgis.PyQt.QtGui import QKeyEvent, QKeySequence

from ..reviewing.review import Review
from .proposals_preview import ProposalsPreview
from .tool_keys import ToolKeys, ends_hiding


class ReviewTool(ToolKeys, QgsMapTool):
    """Y or Enter accepts the proposal that is looked at, N or Delete rejects it, F takes it up to correct it (`fix_wanted`).

    The arrows down and up look at the next and the one before, a click at the one under it; a right click rejects that. Ctrl+Z
    or Backspace takes the last answer back, H hides all while it is held, Esc ends the review (`left`).
    """

    fix_wanted = pyqtSignal()
    left = pyqtSignal()

    def __init__(self, canvas: QgsMapCanvas, review: Review, preview: ProposalsPreview) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._review = review
        self._preview = preview
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def activate(self) -> None:
        """Take the keys that QGIS has shortcuts for."""
        super().activate()
        self._canvas.installEventFilter(self)
        self._canvas.setFocus()

    def deactivate(self) -> None:
        """Give them back; the review stays."""
        self._canvas.removeEventFilter(self)
        self._preview.set_hidden(False)
        super().deactivate()

    def canvasReleaseEvent(self, event: QgsMapMouseEvent) -> None:
        """Look at what is under the mouse, or reject it."""
        is_there = self._review.choose_at(self.toMapCoordinates(event.pos()))
        if is_there and event.button() == Qt.MouseButton.RightButton:
            self._review.reject()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Claim the keys before QGIS's own shortcuts see them."""
        if ends_hiding(event):
            self._preview.set_hidden(False)
        return self.claims(event)

    def _action(self, event: QKeyEvent) -> Callable[[], None] | None:
        """What a key does; None for keys that are QGIS's."""
        review = self._review
        if event.matches(QKeySequence.StandardKey.Undo) or event.key() == Qt.Key.Key_Backspace:
            return review.undo
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            return None
        actions: dict[int, Callable[[], None]] = {
            Qt.Key.Key_Y: review.accept,
            Qt.Key.Key_Return: review.accept,
            Qt.Key.Key_Enter: review.accept,
            Qt.Key.Key_N: review.reject,
            Qt.Key.Key_Delete: review.reject,
            Qt.Key.Key_F: self.fix_wanted.emit,
            Qt.Key.Key_Down: partial(review.step, 1),
            Qt.Key.Key_Up: partial(review.step, -1),
            Qt.Key.Key_H: partial(self._preview.set_hidden, True),
            Qt.Key.Key_Escape: self.left.emit,
        }
        action = actions.get(event.key())
        return _nothing if action is not None and event.isAutoRepeat() else action


def _nothing() -> None:
    """A key that is held answers once, and is not QGIS's meanwhile: Delete would delete the selected features."""
