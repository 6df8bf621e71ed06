"""What is done to a whole layer: exporting it, simplifying it with its borders shared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsFeatureRequest,
    QgsGeometry,
    QgsProject,
    QgsVectorLayer,
    QgsWkbTypes,
)
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ...contract.answers import Simplified
from ...contract.chores import ConvertParams, SimplifyParams
from ...contract.client import Replies
from ...contract.errors import ProtocolError, RasterLassoError
from ..errors import NothingToExport, TargetReadOnly, TargetUnfit
from ..geo.measure import in_map_units
from ..geo.wkb import polygon_from_hex, to_hex
from ..runtime.engine_process import EngineProcess
from ..translation import error_text, tr
from .exporting import can_write, export_layer
from .placing import editing
from .target import Target


class LayerJobs(QObject):
    """`message` (text, level) is for the user."""

    message = pyqtSignal(str, object)

    def __init__(self, engine: EngineProcess, project: QgsProject) -> None:
        super().__init__()
        self._engine = engine
        self._project = project

    def new_geopackage(self, target: Target, path: Path, crs: QgsCoordinateReferenceSystem) -> None:
        """Make a GeoPackage layer, and accept into it from now on."""
        try:
            target.new_geopackage(path, crs)
        except RasterLassoError as error:
            self._tell(error)

    def export(self, layer: QgsVectorLayer | None, path: Path) -> None:
        """Write a layer, edits included, in the format of the suffix: by QGIS where it can, else by the engine."""
        try:
            if layer is None:
                raise NothingToExport()
            if can_write(path):
                export_layer(layer, path, self._project)
                self._tell_exported(path)
                return
            folder = TemporaryDirectory(prefix="rasterlasso-export-")
            between = Path(folder.name) / "layer.gpkg"
            export_layer(layer, between, self._project)
        except RasterLassoError as error:
            self._tell(error)
            return

        def converted(value: Mapping[str, Any]) -> None:
            folder.cleanup()
            self._tell_exported(path)

        params = ConvertParams(str(between), str(path))
        self._engine.request("convert", params.to_wire(), Replies(result=converted, failure=self._tell))

    def simplify(self, layer: QgsVectorLayer | None, tolerance_m: float) -> None:
        """Simplify the selected polygons, or all where none is selected, in one undo command."""
        if layer is None:
            self._tell(NothingToExport())
            return
        if layer.geometryType() != QgsWkbTypes.GeometryType.PolygonGeometry:
            self._tell(TargetUnfit(layer=layer.name()))
            return
        chosen = layer.selectedFeatures() or list(layer.getFeatures(QgsFeatureRequest()))
        before = {feature.id(): feature.geometry() for feature in chosen if feature.hasGeometry()}
        shapes = tuple(to_hex(shape) for shape in before.values())
        params = SimplifyParams(shapes, in_map_units(tolerance_m, layer.crs()), not layer.selectedFeatureCount())
        layer_id = layer.id()
        replies = Replies(result=lambda value: self._take(layer_id, before, value), failure=self._tell)
        self._engine.request("simplify", params.to_wire(), replies)

    def _take(self, layer_id: str, before: dict[int, QgsGeometry], value: Mapping[str, Any]) -> None:
        """What was changed or removed meanwhile stays as it is; raises `ProtocolError`."""
        simpler = [polygon_from_hex(wkb_hex) for wkb_hex in Simplified.from_wire(value).wkb_hex]
        if len(simpler) != len(before):
            raise ProtocolError(reason=f"{len(simpler)} simplified polygons of {len(before)}")
        layer = self._project.mapLayer(layer_id)
        if not isinstance(layer, QgsVectorLayer):
            return
        count = saved = 0
        try:
            with editing(layer, tr("Simplify with shared borders")):
                for (feature_id, old), shape in zip(before.items(), simpler):
                    fitting = shape.coerceToType(layer.wkbType())
                    is_same = layer.getFeature(feature_id).geometry().equals(old)
                    if is_same and len(fitting) == 1 and layer.changeGeometry(feature_id, fitting[0]):
                        count += 1
                        saved += old.constGet().nCoordinates() - fitting[0].constGet().nCoordinates()
        except TargetReadOnly as error:
            self._tell(error)
            return
        text = tr("Simplified {count} polygons, {vertices} vertices removed. Ctrl+Z undoes it.")
        self.message.emit(text.format(count=count, vertices=saved), Qgis.MessageLevel.Success)

    def _tell_exported(self, path: Path) -> None:
        self.message.emit(tr("Exported to {path}.").format(path=path), Qgis.MessageLevel.Success)

    def _tell(self, error: RasterLassoError) -> None:
        self.message.emit(error_text(error), Qgis.MessageLevel.Warning)
