"""Segment in boxes: the box around each feature is drawn around one object."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsGeometry, QgsProcessing

from ...contract.prompts import Box, Prompts
from ...contract.requests import Shape, ShapesParams
from ...contract.wire import Wire
from ..geo.wkb import to_hex
from ..translation import tr
from .engine_algorithm import EngineAlgorithm


class SegmentInBoxes(EngineAlgorithm):
    """One polygon for each feature's box."""

    TASK = "segment_boxes"

    def createInstance(self) -> SegmentInBoxes:
        """A fresh one for each run."""
        return SegmentInBoxes()

    def name(self) -> str:
        """Id within the provider."""
        return "segmentinboxes"

    def displayName(self) -> str:
        """Shown in the toolbox."""
        return tr("Segment in boxes")

    def shortHelpString(self) -> str:
        """Shown beside the parameters."""
        return tr(
            "Segments one feature of the imagery in the box around each feature of the input, as a box drawn with Raster Lasso "
            "does. Boxes where nothing can be found are reported and left out."
        )

    def input_type(self) -> Any:
        """Whatever has an extent."""
        return QgsProcessing.SourceType.TypeVectorAnyGeometry

    def input_title(self) -> str:
        """Shown beside the input."""
        return tr("Features, each in the box of one object")

    def shapes(self, geometry: QgsGeometry) -> list[QgsGeometry]:
        """The box of all parts, in the input's own CRS."""
        return [] if geometry.isEmpty() else [QgsGeometry.fromRect(geometry.boundingBox())]

    def task_params(self, shapes: list[tuple[int, QgsGeometry]], common: dict[str, Any]) -> Wire:
        """The box around each."""
        return ShapesParams(shapes=tuple(Shape(number, to_hex(shape)) for number, shape in shapes), **common)

    def prompts_of(self, shape: QgsGeometry) -> Prompts:
        """The box, as the engine takes it."""
        box = shape.boundingBox()
        return Prompts(box=Box(box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()))
