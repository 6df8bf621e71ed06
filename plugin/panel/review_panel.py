"""The list of what is proposed, and the buttons that answer."""

from __future__ import annotations

from qgis.core import QgsProject
from qgis.gui import QgsDockWidget
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ..geo.measure import area_text
from ..reviewing.review import Review
from ..translation import tr
from .narrow import wrapped_label
from .review_filters import ReviewFilters

NUMBER = Qt.ItemDataRole.UserRole


class ReviewPanel(QgsDockWidget):
    """Follows a review. `fix_requested`, `search_requested`: what is wished; `answered`: that the map is to have the keys."""

    fix_requested = pyqtSignal()
    search_requested = pyqtSignal()
    answered = pyqtSignal()

    def __init__(self, review: Review, parent: QWidget | None = None) -> None:
        super().__init__(tr("Raster Lasso: proposals"), parent)
        self.setObjectName("RasterLassoReview")
        self._review = review
        self._is_filling = False
        self.status = wrapped_label()
        self.list = QTreeWidget()
        self.list.setRootIsDecorated(False)
        self.list.setHeaderLabels([tr("Likeness"), tr("Area")])
        self.filters = ReviewFilters(review)
        self.unsure = QCheckBox(tr("Ask the unsure ones first"))
        self.unsure.setToolTip(tr("Begin with what the search is least sure of, so that each answer tells it something new"))
        self.unsure.setMinimumWidth(1)
        self.accept = _button(tr("Accept (Y)"), tr("Add this proposal to the target layer"))
        self.reject = _button(tr("Reject (N)"), tr("It is something else: the others are ranked anew"))
        self.fix = _button(tr("Fix (F)"), tr("Take it up as the object under way, correct it, and accept it with Enter"))
        self.undo = _button(tr("Undo"), tr("Take the last answer back (Ctrl+Z)"))
        self.accept_all = _button(tr("Accept all shown"), tr("Add all proposals of the list to the target layer"))
        self.again = _button(tr("Search again"), tr("Search the view with all that is accepted now"))
        self._lay_out()
        self._connect()
        self.refresh()

    def refresh(self) -> None:
        """Show what waits."""
        review, project = self._review, QgsProject.instance()
        waiting, current = review.waiting, review.current
        self._is_filling = True
        self.list.clear()
        for each in waiting:
            crs = review.imagery.crs() if review.imagery is not None else None
            item = QTreeWidgetItem([f"{each.likeness:.0%}", "" if crs is None else area_text(each.polygon, crs, project)])
            item.setData(0, NUMBER, each.proposal.id)
            self.list.addTopLevelItem(item)
            if each is current:
                self.list.setCurrentItem(item)
        self._is_filling = False
        for button in (self.accept, self.reject, self.fix):
            button.setEnabled(current is not None)
        self.accept_all.setEnabled(bool(waiting))
        self.undo.setEnabled(review.can_undo)
        self.again.setEnabled(not review.is_searching)
        self.unsure.setEnabled(review.learns)
        self.filters.refresh()
        self.status.setText(self._status_text(len(waiting)))

    def _status_text(self, waiting: int) -> str:
        if self._review.is_searching:
            return tr("Searching the view…")
        accepted, rejected = self._review.counts
        return tr("{waiting} to look at · {accepted} accepted · {rejected} rejected").format(
            waiting=waiting, accepted=accepted, rejected=rejected
        )

    def _lay_out(self) -> None:
        grid = QGridLayout()
        for number, button in enumerate((self.accept, self.reject, self.fix, self.undo, self.accept_all, self.again)):
            grid.addWidget(button, number // 2, number % 2)
        body = QWidget()
        column = QVBoxLayout(body)
        column.addWidget(self.status)
        column.addWidget(self.list, 1)
        column.addWidget(self.filters)
        column.addWidget(self.unsure)
        column.addLayout(grid)
        self.setWidget(body)

    def _connect(self) -> None:
        review = self._review
        review.changed.connect(self.refresh)
        self.unsure.toggled.connect(review.ask_unsure)
        self.list.currentItemChanged.connect(self._on_chosen)
        for button, do in (
            (self.accept, review.accept),
            (self.reject, review.reject),
            (self.fix, self.fix_requested.emit),
            (self.undo, review.undo),
            (self.accept_all, review.accept_all),
            (self.again, self.search_requested.emit),
        ):
            button.clicked.connect(lambda checked=False, do=do: self._press(do))

    def _press(self, do: object) -> None:
        if callable(do):
            do()
        self.answered.emit()

    def _on_chosen(self, item: QTreeWidgetItem | None, before: QTreeWidgetItem | None) -> None:
        if item is not None and not self._is_filling:
            self._review.choose(item.data(0, NUMBER))


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setMinimumWidth(40)
    return button
