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
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterEnum,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsRasterLayer,
    QgsWkbTypes,
)
from qgis.PyQt.QtCore import QVariant
from qgis.PyQt.QtGui import QIcon

from ...contract.errors import RasterLassoError
from ...contract.looks import PRESETS
from ...contract.proposals import Proposal
from ...contract.recipe import Recipe
from ...contract.wire import Wire
from ..errors import EngineMissing
from ..geo.crs import crs_code
from ..geo.wkb import from_hex
from ..imagery.source import raster_path
from ..runtime.engine_run import RunCancelled, run_request
from ..runtime.environment import engine_python
from ..settings import Settings
from ..target.provenance import attributes, provenance_fields, source_of
from ..translation import error_text, tr
from .engine_algorithm import FINISHES, ICON

LIKENESS = "likeness"


class ProposingAlgorithm(QgsProcessingAlgorithm):
    """A subclass adds what it looks for, and says which task finds it."""

    IMAGE, EXTENT, MODEL, FINISH, LEAST, OUTPUT, FOUND = "IMAGE", "EXTENT", "MODEL", "FINISH", "LEAST", "OUTPUT", "FOUND"

    TASK = ""
    """Name in the engine's table of tasks."""

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

    def icon(self) -> QIcon:
        """Shown in the toolbox."""
        return QIcon(str(ICON))

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare the parameters."""
        self.addParameter(QgsProcessingParameterRasterLayer(self.IMAGE, tr("Imagery")))
        self.add_own_parameters()
        self.addParameter(QgsProcessingParameterExtent(self.EXTENT, tr("Extent (all of the imagery if empty)"), optional=True))
        self.addParameter(QgsProcessingParameterString(self.MODEL, tr("Model"), "builtin"))
        styles = [tr("As traced"), tr("Field"), tr("Building"), tr("Water"), tr("Tree")]
        self.addParameter(QgsProcessingParameterEnum(self.FINISH, tr("Outline style"), styles, defaultValue=0))
        kind, least = QgsProcessingParameterNumber.Type.Double, tr("Least likeness (0 to 1)")
        self.addParameter(QgsProcessingParameterNumber(self.LEAST, least, kind, self.DEFAULT_LEAST, False, 0.0, 1.0))
        polygons = QgsProcessing.SourceType.TypeVectorPolygon
        self.addParameter(QgsProcessingParameterFeatureSink(self.OUTPUT, tr("Proposals"), polygons))
        self.addOutput(QgsProcessingOutputNumber(self.FOUND, tr("Polygons found")))

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Write what the engine proposes as it comes; what was found before it was cancelled stays."""
        layer = self.parameterAsRasterLayer(parameters, self.IMAGE, context)
        fields = _fields()
        polygons = QgsWkbTypes.Type.MultiPolygon
        sink, sink_id = self.parameterAsSink(parameters, self.OUTPUT, context, fields, polygons, layer.crs())
        if sink is None:
            raise QgsProcessingException(self.invalidSinkError(parameters, self.OUTPUT))
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
            python = engine_python(Settings.load())
            if python is None or not python.exists():
                raise EngineMissing()
            run_request(python, self.TASK, params, take, lambda part: feedback.setProgress(100 * part), feedback.isCanceled)
        except RunCancelled:
            pass
        except RasterLassoError as error:
            raise QgsProcessingException(error_text(error)) from error
        return {self.OUTPUT: sink_id, self.FOUND: found}

    def _common(self, parameters: dict[str, Any], layer: QgsRasterLayer, context: QgsProcessingContext) -> dict[str, Any]:
        extent = self.parameterAsExtent(parameters, self.EXTENT, context, layer.crs())
        area = (extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum())
        return {
            "image": raster_path(layer),
            "area": None if extent.isNull() else area,
            "model": self.parameterAsString(parameters, self.MODEL, context),
            "finish": PRESETS[FINISHES[self.parameterAsEnum(parameters, self.FINISH, context)]],
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
    known |= {"area_m2": proposal.area_m2, LIKENESS: proposal.likeness}
    feature, polygon = QgsFeature(fields), from_hex(answer.wkb_hex)
    polygon.convertToMultiType()
    feature.setGeometry(polygon)
    feature.setAttributes([known.get(field.name()) for field in fields])
    return feature
