"""Segment everything: all features of about one size."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsProcessingContext, QgsProcessingParameterNumber, QgsRasterLayer

from ...contract.proposals import EverythingParams
from ...contract.wire import Wire
from ..translation import tr
from .proposing_algorithm import ProposingAlgorithm


class SegmentEverything(ProposingAlgorithm):
    """Proposals for all of an area."""

    TASK = "segment_everything"
    GROUP = "rasters"
    SIZE, GRANULARITY = "SIZE", "GRANULARITY"
    DEFAULT_LEAST = 0.3

    def createInstance(self) -> SegmentEverything:
        """A fresh one for each run."""
        return SegmentEverything()

    def name(self) -> str:
        """Id within the provider."""
        return "segmenteverything"

    def displayName(self) -> str:
        """Shown in the toolbox."""
        return tr("Segment everything")

    def shortHelpString(self) -> str:
        """Shown beside the parameters."""
        return tr(
            "Segments all features of about one size. Those that neighbouring tiles both find are written once, and none is "
            "cut at a tile's edge. The likeness says how sure the model is and how well the size fits: nobody has confirmed "
            "the polygons, so review them."
        )

    def add_own_parameters(self) -> None:
        """The size."""
        kind, title = QgsProcessingParameterNumber.Type.Double, tr("Longer side of a typical feature (m)")
        self.addParameter(QgsProcessingParameterNumber(self.SIZE, title, kind, 50.0, False, 0.01))
        told = tr("Granularity (-1: parts, 1: wholes, where both are found)")
        self.addParameter(QgsProcessingParameterNumber(self.GRANULARITY, told, kind, 0.0, False, -1.0, 1.0))

    def task_params(
        self, parameters: dict[str, Any], layer: QgsRasterLayer, context: QgsProcessingContext, common: dict[str, Any]
    ) -> Wire:
        """With the size, and all that is found: likeness decides."""
        side_m, granularity = (self.parameterAsDouble(parameters, name, context) for name in (self.SIZE, self.GRANULARITY))
        return EverythingParams(side_m=side_m, granularity=granularity, least_score=0.0, **common)
