"""Import predictions: what a model found on the chips of a data set, back on the map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFile,
    QgsProcessingParameterVectorDestination,
)

from ...contract.datasets import ImportPredictionsParams, PredictionsRead
from ...contract.errors import RasterLassoError
from ..errors import PredictionsMissing
from ..runtime.engine_run import RunCancelled
from ..translation import error_text, tr
from .lasso_algorithm import LassoAlgorithm


class ImportPredictions(LassoAlgorithm):
    """Polygons with a class and a score."""

    TASK, GROUP = "import_predictions", "datasets"
    DATASET, TEXTS, RESULTS = "DATASET", "TEXTS", "RESULTS"

    def createInstance(self) -> ImportPredictions:
        """A fresh one for each run."""
        return ImportPredictions()

    def name(self) -> str:
        """Id within the provider."""
        return "importpredictions"

    def displayName(self) -> str:
        """Shown in the toolbox."""
        return tr("Import predictions")

    def shortHelpString(self) -> str:
        """Shown beside the parameters."""
        return tr(
            "Brings what another model predicted on the chips of an exported data set back onto the map: a folder of YOLO's "
            "text files, or COCO's results in a JSON file. Polygons that chips cut are joined. Nobody has confirmed them: "
            "review the layer."
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare the parameters."""
        folder, file = QgsProcessingParameterFile.Behavior.Folder, QgsProcessingParameterFile.Behavior.File
        self.addParameter(QgsProcessingParameterFile(self.DATASET, tr("Data set"), folder))
        self.addParameter(QgsProcessingParameterFile(self.TEXTS, tr("YOLO's text files"), folder, optional=True))
        self.addParameter(QgsProcessingParameterFile(self.RESULTS, tr("COCO's results"), file, "json", optional=True))
        kind = QgsProcessing.SourceType.TypeVectorPolygon
        self.addParameter(QgsProcessingParameterVectorDestination(self.OUTPUT, tr("Predicted"), kind))
        self.addOutput(QgsProcessingOutputNumber(self.FOUND, tr("Polygons")))

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """The engine writes the file; cancelled, nothing is written."""
        dataset, texts, results = (
            self.parameterAsString(parameters, name, context) for name in (self.DATASET, self.TEXTS, self.RESULTS)
        )
        output, counts = self.parameterAsOutputLayer(parameters, self.OUTPUT, context), [0]

        def take(value: Mapping[str, Any]) -> None:
            counts.append(PredictionsRead.from_wire(value).written)

        try:
            if not texts and not results:
                raise PredictionsMissing()
            self.ask(ImportPredictionsParams(dataset, texts or results, output), take, feedback)
        except RunCancelled:
            return {self.FOUND: 0}
        except RasterLassoError as error:
            raise QgsProcessingException(error_text(error)) from error
        return {self.OUTPUT: output, self.FOUND: counts[-1]}
