"""Replay on other imagery: features asked again by the prompts that they were made with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorDestination,
    QgsProcessingParameterVectorLayer,
)

from ...contract.answers import ReplayedFeature
from ...contract.chores import ReplayParams
from ...contract.errors import RasterLassoError
from ..imagery.source import raster_path
from ..runtime.engine_run import RunCancelled
from ..translation import error_text, tr
from .lasso_algorithm import LassoAlgorithm


class ReplayLayer(LassoAlgorithm):
    """What has changed since."""

    TASK, GROUP = "replay", "layers"
    MEAN_IOU = "MEAN_IOU"

    def createInstance(self) -> ReplayLayer:
        """A fresh one for each run."""
        return ReplayLayer()

    def name(self) -> str:
        """Id within the provider."""
        return "replay"

    def displayName(self) -> str:
        """Shown in the toolbox."""
        return tr("Replay on other imagery")

    def shortHelpString(self) -> str:
        """Shown beside the parameters."""
        return tr(
            "Segments each feature again, by the prompts that it was made with (its field “prompts”), on newer imagery or "
            "with another model. The field “iou” says how much the old and the new shape overlap: what has changed since. "
            "Without a model each feature's own is asked."
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare the parameters."""
        kinds = [QgsProcessing.SourceType.TypeVectorPolygon]
        self.addParameter(QgsProcessingParameterVectorLayer(self.INPUT, tr("Features with prompts"), kinds))
        self.add_imagery()
        self.addParameter(QgsProcessingParameterString(self.MODEL, tr("Model"), optional=True))
        kind = QgsProcessing.SourceType.TypeVectorPolygon
        self.addParameter(QgsProcessingParameterVectorDestination(self.OUTPUT, tr("Replayed"), kind))
        self.addOutput(QgsProcessingOutputNumber(self.FOUND, tr("Features found again")))
        self.addOutput(QgsProcessingOutputNumber(self.MEAN_IOU, tr("Mean IoU with the old shapes")))

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """The engine writes the file; cancelled, nothing is written."""
        layer = self.parameterAsRasterLayer(parameters, self.IMAGE, context)
        path, name = self.layer_file(parameters, context, feedback)
        output, ious = self.parameterAsOutputLayer(parameters, self.OUTPUT, context), []

        def take(value: Mapping[str, Any]) -> None:
            each = ReplayedFeature.from_wire(value)
            feedback.setProgress(100 * each.number / each.count)
            if each.iou is not None:
                ious.append(each.iou)

        model = self.parameterAsString(parameters, self.MODEL, context) or None
        try:
            params = ReplayParams(path, raster_path(layer), output, name, model)
            self.ask(params, take, feedback)
        except RunCancelled:
            return {self.FOUND: 0, self.MEAN_IOU: 0.0}
        except RasterLassoError as error:
            raise QgsProcessingException(error_text(error)) from error
        return {self.OUTPUT: output, self.FOUND: len(ious), self.MEAN_IOU: sum(ious) / max(len(ious), 1)}
