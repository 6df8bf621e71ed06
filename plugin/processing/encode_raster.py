"""Encode raster: its tiles ahead of all clicks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterNumber,
)

from ...contract.answers import Encoded
from ...contract.chores import EncodeParams
from ...contract.errors import RasterLassoError
from ..imagery.source import raster_path
from ..runtime.engine_run import RunCancelled
from ..translation import error_text, tr
from .lasso_algorithm import LassoAlgorithm

MOST_LEVELS = 24


class EncodeRaster(LassoAlgorithm):
    """Nothing is written but the cache."""

    TASK, GROUP = "encode", "rasters"
    FINEST, COARSEST, TILES = "FINEST", "COARSEST", "TILES"

    def createInstance(self) -> EncodeRaster:
        """A fresh one for each run."""
        return EncodeRaster()

    def name(self) -> str:
        """Id within the provider."""
        return "encoderaster"

    def displayName(self) -> str:
        """Shown in the toolbox."""
        return tr("Encode raster")

    def shortHelpString(self) -> str:
        """Shown beside the parameters."""
        return tr(
            "Prepares a raster, or a part of it, so that no click on it waits later: what the model sees is kept in the cache "
            "of the settings. A run that was stopped goes on where it was. Level 0 is native resolution, each next one half "
            "of it; coarse levels are for large features."
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare the parameters."""
        self.add_imagery()
        self.add_extent()
        self.add_model()
        self.addParameter(QgsProcessingParameterNumber(self.FINEST, tr("Finest level"), defaultValue=0, minValue=-4))
        coarsest = QgsProcessingParameterNumber(
            self.COARSEST, tr("Coarsest level (all from the finest on if empty)"), optional=True, minValue=-4
        )
        self.addParameter(coarsest)
        self.addOutput(QgsProcessingOutputNumber(self.TILES, tr("Tiles encoded")))

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Encode all; what is encoded stays when it is cancelled."""
        layer = self.parameterAsRasterLayer(parameters, self.IMAGE, context)
        finest, tiles = self.parameterAsInt(parameters, self.FINEST, context), 0
        coarsest = MOST_LEVELS
        if parameters.get(self.COARSEST) is not None:
            coarsest = self.parameterAsInt(parameters, self.COARSEST, context)

        def take(value: Mapping[str, Any]) -> None:
            nonlocal tiles
            tiles = Encoded.from_wire(value).done

        try:
            model, area = self.parameterAsString(parameters, self.MODEL, context), self.area(parameters, layer, context)
            levels = tuple(range(finest, max(finest, coarsest) + 1))
            self.ask(EncodeParams(raster_path(layer), model, levels, area), take, feedback)
        except RunCancelled:
            pass
        except RasterLassoError as error:
            raise QgsProcessingException(error_text(error)) from error
        return {self.TILES: tiles}
