"""Regularize: outlines drawn in another style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qgis.core import (
    QgsGeometry,
    QgsProcessingContext,
    QgsProcessingFeatureSource,
    QgsProcessingFeedback,
    QgsProcessingParameterNumber,
)

from ...contract.chores import RedrawParams
from ...contract.requests import Shape
from ..geo.transforms import transform_between, transformed_shape
from ..geo.wkb import polygon_from_hex, to_hex
from ..imagery.source import raster_path
from ..translation import tr
from .reshaping_algorithm import ReshapingAlgorithm

BUILDING = 2


class Regularize(ReshapingAlgorithm):
    """Right angles, straight or smooth sides."""

    TASK = "redraw_outlines"
    LEVEL = "LEVEL"

    def createInstance(self) -> Regularize:
        """A fresh one for each run."""
        return Regularize()

    def name(self) -> str:
        """Id within the provider."""
        return "regularize"

    def displayName(self) -> str:
        """Shown in the toolbox."""
        return tr("Regularize outlines")

    def shortHelpString(self) -> str:
        """Shown beside the parameters."""
        return tr(
            "Draws polygons in another outline style: buildings with right angles, fields with straight sides, water and "
            "trees smooth. The imagery that they were digitized from says how fine a pixel was, and so which steps of an "
            "outline are walls and which are none. Attributes stay; a polygon that lies off the imagery stays as it is."
        )

    def add_own_parameters(self) -> None:
        """Imagery, level and style."""
        self.add_imagery()
        level = tr("Level that they were drawn at (0 is native resolution, each next one half of it)")
        self.addParameter(QgsProcessingParameterNumber(self.LEVEL, level, defaultValue=0, minValue=-4))
        self.add_finish(BUILDING)

    def reshaped(
        self,
        shapes: Sequence[QgsGeometry],
        source: QgsProcessingFeatureSource,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> Mapping[int, QgsGeometry]:
        """In the style that was chosen."""
        layer = self.parameterAsRasterLayer(parameters, self.IMAGE, context)
        to_imagery = transform_between(source.sourceCrs(), layer.crs(), context.transformContext())
        back = transform_between(layer.crs(), source.sourceCrs(), context.transformContext())
        placed = tuple(Shape(number, to_hex(transformed_shape(shape, to_imagery))) for number, shape in enumerate(shapes))
        found: dict[int, QgsGeometry] = {}

        def take(value: Mapping[str, Any]) -> None:
            drawn = Shape.from_wire(value)
            found[drawn.id] = transformed_shape(polygon_from_hex(drawn.wkb_hex), back)

        level, finish = self.parameterAsInt(parameters, self.LEVEL, context), self.finish(parameters, context)
        self.ask(RedrawParams(raster_path(layer), placed, finish, level=level), take, feedback)
        return found
