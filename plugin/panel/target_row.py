"""The layer that polygons go to, and what is done with a whole layer."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsMapLayerProxyModel
from qgis.gui import QgsMapLayerComboBox
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QFileDialog, QHBoxLayout, QInputDialog, QMenu, QToolButton, QWidget

from ..digitizing.digitizer import Digitizer
from ..translation import tr
from .narrow import narrow

EXPORT_KINDS = (
    "GeoPackage (*.gpkg)",
    "Shapefile (*.shp)",
    "GeoJSON (*.geojson)",
    "FlatGeobuf (*.fgb)",
    "GeoParquet (*.parquet)",
)


class TargetRow(QWidget):
    """Signals say what is wished: of a new layer's path, of a layer and its file, of a layer and a tolerance in m.

    `selected_requested`: that what is selected in the active layer be segmented; `similar_requested`: that features like those
    of the target be found; `review_requested`: that those of the active layer be looked through;
    `forgetting_requested`: that what was rejected of these is no counter-example any more.
    """

    geopackage_requested = pyqtSignal(object)
    export_requested = pyqtSignal(object, object)
    simplify_requested = pyqtSignal(object, float)
    selected_requested = pyqtSignal()
    similar_requested = pyqtSignal()
    review_requested = pyqtSignal()
    forgetting_requested = pyqtSignal()

    def __init__(self, digitizer: Digitizer) -> None:
        super().__init__()
        self._digitizer = digitizer
        self.layer = QgsMapLayerComboBox()
        self.layer.setFilters(QgsMapLayerProxyModel.Filter.PolygonLayer | QgsMapLayerProxyModel.Filter.LineLayer)
        self.layer.setAllowEmptyLayer(True, tr("New scratch layer"))
        self.layer.setLayer(None)
        self.layer.setToolTip(tr("The layer that accepted polygons, or their outlines, go to"))
        narrow(self.layer)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.layer, 1)
        row.addWidget(self._menu_button())
        digitizer.target.replaced.connect(lambda: self.layer.setLayer(digitizer.target.layer))

    def _menu_button(self) -> QToolButton:
        button = QToolButton()
        button.setText(tr("New…"))
        button.setToolTip(tr("Make a new layer; segment selected features; export the target or simplify all of it"))
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(button)
        menu.addAction(tr("GeoPackage layer…"), self._choose_geopackage)
        menu.addAction(tr("Scratch layer"), lambda: self._digitizer.target.new_scratch(self._digitizer.crs))
        menu.addSeparator()
        menu.addAction(tr("Segment the selected features"), self.selected_requested.emit)
        menu.addAction(tr("Find similar features in view"), self.similar_requested.emit)
        menu.addAction(tr("Review the active layer's features"), self.review_requested.emit)
        menu.addAction(tr("Forget what was rejected"), self.forgetting_requested.emit)
        menu.addAction(tr("Export the target…"), self._choose_export)
        menu.addAction(tr("Simplify the target, borders shared…"), self._choose_simplification)
        button.setMenu(menu)
        return button

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
        title, label = tr("Simplify with shared borders"), tr("Tolerance in m (Ctrl+Z undoes it)")
        tolerance, is_chosen = QInputDialog.getDouble(self, title, label, self._digitizer.lens.ground_pixel, 0.01, 1e5, 2)
        if is_chosen:
            self.simplify_requested.emit(self._digitizer.target.layer, tolerance)
