"""Export training data: a digitized layer with its imagery for training other models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterEnum,
    QgsProcessingParameterField,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterVectorLayer,
)

from ...contract.datasets import FORMATS, ChipWritten, ExportDatasetParams
from ...contract.errors import RasterLassoError
from ..imagery.source import raster_path
from ..runtime.engine_run import RunCancelled
from ..translation import error_text, tr
from .lasso_algorithm import LassoAlgorithm


class ExportTrainingData(LassoAlgorithm):
    """A folder of chips and labels."""

    TASK, GROUP = "export_dataset", "datasets"
    CLASS, FORMAT, CHIP, LEVEL = "CLASS", "FORMAT", "CHIP", "LEVEL"
    VALIDATION, BACKGROUND, TRAIN_CHIPS, VALIDATION_CHIPS = "VALIDATION", "BACKGROUND", "TRAIN_CHIPS", "VALIDATION_CHIPS"

    def createInstance(self) -> ExportTrainingData:
        """A fresh one for each run."""
        return ExportTrainingData()

    def name(self) -> str:
        """Id within the provider."""
        return "exporttrainingdata"

    def displayName(self) -> str:
        """Shown in the toolbox."""
        return tr("Export training data")

    def shortHelpString(self) -> str:
        """Shown beside the parameters."""
        return tr(
            "Writes chips of the imagery with the layer's polygons as labels, for training a model with other software: "
            "YOLO's segmentation or COCO's instances. Chips for validation lie in blocks of their own, and no feature is in "
            "both parts. All there is in the extent is taken to be digitized: what is not is learnt as background."
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare the parameters."""
        kinds = [QgsProcessing.SourceType.TypeVectorPolygon]
        double = QgsProcessingParameterNumber.Type.Double
        self.addParameter(QgsProcessingParameterVectorLayer(self.INPUT, tr("Digitized polygons"), kinds))
        self.addParameter(QgsProcessingParameterField(self.CLASS, tr("Field of the class"), None, self.INPUT, optional=True))
        self.add_imagery()
        self.addParameter(QgsProcessingParameterEnum(self.FORMAT, tr("Format"), ["YOLO", "COCO"], defaultValue=0))
        self.add_extent(tr("Extent in which all is digitized (that of the polygons if empty)"))
        self.addParameter(QgsProcessingParameterNumber(self.CHIP, tr("Side of a chip (px)"), defaultValue=640, minValue=32))
        level = tr("Level (0 is native resolution, each next one half of it)")
        self.addParameter(QgsProcessingParameterNumber(self.LEVEL, level, defaultValue=0, minValue=-4))
        share = tr("Share of the features for validation")
        self.addParameter(QgsProcessingParameterNumber(self.VALIDATION, share, double, 0.2, False, 0.0, 1.0))
        empty = tr("Chips without features, as a share of those with some")
        self.addParameter(QgsProcessingParameterNumber(self.BACKGROUND, empty, double, 0.1, False, 0.0, 1.0))
        self.addParameter(QgsProcessingParameterFolderDestination(self.OUTPUT, tr("Data set (a new folder)")))
        self.addOutput(QgsProcessingOutputNumber(self.TRAIN_CHIPS, tr("Chips to train on")))
        self.addOutput(QgsProcessingOutputNumber(self.VALIDATION_CHIPS, tr("Chips to validate on")))

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """The engine writes the folder; cancelled, nothing is written."""
        folder, counts = self.parameterAsString(parameters, self.OUTPUT, context), {False: 0, True: 0}

        def take(value: Mapping[str, Any]) -> None:
            chip = ChipWritten.from_wire(value)
            counts[chip.is_validation] += 1
            feedback.setProgress(100 * chip.number / chip.count)

        try:
            self.ask(self._params(parameters, folder, context, feedback), take, feedback)
        except RunCancelled:
            return {self.TRAIN_CHIPS: 0, self.VALIDATION_CHIPS: 0}
        except RasterLassoError as error:
            raise QgsProcessingException(error_text(error)) from error
        return {self.OUTPUT: folder, self.TRAIN_CHIPS: counts[False], self.VALIDATION_CHIPS: counts[True]}

    def _params(
        self, parameters: dict[str, Any], folder: str, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> ExportDatasetParams:
        layer = self.parameterAsRasterLayer(parameters, self.IMAGE, context)
        path, name = self.layer_file(parameters, context, feedback)
        fields = self.parameterAsFields(parameters, self.CLASS, context)
        return ExportDatasetParams(
            path,
            raster_path(layer),
            folder,
            FORMATS[self.parameterAsEnum(parameters, self.FORMAT, context)],
            name,
            fields[0] if fields else None,
            self.area(parameters, layer, context),
            self.parameterAsInt(parameters, self.CHIP, context),
            self.parameterAsInt(parameters, self.LEVEL, context),
            self.parameterAsDouble(parameters, self.VALIDATION, context),
            self.parameterAsDouble(parameters, self.BACKGROUND, context),
        )
