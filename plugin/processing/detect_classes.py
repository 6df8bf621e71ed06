"""Detect classes: all features of the classes that a model was trained on."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
    QgsRasterLayer,
)

from ...contract.proposals import DetectParams
from ...contract.wire import Wire
from ..translation import tr
from .proposing_algorithm import ProposingAlgorithm


class DetectClasses(ProposingAlgorithm):
    """With YOLO26 and the user's weights, or FastSAM."""

    TASK = "detect_classes"
    GROUP = "rasters"
    LEVEL, CLASSES = "LEVEL", "CLASSES"
    DEFAULT_LEAST = 0.3

    def createInstance(self) -> DetectClasses:
        """A fresh one for each run."""
        return DetectClasses()

    def name(self) -> str:
        """Id within the provider."""
        return "detectclasses"

    def displayName(self) -> str:
        """Shown in the toolbox."""
        return tr("Detect classes")

    def shortHelpString(self) -> str:
        """Shown beside the parameters."""
        return tr(
            "Detects all features of the classes that a model was trained on: a YOLO26 for segmentation with your own weights "
            "(see Export training data), or FastSAM, which finds anything. Add the weights under Models… first, and name them "
            "here. Choose the level at which the model was trained; features larger than half a tile (512 px of the level) are "
            "left out. Nobody has confirmed the polygons, so review them."
        )

    def add_own_parameters(self) -> None:
        """Level and classes."""
        level = tr("Level (0 is native resolution, each next one half of it)")
        self.addParameter(QgsProcessingParameterNumber(self.LEVEL, level, defaultValue=0, minValue=-4))
        classes = tr("Classes, separated by commas (all if empty)")
        self.addParameter(QgsProcessingParameterString(self.CLASSES, classes, optional=True))

    def task_params(
        self, parameters: dict[str, Any], layer: QgsRasterLayer, context: QgsProcessingContext, common: dict[str, Any]
    ) -> Wire:
        """With level and classes; likeness decides what is written."""
        level, text = (
            self.parameterAsInt(parameters, self.LEVEL, context),
            self.parameterAsString(parameters, self.CLASSES, context),
        )
        names = tuple(name.strip() for name in text.split(",") if name.strip())
        return DetectParams(level=level, classes=names or None, least_score=0.0, **common)
