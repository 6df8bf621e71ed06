"""Widgets that no text makes wider than the panel."""

from __future__ import annotations

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QComboBox, QLabel, QSizePolicy

NARROWEST_PX = 60
"""Of a list, whatever the font."""

SHOWN_CHARACTERS = 3
"""Of the longest entry at least; more where there is room."""


def narrow(box: QComboBox) -> None:
    """Let a list be narrower than its longest entry."""
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(SHOWN_CHARACTERS)
    box.setMinimumWidth(NARROWEST_PX)


def wrapped_label(text: str = "") -> QLabel:
    """A text of several lines; a word that is longer than the panel is wide is cut."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setMinimumWidth(1)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label
