"""The panel: imagery, target, model, class, the engine's state, and the three things to do with a draft."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qgis.core import QgsMapLayerProxyModel, QgsVectorLayer
from qgis.gui import QgsDockWidget, QgsMapLayerComboBox
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..engine.ops import ModelInfo
from .classes import classes_of
from .digitizer import MOST_SIZE, Digitizer
from .engine_process import EngineProcess, EngineState
from .hover import Hover
from .models_dialog import quality_text, speed_text
from .translation import tr


class LassoDock(QgsDockWidget):
    """Shows the digitizer and passes on what the user chooses."""

    models_requested = pyqtSignal()
    install_requested = pyqtSignal()
    install_cancelled = pyqtSignal()

    def __init__(self, digitizer: Digitizer, hover: Hover, engine: EngineProcess, parent: QWidget | None = None) -> None:
        super().__init__(tr("Raster Lasso"), parent)
        self.setObjectName("RasterLassoDock")
        self._digitizer = digitizer
        self._hover = hover
        self._engine = engine
        self._installing = False

        self.imagery = QgsMapLayerComboBox()
        self.imagery.setFilters(QgsMapLayerProxyModel.Filter.RasterLayer)
        self.target = QgsMapLayerComboBox()
        self.target.setFilters(QgsMapLayerProxyModel.Filter.PolygonLayer | QgsMapLayerProxyModel.Filter.LineLayer)
        self.target.setAllowEmptyLayer(True, tr("New scratch layer"))
        self.target.setLayer(None)
        self.model = QComboBox()
        self.models_button = QToolButton()
        self.models_button.setText(tr("Models…"))
        self.models_button.setToolTip(tr("What each model is like; download, add and remove"))
        self.class_name = QComboBox()
        self.class_name.setEditable(True)
        self.size = QSpinBox()
        self.size.setRange(-MOST_SIZE, MOST_SIZE)
        self.size.setToolTip(
            tr("0 suits objects that fill a third of the map. Turn it up for larger ones, down for smaller ones (+ and -).")
        )
        self.radiometry = QComboBox()
        self.radiometry.addItem(tr("Automatic: 2 to 98 %"))
        self.radiometry.addItem(tr("As the map shows it"))
        self.radiometry.setToolTip(tr("Bands and contrast that the model sees; kept with the imagery in the project"))
        self.finish = QComboBox()
        for name, text in (
            ("raw", tr("Free")),
            ("field", tr("Field: simpler")),
            ("building", tr("Building: right angles")),
            ("water", tr("Water, coast: smooth")),
            ("tree", tr("Tree: smooth, simpler")),
        ):
            self.finish.addItem(text, name)
        self.auto_accept = QCheckBox(tr("A click elsewhere accepts"))
        self.share_borders = QCheckBox(tr("Share borders with neighbours"))
        self.share_borders.setToolTip(tr("Borders nearer than three pixels are taken over; overlaps stay with the older one"))
        self.show_hover = QCheckBox(tr("Show what a click would give"))
        self.show_hover.setToolTip(tr("Where the engine has looked at the place already"))
        self.show_hover.setChecked(hover.enabled)
        self.learn = QCheckBox(tr("Learn from accepted objects"))
        self.learn.setToolTip(tr("The model adapts to this imagery. Uncheck to forget what it learnt."))
        self.learn.setChecked(digitizer.lens.learns)
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setRange(0, 100)
        self.bar.setTextVisible(False)
        self.install_button = QPushButton(tr("Install engine"))
        self.accept_button = QPushButton(tr("Accept"))
        self.accept_button.setToolTip(tr("Add the polygon to the target layer (Enter)"))
        self.undo_button = QPushButton(tr("Undo"))
        self.undo_button.setToolTip(tr("Take the last click or box back (Backspace or Ctrl+Z)"))
        self.clear_button = QPushButton(tr("Clear"))
        self.clear_button.setToolTip(tr("Forget this object (Esc)"))
        self._lay_out()
        self._connect()
        self.refresh()

    def set_models(self, models: Sequence[ModelInfo]) -> None:
        """Offer models; where the current one is gone, the first takes its place."""
        current = self._digitizer.lens.model
        self.model.blockSignals(True)
        self.model.clear()
        for each in models:
            self.model.addItem(each.title, each.name)
            words = f"{quality_text(each)}\n{speed_text(each)}\n{each.licence}"
            self.model.setItemData(self.model.count() - 1, words, Qt.ItemDataRole.ToolTipRole)
        self.model.setCurrentIndex(max(0, self.model.findData(current)))
        self.model.blockSignals(False)
        if self.model.currentData() != current:
            self._digitizer.set_model(self.model.currentData())

    def show_install_progress(self, line: str | None) -> None:
        """A line of the installation, or None when it is over."""
        self._installing = line is not None
        self.refresh()
        if line is not None:
            self.status.setText(line)

    def refresh(self) -> None:
        """Show what is the case."""
        draft, progress = self._digitizer.draft, self._digitizer.progress
        self.size.setValue(self._digitizer.lens.size)
        self.radiometry.setCurrentIndex(int(self._digitizer.sees_as_shown))
        self.accept_button.setEnabled(self._digitizer.answer is not None or progress is not None)
        self.undo_button.setEnabled(not draft.is_empty)
        self.clear_button.setEnabled(not draft.is_empty)
        self.install_button.setVisible(
            self._installing or not self._engine.is_installed or self._engine.state is EngineState.FAILED
        )
        self.install_button.setText(tr("Cancel installation") if self._installing else tr("Install engine"))
        self.bar.setRange(0, 0 if self._installing else 100)
        self.bar.setValue(round(100 * progress.fraction) if progress else 0)
        if not self._installing:
            self.status.setText(self._status_text())

    def _status_text(self) -> str:
        answer, progress = self._digitizer.answer, self._digitizer.progress
        if not self._engine.is_installed:
            return tr("Engine: not installed")
        if self._engine.state is EngineState.FAILED:
            return tr("Engine: can't start")
        if self._engine.state is EngineState.STARTING:
            return tr("Engine: starting…")
        if progress is not None:
            stages = {"read": tr("reading"), "encode": tr("encoding"), "decode": tr("segmenting"), "vectorize": tr("outlining")}
            if self._digitizer.is_growing:
                return tr(
                    "Larger than a tile: refining, {percent:.0f} % of what is known of it. Esc keeps what is found."
                ).format(percent=100 * progress.fraction)
            return tr("Engine: {stage}…").format(stage=stages.get(progress.stage, progress.stage))
        if answer is not None:
            return tr("Score {score:.2f}, level {level}, {milliseconds:.0f} ms").format(
                score=answer.score, level=answer.level, milliseconds=1000 * answer.seconds
            )
        if self._digitizer.pace.total:
            return self._pace_text()
        return tr("Engine: ready") if self._engine.state is EngineState.READY else tr("Engine: not started")

    def _pace_text(self) -> str:
        pace = self._digitizer.pace
        if pace.per_minute is None:
            return tr("{count} accepted").format(count=pace.total)
        return tr("{count} accepted, {pace:.1f} a minute").format(count=pace.total, pace=pace.per_minute)

    def _lay_out(self) -> None:
        new_layer = QToolButton()
        new_layer.setText(tr("New…"))
        new_layer.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(new_layer)
        menu.addAction(tr("GeoPackage layer…"), self._choose_geopackage)
        menu.addAction(tr("Scratch layer"), self._digitizer.new_scratch_target)
        menu.addSeparator()
        menu.addAction(tr("Export the target…"), self._choose_export)
        new_layer.setMenu(menu)
        target_row = QHBoxLayout()
        target_row.addWidget(self.target, 1)
        target_row.addWidget(new_layer)
        form = QFormLayout()
        form.addRow(tr("Imagery"), self.imagery)
        form.addRow(tr("Target"), target_row)
        model_row = QHBoxLayout()
        model_row.addWidget(self.model, 1)
        model_row.addWidget(self.models_button)
        form.addRow(tr("Model"), model_row)
        form.addRow(tr("Class"), self.class_name)
        form.addRow(tr("Outline"), self.finish)
        form.addRow(tr("Radiometry"), self.radiometry)
        form.addRow(tr("Object size"), self.size)
        form.addRow(self.auto_accept)
        form.addRow(self.share_borders)
        form.addRow(self.show_hover)
        form.addRow(self.learn)
        buttons = QHBoxLayout()
        for button in (self.accept_button, self.undo_button, self.clear_button):
            buttons.addWidget(button)
        help_text = QLabel(
            tr("Click the feature. Right click or Shift+click what does not belong to it. Drag a box. Enter accepts.")
        )
        help_text.setWordWrap(True)
        column = QVBoxLayout()
        column.addLayout(form)
        column.addLayout(buttons)
        for widget in (self.status, self.bar, self.install_button, help_text):
            column.addWidget(widget)
        column.addStretch(1)
        body = QWidget()
        body.setLayout(column)
        self.setWidget(body)

    def _connect(self) -> None:
        digitizer = self._digitizer
        self.imagery.layerChanged.connect(digitizer.set_imagery)
        self.target.layerChanged.connect(self._set_target)
        self.model.currentIndexChanged.connect(lambda index: digitizer.set_model(self.model.itemData(index)))
        self.class_name.currentTextChanged.connect(self._set_class)
        self.size.valueChanged.connect(digitizer.set_size)
        self.finish.currentIndexChanged.connect(lambda index: digitizer.set_finish(self.finish.itemData(index)))
        self.auto_accept.toggled.connect(lambda is_on: setattr(digitizer, "auto_accept", is_on))
        self.share_borders.toggled.connect(lambda is_on: setattr(digitizer, "share_borders", is_on))
        self.radiometry.currentIndexChanged.connect(lambda index: digitizer.set_as_shown(index == 1))
        self.models_button.clicked.connect(lambda: self.models_requested.emit())
        self.show_hover.toggled.connect(self._set_hover)
        self.learn.toggled.connect(digitizer.set_learning)
        self.accept_button.clicked.connect(lambda: digitizer.accept())
        self.undo_button.clicked.connect(lambda: digitizer.undo())
        self.clear_button.clicked.connect(lambda: digitizer.clear())
        self.install_button.clicked.connect(self._on_install_button)
        digitizer.changed.connect(self.refresh)
        digitizer.target_changed.connect(lambda: self.target.setLayer(digitizer.target))
        self._engine.state_changed.connect(self.refresh)
        digitizer.set_imagery(self.imagery.currentLayer())

    def choose_class(self, number: int) -> None:
        """The class of a number key, from 1."""
        if number <= self.class_name.count():
            self.class_name.setCurrentIndex(number - 1)

    def _set_target(self, layer: QgsVectorLayer | None) -> None:
        self._digitizer.set_target(layer)
        _, classes = classes_of(layer) if layer is not None else ("", [])
        shown = self.class_name.currentText()
        if classes or self.class_name.count():
            self.class_name.clear()
            for text, stored in classes:
                self.class_name.addItem(text, stored)
            self.class_name.setEditText(shown if not classes or self.class_name.findText(shown) >= 0 else classes[0][0])

    def _set_class(self, text: str) -> None:
        index = self.class_name.findText(text)
        self._digitizer.class_name = self.class_name.itemData(index) if index >= 0 else text.strip()

    def _set_hover(self, is_on: bool) -> None:
        self._hover.enabled = is_on
        self._hover.stop()

    def _on_install_button(self) -> None:
        if self._installing:
            self.install_cancelled.emit()
        else:
            self.install_requested.emit()

    def _choose_geopackage(self) -> None:
        title, kinds = tr("New GeoPackage layer"), tr("GeoPackage (*.gpkg)")
        # An existing file gets another layer: nothing of it is overwritten.
        name, _ = QFileDialog.getSaveFileName(self, title, "", kinds, "", QFileDialog.Option.DontConfirmOverwrite)
        if name:
            path = Path(name)
            self._digitizer.new_geopackage_target(
                path if path.suffix.lower() == ".gpkg" else path.with_name(f"{path.name}.gpkg")
            )

    def _choose_export(self) -> None:
        kinds = ";;".join(("GeoPackage (*.gpkg)", "Shapefile (*.shp)", "GeoJSON (*.geojson)", "FlatGeobuf (*.fgb)"))
        name, _ = QFileDialog.getSaveFileName(self, tr("Export the target layer"), "", kinds)
        if name:
            self._digitizer.export(Path(name))
