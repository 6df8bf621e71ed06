"""A bar in QGIS's message bar that shows how far a job is, and ends it."""

from __future__ import annotations

from collections.abc import Callable

from qgis.core import Qgis
from qgis.gui import QgsMessageBar, QgsMessageBarItem
from qgis.PyQt import sip
from qgis.PyQt.QtWidgets import QProgressBar, QPushButton

from ..translation import tr


class JobBar:
    """There while the job is under way."""

    def __init__(self, messages: QgsMessageBar, title: str, cancel: Callable[[], None]) -> None:
        self._messages = messages
        self._title = title
        self._cancel = cancel
        self._item: QgsMessageBarItem | None = None
        self._bar: QProgressBar | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing is shown."""
        return self._item is None

    def show(self, fraction: float) -> None:
        """How far it is, from 0 to 1."""
        if self._bar is None or sip.isdeleted(self._bar):
            self._begin()
        if self._bar is not None:
            self._bar.setValue(round(100 * fraction))

    def close(self) -> None:
        """It is over."""
        item, self._item, self._bar = self._item, None, None
        if item is not None and not sip.isdeleted(item):
            self._messages.popWidget(item)

    def _begin(self) -> None:
        self._item = self._messages.createMessage(tr("Raster Lasso"), self._title)
        self._bar = QProgressBar()
        self._bar.setRange(0, 100)
        button = QPushButton(tr("Cancel"))
        button.clicked.connect(lambda: self._cancel())
        for widget in (self._bar, button):
            self._item.layout().addWidget(widget)
        self._messages.pushWidget(self._item, Qgis.MessageLevel.Info)
