"""What all algorithms have in common: imagery, model and outline, a task of the engine, polygons as features."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

from qgis.core import (
    QgsFeature,
    QgsFeatureSink,
    QgsFields,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsRasterLayer,
    QgsWkbTypes,
)
from qgis.PyQt.QtGui import QIcon

from ...contract.looks import PRESETS, Finish
from ...contract.wire import Wire
from ..errors import EngineMissing
from ..geo.wkb import from_hex
from ..runtime.engine_run import run_request
from ..runtime.environment import engine_python
from ..settings import Settings
from ..translation import error_text, tr

ICON = Path(__file__).resolve().parents[2] / "resources" / "icons" / "rasterlasso.svg"


class LassoAlgorithm(QgsProcessingAlgorithm):
    """A subclass says what it takes beside the imagery, and what it makes of the task's items."""

    IMAGE, MODEL, FINISH, OUTPUT, FOUND = "IMAGE", "MODEL", "FINISH", "OUTPUT", "FOUND"

    TASK = ""
    """Name in the engine's table of tasks."""

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Find the engine's Python, before anything is read; raises `QgsProcessingException` where there is none."""
        python = engine_python(Settings.load())
        if python is None or not python.exists():
            raise QgsProcessingException(error_text(EngineMissing()))
        self._python = python
        return True

    def icon(self) -> QIcon:
        """Shown in the toolbox."""
        return QIcon(str(ICON))

    def add_imagery(self) -> None:
        """Declare what is segmented."""
        self.addParameter(QgsProcessingParameterRasterLayer(self.IMAGE, tr("Imagery")))

    def add_model(self) -> None:
        """Declare the model that is asked."""
        self.addParameter(QgsProcessingParameterString(self.MODEL, tr("Model"), "builtin"))

    def add_finish(self) -> None:
        """Declare how outlines are drawn: `PRESETS` in their order."""
        styles = [tr("As traced"), tr("Field"), tr("Building"), tr("Water"), tr("Tree")]
        self.addParameter(QgsProcessingParameterEnum(self.FINISH, tr("Outline style"), styles, defaultValue=0))

    def add_polygons(self, title: str) -> None:
        """Declare what comes out, and how many."""
        polygons = QgsProcessing.SourceType.TypeVectorPolygon
        self.addParameter(QgsProcessingParameterFeatureSink(self.OUTPUT, title, polygons))
        self.addOutput(QgsProcessingOutputNumber(self.FOUND, tr("Polygons found")))

    def finish(self, parameters: dict[str, Any], context: QgsProcessingContext) -> Finish:
        """What was chosen."""
        return list(PRESETS.values())[self.parameterAsEnum(parameters, self.FINISH, context)]

    def polygon_sink(
        self, parameters: dict[str, Any], context: QgsProcessingContext, fields: QgsFields, layer: QgsRasterLayer
    ) -> tuple[QgsFeatureSink, str]:
        """Where polygons in the imagery's CRS go, and its id; raises `QgsProcessingException`."""
        polygons = QgsWkbTypes.Type.MultiPolygon
        sink, sink_id = self.parameterAsSink(parameters, self.OUTPUT, context, fields, polygons, layer.crs())
        if sink is None:
            raise QgsProcessingException(self.invalidSinkError(parameters, self.OUTPUT))
        return sink, sink_id

    def ask(self, params: Wire, take: Callable[[Mapping[str, Any]], None], feedback: QgsProcessingFeedback) -> None:
        """Run the task in an engine of its own, with progress and Cancel; raises `RasterLassoError`s and `RunCancelled`."""
        run_request(self._python, self.TASK, params, take, lambda part: feedback.setProgress(100 * part), feedback.isCanceled)


def feature_of(fields: QgsFields, wkb_hex: str, known: Mapping[str, Any]) -> QgsFeature:
    """A feature of a multipolygon; known: values by the fields' names."""
    feature, polygon = QgsFeature(fields), from_hex(wkb_hex)
    polygon.convertToMultiType()
    feature.setGeometry(polygon)
    feature.setAttributes([known.get(field.name()) for field in fields])
    return feature
