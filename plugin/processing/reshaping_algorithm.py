"""What algorithms that change shapes have in common: attributes stay, and what can't be changed stays as it is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from qgis.core import (
    QgsFeature,
    QgsFeatureSink,
    QgsGeometry,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeatureSource,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFeatureSource,
    QgsWkbTypes,
)

from ...contract.errors import RasterLassoError
from ..runtime.engine_run import RunCancelled
from ..translation import error_text, tr
from .lasso_algorithm import LassoAlgorithm


class ReshapingAlgorithm(LassoAlgorithm):
    """A subclass says what becomes of the shapes."""

    CHANGED, UNCHANGED = "CHANGED", "UNCHANGED"
    GROUP = "layers"

    @abstractmethod
    def add_own_parameters(self) -> None:
        """Declare what is to be done."""

    @abstractmethod
    def reshaped(
        self,
        shapes: Sequence[QgsGeometry],
        source: QgsProcessingFeatureSource,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> Mapping[int, QgsGeometry]:
        """New shapes in the input's CRS by their numbers; those that are missing stay. Raises `RasterLassoError`s."""

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare the parameters."""
        kinds = [QgsProcessing.SourceType.TypeVectorPolygon]
        self.addParameter(QgsProcessingParameterFeatureSource(self.INPUT, tr("Polygons"), kinds))
        self.add_own_parameters()
        self.add_sink(tr("Changed polygons"))
        self.addOutput(QgsProcessingOutputNumber(self.CHANGED, tr("Polygons changed")))
        self.addOutput(QgsProcessingOutputNumber(self.UNCHANGED, tr("Polygons left as they were")))

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Change all that can be changed; cancelled, nothing is written."""
        source = self.parameterAsSource(parameters, self.INPUT, context)
        if source is None:
            raise QgsProcessingException(self.invalidSourceError(parameters, self.INPUT))
        kind = QgsWkbTypes.multiType(source.wkbType())
        sink, sink_id = self.parameterAsSink(parameters, self.OUTPUT, context, source.fields(), kind, source.sourceCrs())
        if sink is None:
            raise QgsProcessingException(self.invalidSinkError(parameters, self.OUTPUT))
        features = list(source.getFeatures())
        solid = [feature for feature in features if feature.hasGeometry() and not feature.geometry().isEmpty()]
        try:
            shapes = [feature.geometry() for feature in solid]
            new = self.reshaped(shapes, source, parameters, context, feedback) if shapes else {}
        except RunCancelled:
            return {self.OUTPUT: sink_id, self.CHANGED: 0, self.UNCHANGED: 0}
        except RasterLassoError as error:
            raise QgsProcessingException(error_text(error)) from error
        by_id = {solid[number].id(): shape for number, shape in new.items()}
        for feature in features:
            sink.addFeature(_with(feature, by_id.get(feature.id())), QgsFeatureSink.Flag.FastInsert)
        return {self.OUTPUT: sink_id, self.CHANGED: len(by_id), self.UNCHANGED: len(features) - len(by_id)}


def _with(feature: QgsFeature, shape: QgsGeometry | None) -> QgsFeature:
    """A feature with another shape, None for its own, as a multipolygon."""
    made = QgsFeature(feature)
    if shape is not None:
        made.setGeometry(shape)
    if made.hasGeometry():
        geometry = made.geometry()
        geometry.convertToMultiType()
        made.setGeometry(geometry)
    return made
