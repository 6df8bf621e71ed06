"""All keys and gestures on one page."""

from __future__ import annotations

from html import escape

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QDialog, QDialogButtonBox, QTextBrowser, QVBoxLayout, QWidget

from ..translation import tr


class HelpDialog(QDialog):
    """Stays beside the map while one works."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("RasterLassoHelp")
        self.setWindowTitle(tr("Raster Lasso: keys and gestures"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.page = QTextBrowser()
        self.page.setHtml(page())
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(self.page)
        column.addWidget(buttons)
        self.resize(560, 680)


def page() -> str:
    """As HTML."""
    return "".join(f"<h3>{escape(title)}</h3><table cellpadding='3'>{_rows(rows)}</table>" for title, rows in _sections())


def _rows(rows: list[tuple[str, str]]) -> str:
    return "".join(f"<tr><td><b>{escape(keys)}</b></td><td>{escape(what)}</td></tr>" for keys, what in rows)


def _sections() -> list[tuple[str, list[tuple[str, str]]]]:
    return [
        (
            tr("Say what is meant"),
            [
                (tr("Click"), tr("This belongs to the feature")),
                (tr("Right click, Shift+click"), tr("This does not")),
                (tr("Drag"), tr("The feature is in this box")),
                (tr("Ctrl+drag around"), tr("A rough outline of the feature")),
                (tr("Ctrl+drag across"), tr("All along this line belongs to the feature; with Shift it does not")),
                (tr("+ and -"), tr("Look for larger or smaller features")),
                (tr("Tab"), tr("Show what else may be meant")),
            ],
        ),
        (
            tr("Then"),
            [
                (tr("Enter"), tr("Accept the polygon into the target layer")),
                (tr("Backspace, Ctrl+Z"), tr("Take the last step back")),
                (tr("Ctrl+Shift+Z"), tr("Do it again")),
                (tr("Esc"), tr("Stop what is under way, else discard the feature")),
                ("A", tr("Keep this, and add what is clicked next")),
                ("S", tr("Keep this, and cut out what is clicked next")),
                ("X", tr("Split the polygon along the next line that is drawn")),
                ("V", tr("Change the outline by hand; V or Esc leads back to clicking")),
                (tr("Hold H"), tr("Hide the preview to see the imagery")),
            ],
        ),
        *_later_sections(),
    ]


def _later_sections() -> list[tuple[str, list[tuple[str, str]]]]:
    return [
        (
            tr("By hand"),
            [
                (tr("Drag a vertex"), tr("Move it; QGIS's snapping holds, and a click grips and lets go as well")),
                (tr("Drag the middle of an edge"), tr("Make a new vertex")),
                (tr("Drag an edge"), tr("Move it with both its ends")),
                (tr("Drag a line across the outline and back"), tr("Reshape it along the line")),
                (tr("Delete"), tr("Remove the vertex under the mouse")),
            ],
        ),
        (
            tr("Review of similar features"),
            [
                (tr("Y, Enter"), tr("Accept the proposal that is looked at")),
                (tr("N, Delete"), tr("Reject it; the others are ranked anew")),
                ("F", tr("Fix it: correct it as the feature under way")),
                (tr("Arrows, click"), tr("Look at another one")),
                (tr("Right click"), tr("Reject the proposal under the mouse")),
                (tr("Backspace, Ctrl+Z"), tr("Take the last answer back")),
                (tr("Esc"), tr("End the review")),
            ],
        ),
        (
            tr("Beyond one feature"),
            [
                (tr("Alt+click"), tr("Reopen an accepted polygon to correct it")),
                (tr("1 to 9"), tr("Choose the class")),
                (tr("Ctrl+right click"), tr("A counter-example: no feature of the class looks like this")),
                ("F1", tr("This page")),
            ],
        ),
    ]
