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
    QInputDialog,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ...contract.requests import ModelInfo
from ..digitizing.digitizer import Digitizer
from ..digitizing.draft import Combining
from ..digitizing.hover import Hover
from ..digitizing.state import DraftState
from ..imagery.lens import MOST_SIZE
from ..runtime.engine_process import EngineProcess, EngineState
from ..target.classes import classes_of
from ..translation import tr
from .finish_panel import FinishPanel
from .models_dialog import quality_text, speed_text
from .status import status_text

EXPORT_KINDS = (
    "GeoPackage (*.gpkg)",
    "Shapefile (*.shp)",
    "GeoJSON (*.geojson)",
    "FlatGeobuf (*.fgb)",
    "GeoParquet (*.parquet)",
)


class LassoDock(QgsDockWidget):
    """Shows the digitizer and passes on what the user chooses."""

    models_requested = pyqtSignal()
    simplify_requested = pyqtSignal(object, float)
    export_requested = pyqtSignal(object, object)
    geopackage_requested = pyqtSignal(object)
    install_requested = pyqtSignal()
    install_cancelled = pyqtSignal()

    def __init__(self, digitizer: Digitizer, hover: Hover, engine: EngineProcess, parent: QWidget | None = None) -> None:
        super().__init__(tr("Raster Lasso"), parent)
        self.setObjectName("RasterLassoDock")
        self._digitizer = digitizer
        self._hover = hover
        self._engine = engine
        self._installing = False

        self._make_choices()
        self._make_switches()
        self._make_actions()
        self._lay_out()
        self._connect()
        self.refresh()

    def _make_choices(self) -> None:
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
        self.class_name.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)  # a class typed is the layer's once it is accepted
        self.class_name.setToolTip(tr("The layer's classes, or a new one; 1 to 9 choose from the list"))
        self.size = QSpinBox()
        self.size.setRange(-MOST_SIZE, MOST_SIZE)
        self.size.setToolTip(
            tr("0 suits objects that fill a third of the map. Turn it up for larger ones, down for smaller ones (+ and -).")
        )
        self.radiometry = QComboBox()
        self.radiometry.addItem(tr("Automatic: 2 to 98 %"))
        self.radiometry.addItem(tr("As the map shows it"))
        self.radiometry.setToolTip(tr("Bands and contrast that the model sees; kept with the imagery in the project"))
        self.finish = FinishPanel()

    def _make_switches(self) -> None:
        self.auto_accept = QCheckBox(tr("A click elsewhere accepts"))
        self.share_borders = QCheckBox(tr("Share borders with neighbours"))
        self.share_borders.setToolTip(tr("Borders nearer than three pixels are taken over; overlaps stay with the older one"))
        self.show_hover = QCheckBox(tr("Show what a click would give"))
        self.show_hover.setToolTip(tr("Where the engine has looked at the place already"))
        self.show_hover.setChecked(self._hover.enabled)
        self.learn = QCheckBox(tr("Learn from accepted objects"))
        self.learn.setToolTip(tr("The model adapts to this imagery. Uncheck to forget what it learnt."))
        self.learn.setChecked(self._digitizer.lens.learns)

    def _make_actions(self) -> None:
        self.status = QLabel()
        self.status.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setRange(0, 100)
        self.bar.setTextVisible(False)
        self.restart_button = QToolButton()
        self.restart_button.setText("⟳")
        self.restart_button.setToolTip(tr("Restart engine; your clicks are kept"))
        self.go_on_button = QPushButton()
        self.go_on_button.setToolTip(tr("The object is larger than what is looked at for a click: find the rest of it, too"))
        self.install_button = QPushButton(tr("Install engine"))
        self.accept_button = QPushButton(tr("Accept"))
        self.accept_button.setToolTip(tr("Add the polygon to the target layer (Enter)"))
        self.undo_button = QPushButton(tr("Undo"))
        self.undo_button.setToolTip(tr("Take the last prompt back (Backspace or Ctrl+Z)"))
        self.clear_button = QPushButton(tr("Clear"))
        self.clear_button.setToolTip(tr("Forget this object (Esc)"))
        self.add_button = QPushButton(tr("Add"))
        self.add_button.setToolTip(tr("Keep this and add what you click next (A)"))
        self.subtract_button = QPushButton(tr("Cut out"))
        self.subtract_button.setToolTip(tr("Keep this and cut out of it what you click next (S)"))
        self.split_button = QPushButton(tr("Split"))
        self.split_button.setCheckable(True)
        self.split_button.setToolTip(tr("Draw a line across the polygon to make two of it (X)"))

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
            self._digitizer.lens.set_model(self.model.currentData())

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
        self.radiometry.setCurrentIndex(int(self._digitizer.lens.sees_as_shown))
        self.accept_button.setEnabled(bool(self._digitizer.pieces) or progress is not None)
        for button in (self.add_button, self.subtract_button, self.split_button):
            button.setEnabled(bool(self._digitizer.pieces) and progress is None)
        self.split_button.setChecked(self._digitizer.state is DraftState.SPLITTING)
        answer = self._digitizer.answer
        left = 0 if answer is None or progress is not None else answer.tiles_left
        self.go_on_button.setVisible(left > 0)
        self.go_on_button.setText(tr("Go on: about {count} more tiles").format(count=left))
        self.undo_button.setEnabled(not draft.is_empty)
        self.clear_button.setEnabled(not draft.is_empty)
        self.install_button.setVisible(
            self._installing or not self._engine.is_installed or self._engine.state is EngineState.FAILED
        )
        self.install_button.setText(tr("Cancel installation") if self._installing else tr("Install engine"))
        self.bar.setRange(0, 0 if self._installing else 100)
        self.bar.setValue(round(100 * progress.fraction) if progress else 0)
        if not self._installing:
            self.status.setText(status_text(self._engine, self._digitizer))

    def _target_menu(self) -> QToolButton:
        button = QToolButton()
        button.setText(tr("New…"))
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        menu.addAction(tr("GeoPackage layer…"), self._choose_geopackage)
        menu.addAction(tr("Scratch layer"), lambda: self._digitizer.target.new_scratch(self._digitizer.crs))
        menu.addSeparator()
        menu.addAction(tr("Export the target…"), self._choose_export)
        menu.addAction(tr("Simplify the target, borders shared…"), self._choose_simplification)
        button.setMenu(menu)
        return button

    def _form(self) -> QFormLayout:
        target_row, model_row = QHBoxLayout(), QHBoxLayout()
        target_row.addWidget(self.target, 1)
        target_row.addWidget(self._target_menu())
        model_row.addWidget(self.model, 1)
        model_row.addWidget(self.models_button)
        form = QFormLayout()
        form.addRow(tr("Imagery"), self.imagery)
        form.addRow(tr("Target"), target_row)
        form.addRow(tr("Model"), model_row)
        form.addRow(tr("Class"), self.class_name)
        form.addRow(tr("Outline"), self.finish)
        form.addRow(tr("Radiometry"), self.radiometry)
        form.addRow(tr("Object size"), self.size)
        for switch in (self.auto_accept, self.share_borders, self.show_hover, self.learn):
            form.addRow(switch)
        return form

    def _lay_out(self) -> None:
        buttons, combining = QHBoxLayout(), QHBoxLayout()
        for button in (self.accept_button, self.undo_button, self.clear_button):
            buttons.addWidget(button)
        for button in (self.add_button, self.subtract_button, self.split_button):
            combining.addWidget(button)
        help_text = QLabel(
            tr(
                "Click the feature. Right click or Shift+click what does not belong to it. Drag a box, or draw around or "
                "across the feature with Ctrl. Enter accepts, Tab shows what else may be meant, Alt+click reopens an "
                "accepted polygon."
            )
        )
        help_text.setWordWrap(True)
        column = QVBoxLayout()
        column.addLayout(self._form())
        column.addLayout(buttons)
        column.addLayout(combining)
        status_row = QHBoxLayout()
        status_row.addWidget(self.status, 1)
        status_row.addWidget(self.restart_button, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(status_row)
        for widget in (self.go_on_button, self.bar, self.install_button, help_text):
            column.addWidget(widget)
        column.addStretch(1)
        body = QWidget()
        body.setLayout(column)
        self.setWidget(body)

    def _connect(self) -> None:
        digitizer = self._digitizer
        # `layerChanged` leaves out the layer that takes the place of one that was removed.
        self.imagery.currentIndexChanged.connect(lambda index: digitizer.set_imagery(self.imagery.currentLayer()))
        self.target.layerChanged.connect(self._set_target)
        self.model.currentIndexChanged.connect(lambda index: digitizer.lens.set_model(self.model.itemData(index)))
        self.class_name.currentTextChanged.connect(self._set_class)
        self.size.valueChanged.connect(digitizer.lens.set_size)
        self.finish.changed.connect(digitizer.lens.set_finish)
        self.auto_accept.toggled.connect(lambda is_on: setattr(digitizer, "auto_accept", is_on))
        self.share_borders.toggled.connect(lambda is_on: setattr(digitizer.acceptance, "share_borders", is_on))
        self.radiometry.currentIndexChanged.connect(lambda index: digitizer.lens.set_as_shown(index == 1))
        self.models_button.clicked.connect(lambda: self.models_requested.emit())
        self.show_hover.toggled.connect(self._set_hover)
        self.learn.toggled.connect(digitizer.acceptance.set_learning)
        self.accept_button.clicked.connect(lambda: digitizer.accept())
        self.undo_button.clicked.connect(lambda: digitizer.undo())
        self.clear_button.clicked.connect(lambda: digitizer.clear())
        self.add_button.clicked.connect(lambda: digitizer.combine_next(Combining.ADD))
        self.subtract_button.clicked.connect(lambda: digitizer.combine_next(Combining.SUBTRACT))
        self.split_button.clicked.connect(lambda: digitizer.split_next())
        self.go_on_button.clicked.connect(lambda: digitizer.go_on())
        self.restart_button.clicked.connect(lambda: self._engine.restart())
        self.install_button.clicked.connect(self._on_install_button)
        for signal in (digitizer.draft_changed, digitizer.answered, digitizer.progressed):
            signal.connect(self.refresh)
        digitizer.accepted.connect(lambda layer, ids: self._list_classes(layer, keep=True))
        digitizer.target.replaced.connect(lambda: self.target.setLayer(digitizer.target.layer))
        self._engine.state_changed.connect(self.refresh)
        digitizer.set_imagery(self.imagery.currentLayer())

    def choose_class(self, number: int) -> None:
        """The class of a number key, from 1."""
        if number <= self.class_name.count():
            self.class_name.setCurrentIndex(number - 1)

    def _set_target(self, layer: QgsVectorLayer | None) -> None:
        self._digitizer.set_target(layer)
        self._list_classes(layer)

    def _list_classes(self, layer: QgsVectorLayer | None, keep: bool = False) -> None:
        """Those of a layer. keep: what is shown stays, even where it is none of them."""
        _, classes = classes_of(layer) if layer is not None else ("", [])
        shown = self.class_name.currentText()
        if classes or self.class_name.count():
            self.class_name.clear()
            for text, stored in classes:
                self.class_name.addItem(text, stored)
            self.class_name.setEditText(shown if keep or not classes or self.class_name.findText(shown) >= 0 else classes[0][0])

    def _set_class(self, text: str) -> None:
        index = self.class_name.findText(text)
        self._digitizer.acceptance.class_name = self.class_name.itemData(index) if index >= 0 else text.strip()

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
            self.geopackage_requested.emit(path if path.suffix.lower() == ".gpkg" else path.with_name(f"{path.name}.gpkg"))

    def _choose_export(self) -> None:
        kinds = ";;".join(EXPORT_KINDS)
        name, _ = QFileDialog.getSaveFileName(self, tr("Export the target layer"), "", kinds)
        if name:
            self.export_requested.emit(self._digitizer.target.layer, Path(name))

    def _choose_simplification(self) -> None:
        title, label = tr("Simplify with shared borders"), tr("Tolerance in m (Ctrl+Z takes it back)")
        tolerance, is_chosen = QInputDialog.getDouble(self, title, label, self._digitizer.lens.ground_pixel, 0.01, 1e5, 2)
        if is_chosen:
            self.simplify_requested.emit(self._digitizer.target.layer, tolerance)
