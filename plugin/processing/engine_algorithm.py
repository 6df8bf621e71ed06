"""What the algorithms have in common: features become objects, a task of the engine segments them, answers become features."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsFeatureSink,
    QgsField,
    QgsFields,
    QgsGeometry,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeatureSource,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterNumber,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QVariant

from ...contract.errors import RasterLassoError
from ...contract.failures import error_from_wire
from ...contract.looks import PRESETS, Finish
from ...contract.prompts import Prompts
from ...contract.recipe import Recipe
from ...contract.requests import SegmentedObject
from ...contract.wire import Wire
from ..geo.crs import crs_code
from ..geo.transforms import transform_between, transformed_shape
from ..imagery.source import raster_path
from ..runtime.engine_run import RunCancelled
from ..target.provenance import attributes, provenance_fields, source_of
from ..translation import error_text, tr
from .lasso_algorithm import LassoAlgorithm, feature_of


class EngineAlgorithm(LassoAlgorithm):
    """One polygon for each feature of an input. A subclass says what its features mean, and which task takes them."""

    LEVEL, SKIPPED = "LEVEL", "SKIPPED"

    INPUT = "INPUT"
    """Name of the input."""

    ID_FIELD = "source_id"
    """Field of the output that holds the id of the input's feature."""

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

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare the parameters."""
        self.add_imagery()
        self.addParameter(QgsProcessingParameterFeatureSource(self.INPUT, self.input_title(), [self.input_type()]))
        self.add_model()
        level = tr("Level (0 is native resolution, each next one half of it)")
        self.addParameter(QgsProcessingParameterNumber(self.LEVEL, level, defaultValue=0, minValue=-4))
        self.add_finish()
        self.add_polygons(tr("Polygons"))
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
        sink, sink_id = self.polygon_sink(parameters, context, fields, layer)
        finish = self.finish(parameters, context)
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
        image, self._finish = raster_path(self._layer), finish
        self._objects = self._placed()
        if not self._objects:
            raise QgsProcessingException(tr("The input has no feature that can be used; the messages above say why."))
        common = {"image": image, "model": model, "level": level, "finish": finish}
        params = self._algorithm.task_params([(number, shape) for number, (_, shape) in enumerate(self._objects)], common)
        self._algorithm.ask(params, self._take, self._feedback)

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
        feature = feature_of(self._fields, item.found.wkb_hex, known)
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
