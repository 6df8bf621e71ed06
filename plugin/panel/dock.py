"""The panel: what is clicked on and where it goes, what to do with the object under way, and below that what is set once."""

from __future__ import annotations

from qgis.core import QgsMapLayerProxyModel, QgsVectorLayer
from qgis.gui import QgsCollapsibleGroupBox, QgsDockWidget, QgsMapLayerComboBox
from qgis.PyQt.QtCore import QEvent, Qt, pyqtSignal
from qgis.PyQt.QtGui import QKeyEvent, QKeySequence
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from ..digitizing.digitizer import Digitizer
from ..digitizing.hover import Hover
from ..runtime.engine_process import EngineProcess, EngineState
from ..target.classes import classes_of
from ..translation import tr
from .by_class import ByClass
from .draft_buttons import DraftButtons
from .finish_panel import FinishPanel
from .model_panel import ModelPanel
from .narrow import narrow, wrapped_label
from .options_panel import OptionsPanel
from .status import status_details, status_text
from .target_row import TargetRow

NARROWEST_PX = 240
MARGIN_PX = 4


class LassoDock(QgsDockWidget):
    """Shows the digitizer and passes on what the user chooses.

    `map_wanted` tells that the map is to have the keyboard again, `help_requested` that the keys are to be shown.
    """

    map_wanted = pyqtSignal()
    help_requested = pyqtSignal()
    install_requested = pyqtSignal()
    install_cancelled = pyqtSignal()

    def __init__(self, digitizer: Digitizer, hover: Hover, engine: EngineProcess, parent: QWidget | None = None) -> None:
        super().__init__(tr("Raster Lasso"), parent)
        self.setObjectName("RasterLassoDock")
        self._digitizer = digitizer
        self._engine = engine
        self._installing = False
        self.target_row = TargetRow(digitizer)
        self.buttons = DraftButtons(digitizer)
        self.finish = FinishPanel()
        self.options = OptionsPanel(digitizer, hover)
        self.models = ModelPanel(digitizer.lens)
        self._make_choices()
        self._make_status()
        self._name_controls()
        self._lay_out()
        self._connect()
        self._by_class = ByClass(digitizer, self.finish, self.options, self.models)
        self.refresh()

    def _make_choices(self) -> None:
        self.imagery = QgsMapLayerComboBox()
        self.imagery.setFilters(QgsMapLayerProxyModel.Filter.RasterLayer)
        self.imagery.setToolTip(tr("The raster layer that is clicked on"))
        self.class_name = QComboBox()
        self.class_name.setEditable(True)
        self.class_name.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)  # a class typed is the layer's once it is accepted
        self.class_name.setToolTip(tr("The layer's classes, or a new one; 1 to 9 choose from the list"))
        for box in (self.imagery, self.class_name):
            narrow(box)

    def _make_status(self) -> None:
        self.status = wrapped_label()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.go_on_button = QPushButton()
        self.go_on_button.setToolTip(tr("Find the rest of the feature, too"))
        self.install_button = QPushButton(tr("Install engine"))
        self.install_button.setToolTip(tr("Raster Lasso needs a Python environment of its own, which it makes now"))
        self.help_button = QPushButton(tr("Keys and gestures (F1)"))
        self.help_button.setToolTip(tr("A page with all that mouse and keys do"))
        for button in (self.go_on_button, self.install_button, self.help_button):
            button.setMinimumWidth(1)

    def _name_controls(self) -> None:
        """Scripts find what is pressed most on the panel itself, in whichever group it stands."""
        self.target = self.target_row.layer
        self.accept_button, self.clear_button = self.buttons.accept, self.buttons.discard
        self.undo_button, self.redo_button = self.buttons.undo, self.buttons.redo
        self.auto_accept, self.share_borders = self.options.auto_accept, self.options.share_borders
        self.show_hover, self.learn, self.radiometry = self.options.show_hover, self.options.learn, self.options.contrast
        self.model, self.models_button = self.models.model, self.models.models_button

    def show_install_progress(self, line: str | None) -> None:
        """A line of the installation, or None when it is over."""
        self._installing = line is not None
        self.refresh()
        if line is not None:
            self.status.setText(line)

    def refresh(self) -> None:
        """Show what is the case."""
        answer, progress = self._digitizer.answer, self._digitizer.progress
        self.buttons.refresh()
        self.options.refresh()
        left = 0 if answer is None or progress is not None else answer.tiles_left
        self.go_on_button.setVisible(left > 0)
        self.go_on_button.setText(tr("Go on: about {count} more tiles").format(count=left))
        is_engine_wanting = not self._engine.is_installed or self._engine.state is EngineState.FAILED
        self.install_button.setVisible(self._installing or is_engine_wanting)
        self.install_button.setText(tr("Cancel installation") if self._installing else tr("Install engine"))
        self.bar.setVisible(self._installing or progress is not None)
        is_known = not self._installing and progress is not None and progress.fraction > 0
        self.bar.setRange(0, 100 if is_known else 0)
        if progress is not None:
            self.bar.setValue(round(100 * progress.fraction))
        if not self._installing:
            self.status.setText(status_text(self._engine, self._digitizer))
            self.status.setToolTip(status_details(self._digitizer))

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        form.addRow(tr("&Imagery"), self.imagery)
        form.addRow(tr("&Target"), self.target_row)
        form.addRow(tr("Class"), self.class_name)
        column = QVBoxLayout()
        column.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
        column.addLayout(form)
        for widget in (self.buttons, self.status, self.bar, self.go_on_button, self.install_button):
            column.addWidget(widget)
        column.addWidget(self._settings_once(), 1)
        body = QWidget()
        body.setLayout(column)
        self.setWidget(body)
        self.setMinimumWidth(NARROWEST_PX)

    def _settings_once(self) -> QScrollArea:
        """What is set once scrolls, so that what is pressed most stays in view."""
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        for name, title, widget, is_open in (
            ("Outline", tr("Outline"), self.finish, True),
            ("Options", tr("Options"), self.options, False),
            ("Model", tr("Model"), self.models, False),
        ):
            column.addWidget(_group(name, title, widget, is_open))
        column.addWidget(self.help_button)
        column.addStretch(1)
        scrolled = QScrollArea()
        scrolled.setWidgetResizable(True)
        scrolled.setFrameShape(QFrame.Shape.NoFrame)
        scrolled.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scrolled.setWidget(body)
        return scrolled

    def _connect(self) -> None:
        digitizer = self._digitizer
        # `layerChanged` leaves out the layer that takes the place of one that was removed.
        self.imagery.currentIndexChanged.connect(lambda index: digitizer.set_imagery(self.imagery.currentLayer()))
        self.target.layerChanged.connect(self._set_target)
        self.class_name.currentTextChanged.connect(self._set_class)
        self.class_name.lineEdit().returnPressed.connect(self.map_wanted)
        self.class_name.activated.connect(lambda index: self.map_wanted.emit())
        self.finish.changed.connect(digitizer.lens.set_finish)
        self.buttons.pressed.connect(self.map_wanted)
        self.go_on_button.clicked.connect(self._go_on)
        self.models.restart_requested.connect(self._engine.restart)
        self.install_button.clicked.connect(self._on_install_button)
        self.help_button.clicked.connect(lambda: self.help_requested.emit())
        for signal in (digitizer.draft_changed, digitizer.answered, digitizer.progressed):
            signal.connect(self.refresh)
        digitizer.accepted.connect(lambda layer, ids: self._list_classes(layer, keep=True))
        self._engine.state_changed.connect(self.refresh)
        digitizer.set_imagery(self.imagery.currentLayer())

    def _go_on(self) -> None:
        self._digitizer.go_on()
        self.map_wanted.emit()

    def event(self, event: QEvent) -> bool:
        """Claim F1 before QGIS's own help does."""
        if event.type() == QEvent.Type.ShortcutOverride and event.matches(QKeySequence.StandardKey.HelpContents):
            event.accept()
            return True
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """F1 shows the keys."""
        if event.matches(QKeySequence.StandardKey.HelpContents):
            self.help_requested.emit()
        else:
            super().keyPressEvent(event)

    def choose_class(self, number: int) -> None:
        """The class of a number key, from 1."""
        if number <= self.class_name.count():
            self.class_name.setCurrentIndex(number - 1)

    def _set_target(self, layer: QgsVectorLayer | None) -> None:
        self._digitizer.set_target(layer)
        self._list_classes(layer)
        self._by_class.show()
        self.refresh()

    def _list_classes(self, layer: QgsVectorLayer | None, keep: bool = False) -> None:
        """Those of a layer. keep: what is shown stays, even where it is none of them."""
        _, classes = classes_of(layer) if layer is not None else ("", [])
        shown = self.class_name.currentText()
        if classes or self.class_name.count():
            was_blocked = self.class_name.blockSignals(True)  # what is shown between is nobody's choice
            self.class_name.clear()
            for text, stored in classes:
                self.class_name.addItem(text, stored)
            self.class_name.setEditText(shown if keep or not classes or self.class_name.findText(shown) >= 0 else classes[0][0])
            self.class_name.blockSignals(was_blocked)
            if not keep:
                self._set_class(self.class_name.currentText())

    def _set_class(self, text: str) -> None:
        index = self.class_name.findText(text)
        self._digitizer.acceptance.class_name = self.class_name.itemData(index) if index >= 0 else text.strip()
        self._by_class.show()

    def _on_install_button(self) -> None:
        if self._installing:
            self.install_cancelled.emit()
        else:
            self.install_requested.emit()


def _group(name: str, title: str, widget: QWidget, is_open: bool) -> QgsCollapsibleGroupBox:
    """Part of the panel that can be folded away, and stays as it was left."""
    group = QgsCollapsibleGroupBox(title)
    group.setObjectName(f"RasterLasso{name}")
    group.setSettingGroup("rasterlasso")
    group.setCollapsed(not is_open)
    column = QVBoxLayout(group)
    column.setContentsMargins(MARGIN_PX, MARGIN_PX, MARGIN_PX, MARGIN_PX)
    column.addWidget(widget)
    return group
