"""What can be done with the object under way, the button that is pressed most on top."""

from __future__ import annotations

from collections.abc import Callable

from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QGridLayout, QPushButton, QWidget

from ..digitizing.digitizer import Digitizer
from ..digitizing.draft import Combining
from ..digitizing.state import DraftState
from ..translation import tr


class DraftButtons(QWidget):
    """`pressed` tells that one was, and that the map is to have the keyboard again; `hand_requested` that the outline is to be
    changed by hand, or no longer.
    """

    pressed = pyqtSignal()
    hand_requested = pyqtSignal()

    def __init__(self, digitizer: Digitizer) -> None:
        super().__init__()
        self._digitizer = digitizer
        self.accept = _button(tr("&Accept"), tr("Add the polygon to the target layer (Enter)"))
        font = self.accept.font()
        font.setBold(True)
        self.accept.setFont(font)
        self.accept.setMinimumHeight(round(1.7 * self.accept.sizeHint().height()))
        self.undo = _button(tr("&Undo"), tr("Take the last step back (Backspace or Ctrl+Z)"))
        self.redo = _button(tr("Redo"), tr("Do again what was taken back (Ctrl+Shift+Z)"))
        self.discard = _button(tr("Discard"), tr("Forget this object (Esc)"))
        self.add = _button(tr("Add"), tr("Keep this, and add what you click next (A)"))
        self.subtract = _button(tr("Cut out"), tr("Keep this, and cut out of it what you click next (S)"))
        self.split = _button(tr("Split"), tr("Draw a line across the polygon to make two of it (X)"))
        self.by_hand = _button(
            tr("Change by hand"), tr("Drag vertices and edges, or draw a line that reshapes the outline (V)")
        )
        for button in (self.split, self.by_hand):
            button.setCheckable(True)
        self._lay_out()
        for button, do in (
            (self.accept, digitizer.accept),
            (self.undo, digitizer.undo),
            (self.redo, digitizer.redo),
            (self.discard, digitizer.clear),
            (self.add, lambda: digitizer.combine_next(Combining.ADD)),
            (self.subtract, lambda: digitizer.combine_next(Combining.SUBTRACT)),
            (self.split, digitizer.split_next),
            (self.by_hand, self.hand_requested.emit),
        ):
            button.clicked.connect(lambda checked=False, do=do: self._press(do))

    def refresh(self) -> None:
        """Enable what can be done now."""
        digitizer = self._digitizer
        is_asking, has_pieces, has_draft = digitizer.progress is not None, bool(digitizer.pieces), not digitizer.draft.is_empty
        self.accept.setEnabled(has_pieces or is_asking)
        self.undo.setEnabled(has_draft)
        self.redo.setEnabled(digitizer.can_redo)
        self.discard.setEnabled(has_draft)
        for button in (self.add, self.subtract, self.split, self.by_hand):
            button.setEnabled(has_pieces and not is_asking)
        self.split.setChecked(digitizer.state is DraftState.SPLITTING)

    def _press(self, do: Callable[[], object]) -> None:
        do()
        self.pressed.emit()

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.accept, 0, 0, 1, 3)
        for row, buttons in ((1, (self.undo, self.redo, self.discard)), (2, (self.add, self.subtract, self.split))):
            for column, button in enumerate(buttons):
                grid.addWidget(button, row, column)
        grid.addWidget(self.by_hand, 3, 0, 1, 3)


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setMinimumWidth(40)  # three stand side by side in the narrowest panel
    return button
