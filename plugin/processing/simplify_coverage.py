"""Simplify with shared borders: fewer vertices, and neither gaps nor overlaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qgis.core import (
    QgsGeometry,
    QgsProcessingContext,
    QgsProcessingFeatureSource,
    QgsProcessingFeedback,
    QgsProcessingParameterDistance,
)

from ...contract.answers import Simplified
from ...contract.chores import SimplifyParams
from ..geo.wkb import polygon_from_hex, to_hex
from ..translation import tr
from .reshaping_algorithm import ReshapingAlgorithm


class SimplifyCoverage(ReshapingAlgorithm):
    """Neighbours keep the borders that they share."""

    TASK = "simplify"
    TOLERANCE = "TOLERANCE"

    def createInstance(self) -> SimplifyCoverage:
        """A fresh one for each run."""
        return SimplifyCoverage()

    def name(self) -> str:
        """Id within the provider."""
        return "simplifycoverage"

    def displayName(self) -> str:
        """Shown in the toolbox."""
        return tr("Simplify with shared borders")

    def shortHelpString(self) -> str:
        """Shown beside the parameters."""
        return tr(
            "Leaves out vertices of polygons that share borders, and keeps the borders shared: neither gaps nor overlaps "
            "appear. Polygons that overlap, or leave gaps, are refused with their number; mend these first."
        )

    def add_own_parameters(self) -> None:
        """How much an outline may change."""
        title = tr("Tolerance")
        self.addParameter(QgsProcessingParameterDistance(self.TOLERANCE, title, 1.0, self.INPUT, False, 0.0))

    def reshaped(
        self,
        shapes: Sequence[QgsGeometry],
        source: QgsProcessingFeatureSource,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> Mapping[int, QgsGeometry]:
        """All at once: a border belongs to two."""
        tolerance = self.parameterAsDouble(parameters, self.TOLERANCE, context)
        answer = self.ask(SimplifyParams(tuple(to_hex(shape) for shape in shapes), tolerance), lambda item: None, feedback)
        return {number: polygon_from_hex(wkb_hex) for number, wkb_hex in enumerate(Simplified.from_wire(answer).wkb_hex)}
