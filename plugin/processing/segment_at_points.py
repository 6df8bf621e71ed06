"""Segment at points: one click on each feature."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsGeometry, QgsPointXY, QgsProcessing

from ...contract.prompts import Point, Prompts
from ...contract.requests import ObjectPrompts, SegmentObjectsParams
from ...contract.wire import Wire
from ..translation import tr
from .engine_algorithm import EngineAlgorithm


class SegmentAtPoints(EngineAlgorithm):
    """One polygon for each point."""

    INPUT, ID_FIELD, TASK = "POINTS", "point_id", "segment_objects"

    def createInstance(self) -> SegmentAtPoints:
        """A fresh one for each run."""
        return SegmentAtPoints()

    def name(self) -> str:
        """Id within the provider."""
        return "segmentatpoints"

    def displayName(self) -> str:
        """Shown in the toolbox."""
        return tr("Segment at points")

    def shortHelpString(self) -> str:
        """Shown beside the parameters."""
        return tr(
            "Segments one feature of the imagery at each point, as a single click with Raster Lasso does. Points where "
            "nothing can be found are reported and left out."
        )

    def input_type(self) -> Any:
        """Points."""
        return QgsProcessing.SourceType.TypeVectorPoint

    def input_title(self) -> str:
        """Shown beside the input."""
        return tr("Points, one on each feature")

    def shapes(self, geometry: QgsGeometry) -> list[QgsGeometry]:
        """Each point."""
        return [QgsGeometry.fromPointXY(QgsPointXY(vertex.x(), vertex.y())) for vertex in geometry.vertices()]

    def task_params(self, shapes: list[tuple[int, QgsGeometry]], common: dict[str, Any]) -> Wire:
        """A click on each."""
        objects = tuple(ObjectPrompts(number, self.prompts_of(shape)) for number, shape in shapes)
        return SegmentObjectsParams(objects=objects, **common)

    def prompts_of(self, shape: QgsGeometry) -> Prompts:
        """A foreground click."""
        place = shape.asPoint()
        return Prompts((Point(place.x(), place.y()),))
