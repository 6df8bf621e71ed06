"""Refine polygons: rough outlines made exact."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsGeometry, QgsProcessing

from ...contract.prompts import Prompts
from ...contract.requests import Shape, ShapesParams
from ...contract.wire import Wire
from ..geo.wkb import to_hex
from ..translation import tr
from .engine_algorithm import EngineAlgorithm


class RefinePolygons(EngineAlgorithm):
    """One polygon for each rough one."""

    TASK = "refine_polygons"

    def createInstance(self) -> RefinePolygons:
        """A fresh one for each run."""
        return RefinePolygons()

    def name(self) -> str:
        """Id within the provider."""
        return "refinepolygons"

    def displayName(self) -> str:
        """Shown in the toolbox."""
        return tr("Refine polygons")

    def shortHelpString(self) -> str:
        """Shown beside the parameters."""
        return tr(
            "Takes each polygon for a rough outline of one feature of the imagery, and finds the exact one, as a line drawn "
            "around it with Raster Lasso does. Polygons where nothing can be found are reported and left out."
        )

    def input_type(self) -> Any:
        """Polygons."""
        return QgsProcessing.SourceType.TypeVectorPolygon

    def input_title(self) -> str:
        """Shown beside the input."""
        return tr("Rough outlines")

    def shapes(self, geometry: QgsGeometry) -> list[QgsGeometry]:
        """The whole of it."""
        return [] if geometry.isEmpty() else [geometry]

    def task_params(self, shapes: list[tuple[int, QgsGeometry]], common: dict[str, Any]) -> Wire:
        """Each as it is."""
        return ShapesParams(shapes=tuple(Shape(number, to_hex(shape)) for number, shape in shapes), **common)

    def prompts_of(self, shape: QgsGeometry) -> Prompts:
        """The rough outline."""
        return Prompts(polygon=to_hex(shape))
