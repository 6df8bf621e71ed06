"""Which model is asked, and the engine that it runs in."""

from __future__ import annotations

from collections.abc import Sequence

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QToolButton, QVBoxLayout, QWidget

from ...contract.requests import ModelInfo
from ..imagery.lens import Lens
from ..translation import tr
from .model_words import quality_text, speed_text
from .narrow import narrow


class ModelPanel(QWidget):
    """`models_requested` and `restart_requested` say what is wished."""

    models_requested = pyqtSignal()
    restart_requested = pyqtSignal()

    def __init__(self, lens: Lens) -> None:
        super().__init__()
        self._lens = lens
        self.model = QComboBox()
        self.model.setToolTip(tr("The model that finds outlines"))
        narrow(self.model)
        self.models_button = QToolButton()
        self.models_button.setText(tr("Models…"))
        self.models_button.setToolTip(tr("What each model is like; get, add and remove models"))
        self.restart_button = QPushButton(tr("Restart engine"))
        self.restart_button.setToolTip(tr("Begin the engine anew where it hangs; your clicks are kept"))
        self.restart_button.setMinimumWidth(1)
        row = QHBoxLayout()
        row.addWidget(self.model, 1)
        row.addWidget(self.models_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        column.addWidget(self.restart_button)
        self.model.currentIndexChanged.connect(lambda index: lens.set_model(self.model.itemData(index)))
        self.models_button.clicked.connect(lambda: self.models_requested.emit())
        self.restart_button.clicked.connect(lambda: self.restart_requested.emit())

    def set_models(self, models: Sequence[ModelInfo]) -> None:
        """Offer models; where the current one is gone, the first takes its place."""
        current = self._lens.model
        self.model.blockSignals(True)
        self.model.clear()
        for each in models:
            self.model.addItem(each.title, each.name)
            words = f"{quality_text(each)}\n{speed_text(each)}\n{each.licence}"
            self.model.setItemData(self.model.count() - 1, words, Qt.ItemDataRole.ToolTipRole)
        self.model.setCurrentIndex(max(0, self.model.findData(current)))
        self.model.blockSignals(False)
        if self.model.currentData() != current:
            self._lens.set_model(self.model.currentData())
