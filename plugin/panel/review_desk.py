"""A review with all that it needs in QGIS: its tool, what the map shows, its panel, and the bar of the search."""

from __future__ import annotations

from qgis.core import Qgis, QgsGeometry, QgsMapLayer
from qgis.gui import QgisInterface, QgsMapTool
from qgis.PyQt.QtCore import QObject, Qt, QTimer, pyqtSignal

from ..canvas.proposals_preview import ProposalsPreview
from ..canvas.review_tool import ReviewTool
from ..digitizing.digitizer import Digitizer
from ..reviewing.review import Review
from ..translation import tr
from .job_bar import JobBar
from .review_panel import ReviewPanel


class ReviewDesk(QObject):
    """`message` (text, level) is for the user. The lasso has the map while a proposal is corrected."""

    message = pyqtSignal(str, object)

    def __init__(self, iface: QgisInterface, digitizer: Digitizer, review: Review, lasso: QgsMapTool) -> None:
        super().__init__()
        self._iface = iface
        self._digitizer = digitizer
        self._lasso = lasso
        self.review = review
        self.preview = ProposalsPreview(iface.mapCanvas())
        self.tool = ReviewTool(iface.mapCanvas(), review, self.preview)
        self.panel = ReviewPanel(review, iface.mainWindow())
        iface.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.panel)
        self.panel.hide()  # QGIS shows what is added
        self._bar = JobBar(iface.messageBar(), tr("Searching for similar features…"), review.cancel)
        review.message.connect(self.message)
        review.progressed.connect(self._bar.show)
        review.ended.connect(self._bar.close)
        review.changed.connect(self._refresh)
        self.tool.fix_wanted.connect(self._fix)
        self.tool.left.connect(self.leave)
        self.panel.fix_requested.connect(self._fix)
        self.panel.search_requested.connect(self.begin)
        self.panel.answered.connect(self._take_map)
        digitizer.accepted.connect(self._on_accepted)
        digitizer.draft_changed.connect(self._on_draft_changed)

    def begin(self) -> None:
        """Search the view, and show what is found as soon as it is."""
        self.review.begin()
        if self.review.is_searching:
            self.panel.setUserVisible(True)
            self._take_map()

    def begin_with(self, layer: QgsMapLayer | None) -> None:
        """Look through the polygons of a layer."""
        self.review.begin_with(layer)
        if self.review.waiting:
            self.panel.setUserVisible(True)
            self._take_map()

    def leave(self) -> None:
        """End the review and go back to the lasso."""
        self.review.close()
        self.panel.hide()
        if self._iface.mapCanvas().mapTool() is self.tool:
            self._iface.mapCanvas().setMapTool(self._lasso)

    def remove(self) -> None:
        """Take all away."""
        self._digitizer.accepted.disconnect(self._on_accepted)
        self._digitizer.draft_changed.disconnect(self._on_draft_changed)
        self._iface.mapCanvas().unsetMapTool(self.tool)
        self.review.detach()
        self._iface.removeDockWidget(self.panel)
        for each in (self.panel, self.tool, self.review, self):
            each.deleteLater()
        self.preview.remove()

    def _take_map(self) -> None:
        if self.review.imagery is not None and self.review.taken_up is None:
            self._iface.mapCanvas().setMapTool(self.tool)
            self._iface.mapCanvas().setFocus()

    def _fix(self) -> None:
        self.review.fix()
        if self.review.taken_up is None:  # it could not be, which was told
            return
        self._iface.mapCanvas().setMapTool(self._lasso)
        text = tr("Correct it with clicks, then press Enter to accept it and go on with the review.")
        self.message.emit(text, Qgis.MessageLevel.Info)

    def _on_accepted(self, *_: object) -> None:
        if self.review.taken_up is not None:
            self.review.fixed()
            self._take_map()

    def _on_draft_changed(self) -> None:
        """An object that is given up comes to nothing; of one that is accepted that is told next."""
        if self.review.taken_up is not None and self._digitizer.draft.is_empty:
            QTimer.singleShot(0, self._put_back)

    def _put_back(self) -> None:
        if self.review.taken_up is not None and self._digitizer.draft.is_empty:
            self.review.put_back()
            self._take_map()

    def _refresh(self) -> None:
        review, current = self.review, self.review.current
        crs = self._digitizer.crs if review.imagery is None else review.imagery.crs()
        waiting: list[QgsGeometry] = [each.polygon for each in review.waiting if each is not current]
        self.preview.show(waiting, None if current is None else current.polygon, crs)
