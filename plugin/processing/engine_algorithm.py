"""What the algorithms have in common: features become objects, a task of the engine segments them, answers become features."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsFeature,
    QgsFeatureSink,
    QgsField,
    QgsFields,
    QgsGeometry,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeatureSource,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsRasterLayer,
    QgsWkbTypes,
)
from qgis.PyQt.QtCore import QVariant
from qgis.PyQt.QtGui import QIcon

from ...contract.errors import RasterLassoError
from ...contract.failures import error_from_wire
from ...contract.looks import PRESETS, Finish
from ...contract.prompts import Prompts
from ...contract.recipe import Recipe
from ...contract.requests import SegmentedObject
from ...contract.wire import Wire
from ..errors import EngineMissing
from ..geo.crs import crs_code
from ..geo.transforms import transform_between, transformed_shape
from ..geo.wkb import from_hex, to_hex
from ..imagery.source import raster_path
from ..runtime.engine_run import RunCancelled, run_request
from ..runtime.environment import engine_python
from ..settings import Settings
from ..target.provenance import attributes, provenance_fields, source_of
from ..translation import error_text, tr

ICON = Path(__file__).resolve().parents[2] / "resources" / "icons" / "rasterlasso.svg"

FINISHES = list(PRESETS)


class EngineAlgorithm(QgsProcessingAlgorithm):
    """One polygon for each feature of an input. A subclass says what its features mean, and which task takes them."""

    IMAGE, MODEL, LEVEL, FINISH, OUTPUT = "IMAGE", "MODEL", "LEVEL", "FINISH", "OUTPUT"
    FOUND, SKIPPED = "FOUND", "SKIPPED"

    INPUT = "INPUT"
    """Name of the input."""

    ID_FIELD = "source_id"
    """Field of the output that holds the id of the input's feature."""

    TASK = ""
    """Name in the engine's table of tasks."""

    @abstractmethod
    def input_type(self) -> Any:
        """Which geometries the input has: of `QgsProcessing.SourceType`."""

    @abstractmethod
    def input_title(self) -> str:
        """Shown beside the input."""

    @abstractmethod
    def shapes(self, geometry: QgsGeometry) -> list[QgsGeometry]:
        """What of a feature's geometry stands for one object each."""

    @abstractmethod
    def task_params(self, shapes: list[tuple[int, QgsGeometry]], common: dict[str, Any]) -> Wire:
        """Parameters of the task.

        shapes: in the imagery's CRS, each with its number. common: image, model, level and finish.
        """

    def prompts_of(self, shape: QgsGeometry) -> Prompts | None:
        """What gives an object again, for the field `prompts`."""
        return None

    def icon(self) -> QIcon:
        """Shown in the toolbox."""
        return QIcon(str(ICON))

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare the parameters."""
        self.addParameter(QgsProcessingParameterRasterLayer(self.IMAGE, tr("Imagery")))
        self.addParameter(QgsProcessingParameterFeatureSource(self.INPUT, self.input_title(), [self.input_type()]))
        self.addParameter(QgsProcessingParameterString(self.MODEL, tr("Model"), "builtin"))
        level = tr("Level (0 is native resolution, each next one half of it)")
        self.addParameter(QgsProcessingParameterNumber(self.LEVEL, level, defaultValue=0, minValue=-4))
        styles = [tr("As traced"), tr("Field"), tr("Building"), tr("Water"), tr("Tree")]
        self.addParameter(QgsProcessingParameterEnum(self.FINISH, tr("Outline style"), styles, defaultValue=0))
        polygons = QgsProcessing.SourceType.TypeVectorPolygon
        self.addParameter(QgsProcessingParameterFeatureSink(self.OUTPUT, tr("Polygons"), polygons))
        self.addOutput(QgsProcessingOutputNumber(self.FOUND, tr("Polygons found")))
        self.addOutput(QgsProcessingOutputNumber(self.SKIPPED, tr("Features left out")))

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Ask the engine for all objects, and write what it finds as it comes."""
        layer = self.parameterAsRasterLayer(parameters, self.IMAGE, context)
        source = self.parameterAsSource(parameters, self.INPUT, context)
        if source is None:
            raise QgsProcessingException(self.invalidSourceError(parameters, self.INPUT))
        fields = _fields(self.ID_FIELD)
        polygons = QgsWkbTypes.Type.MultiPolygon
        sink, sink_id = self.parameterAsSink(parameters, self.OUTPUT, context, fields, polygons, layer.crs())
        if sink is None:
            raise QgsProcessingException(self.invalidSinkError(parameters, self.OUTPUT))
        finish = PRESETS[FINISHES[self.parameterAsEnum(parameters, self.FINISH, context)]]
        model, level = (
            self.parameterAsString(parameters, self.MODEL, context),
            self.parameterAsInt(parameters, self.LEVEL, context),
        )
        run = _Run(self, layer, source, sink, fields, context, feedback)
        try:
            run.carry_out(model, level, finish)
        except RunCancelled:
            pass  # what was found until then is kept
        except RasterLassoError as error:
            raise QgsProcessingException(error_text(error)) from error
        return {self.OUTPUT: sink_id, self.FOUND: run.found, self.SKIPPED: run.skipped}


class _Run:
    """One run of an algorithm."""

    def __init__(
        self,
        algorithm: EngineAlgorithm,
        layer: QgsRasterLayer,
        source: QgsProcessingFeatureSource,
        sink: QgsFeatureSink,
        fields: QgsFields,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> None:
        self._algorithm = algorithm
        self._layer = layer
        self._source = source
        self._sink = sink
        self._fields = fields
        self._context = context
        self._feedback = feedback
        self._finish = PRESETS["raw"]
        self._objects: list[tuple[int, QgsGeometry]] = []
        """(id of the input's feature, shape in the imagery's CRS) of each object, by its number."""
        self.found = self.skipped = 0

    def carry_out(self, model: str, level: int, finish: Finish) -> None:
        """Raises `RasterLassoError`s, `RunCancelled`, and `QgsProcessingException` where there is nothing to do."""
        python = engine_python(Settings.load())
        if python is None or not python.exists():
            raise EngineMissing()
        image, self._finish = raster_path(self._layer), finish
        self._objects = self._placed()
        if not self._objects:
            raise QgsProcessingException(tr("The input has no feature that can be used; the messages above say why."))
        common = {"image": image, "model": model, "level": level, "finish": finish}
        params = self._algorithm.task_params([(number, shape) for number, (_, shape) in enumerate(self._objects)], common)
        progress, cancelled = (lambda fraction: self._feedback.setProgress(100 * fraction)), self._feedback.isCanceled
        run_request(python, self._algorithm.TASK, params, self._take, progress, cancelled)

    def _placed(self) -> list[tuple[int, QgsGeometry]]:
        """Objects in the imagery's CRS; what can't be placed there is told and left out."""
        transform = transform_between(self._source.sourceCrs(), self._layer.crs(), self._context.transformContext())
        found = []
        for feature in self._source.getFeatures():
            for shape in self._algorithm.shapes(feature.geometry()):
                try:
                    found.append((feature.id(), transformed_shape(shape, transform)))
                except RasterLassoError as error:
                    self._skip(feature.id(), error)
        return found

    def _take(self, value: Mapping[str, Any]) -> None:
        """An object that the engine is done with."""
        item = SegmentedObject.from_wire(value)
        feature_id, shape = self._objects[item.id]
        if item.found is None:
            self._skip(feature_id, error_from_wire(item.error_code, dict(item.error_params)))
            return
        prompts = self._algorithm.prompts_of(shape)
        recipe = None if prompts is None else Recipe(prompts, crs_code(self._layer.crs()) or None, self._finish)
        known = attributes(item.found, item.found.score, recipe, source_of(self._layer), None)
        known |= {"area_m2": item.area_m2, self._algorithm.ID_FIELD: feature_id}
        feature = QgsFeature(self._fields)
        polygon = from_hex(item.found.wkb_hex)
        polygon.convertToMultiType()
        feature.setGeometry(polygon)
        feature.setAttributes([known.get(field.name()) for field in self._fields])
        self._sink.addFeature(feature, QgsFeatureSink.Flag.FastInsert)
        self.found += 1
        self._feedback.pushInfo(tr("feature {id}: score {score:.2f}").format(id=feature_id, score=item.found.score))

    def _skip(self, feature_id: int, error: RasterLassoError) -> None:
        self.skipped += 1
        self._feedback.reportError(tr("feature {id}: {reason}").format(id=feature_id, reason=error_text(error)))


def _fields(id_field: str) -> QgsFields:
    fields = QgsFields()
    fields.append(QgsField(id_field, QVariant.LongLong))
    for field in provenance_fields():
        fields.append(field)
    return fields


def wkb_of(geometry: QgsGeometry) -> str:
    """As it crosses the pipe."""
    return to_hex(geometry)
