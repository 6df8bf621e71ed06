"""What algorithms that propose features have in common: an area of the imagery, a task of the engine, proposals as features."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsFeature,
    QgsFeatureSink,
    QgsField,
    QgsFields,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterNumber,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QVariant

from ...contract.errors import RasterLassoError
from ...contract.proposals import Proposal
from ...contract.recipe import Recipe
from ...contract.wire import Wire
from ..geo.crs import crs_code
from ..imagery.source import raster_path
from ..runtime.engine_run import RunCancelled
from ..target.provenance import attributes, provenance_fields, source_of
from ..translation import error_text, tr
from .lasso_algorithm import LassoAlgorithm, feature_of

LIKENESS = "likeness"


class ProposingAlgorithm(LassoAlgorithm):
    """A subclass adds what it looks for, and says which task finds it."""

    LEAST = "LEAST"

    DEFAULT_LEAST = 0.4
    """Likeness from which on a proposal is written."""

    @abstractmethod
    def add_own_parameters(self) -> None:
        """Declare what is looked for."""

    @abstractmethod
    def task_params(
        self, parameters: dict[str, Any], layer: QgsRasterLayer, context: QgsProcessingContext, common: dict[str, Any]
    ) -> Wire:
        """Parameters of the task; common: image, area, model and finish. Raises `RasterLassoError`s."""

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare the parameters."""
        self.add_imagery()
        self.add_own_parameters()
        self.add_extent()
        self.add_model()
        self.add_finish()
        kind, least = QgsProcessingParameterNumber.Type.Double, tr("Least likeness (0 to 1)")
        self.addParameter(QgsProcessingParameterNumber(self.LEAST, least, kind, self.DEFAULT_LEAST, False, 0.0, 1.0))
        self.add_polygons(tr("Proposals"))

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Write what the engine proposes as it comes; what was found before it was cancelled stays."""
        layer = self.parameterAsRasterLayer(parameters, self.IMAGE, context)
        fields = _fields()
        sink, sink_id = self.polygon_sink(parameters, context, fields, layer)
        least, found = self.parameterAsDouble(parameters, self.LEAST, context), 0

        def take(value: Mapping[str, Any]) -> None:
            nonlocal found
            proposal = Proposal.from_wire(value)
            if proposal.likeness >= least:
                sink.addFeature(_feature(proposal, fields, layer, common), QgsFeatureSink.Flag.FastInsert)
                found += 1

        try:
            common = self._common(parameters, layer, context)
            params = self.task_params(parameters, layer, context, common)
            self.ask(params, take, feedback)
        except RunCancelled:
            pass
        except RasterLassoError as error:
            raise QgsProcessingException(error_text(error)) from error
        return {self.OUTPUT: sink_id, self.FOUND: found}

    def _common(self, parameters: dict[str, Any], layer: QgsRasterLayer, context: QgsProcessingContext) -> dict[str, Any]:
        return {
            "image": raster_path(layer),
            "area": self.area(parameters, layer, context),
            "model": self.parameterAsString(parameters, self.MODEL, context),
            "finish": self.finish(parameters, context),
        }


def _fields() -> QgsFields:
    fields = QgsFields()
    fields.append(QgsField(LIKENESS, QVariant.Double))
    for field in provenance_fields():
        fields.append(field)
    return fields


def _feature(proposal: Proposal, fields: QgsFields, layer: QgsRasterLayer, common: dict[str, Any]) -> QgsFeature:
    answer = proposal.found
    recipe = Recipe(proposal.prompts, crs_code(layer.crs()) or None, common["finish"], None, proposal.choice)
    known = attributes(answer, answer.score, recipe, source_of(layer), None)
    known |= {"area_m2": proposal.area_m2, LIKENESS: proposal.likeness, "class": proposal.class_name or None}
    return feature_of(fields, answer.wkb_hex, known)
