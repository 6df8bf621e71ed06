"""Find similar: the rest of the features that are like some."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingParameterFeatureSource,
    QgsRasterLayer,
)

from ...contract.proposals import SimilarParams
from ...contract.requests import Shape
from ...contract.wire import Wire
from ..geo.transforms import transform_between, transformed_shape
from ..geo.wkb import to_hex
from ..translation import tr
from .proposing_algorithm import ProposingAlgorithm

MOST = 100_000


class FindSimilar(ProposingAlgorithm):
    """Proposals like the features of a layer."""

    TASK = "find_similar"
    GROUP = "rasters"
    EXAMPLES, OTHERS = "EXAMPLES", "OTHERS"

    def createInstance(self) -> FindSimilar:
        """A fresh one for each run."""
        return FindSimilar()

    def name(self) -> str:
        """Id within the provider."""
        return "findsimilar"

    def displayName(self) -> str:
        """Shown in the toolbox."""
        return tr("Find similar")

    def shortHelpString(self) -> str:
        """Shown beside the parameters."""
        return tr(
            "Finds features like the examples: a few polygons of the kind that lie on the imagery, and where you like some of "
            "what is not meant. The likeness says how probably each is of the kind: nobody has confirmed the polygons, so "
            "review them. The examples themselves are left out."
        )

    def add_own_parameters(self) -> None:
        """Examples, and counter-examples."""
        kinds = [QgsProcessing.SourceType.TypeVectorPolygon]
        self.addParameter(QgsProcessingParameterFeatureSource(self.EXAMPLES, tr("Examples"), kinds))
        others = tr("Counter-examples: what is not meant")
        self.addParameter(QgsProcessingParameterFeatureSource(self.OTHERS, others, kinds, None, True))

    def task_params(
        self, parameters: dict[str, Any], layer: QgsRasterLayer, context: QgsProcessingContext, common: dict[str, Any]
    ) -> Wire:
        """Both as polygons in the imagery's CRS."""
        examples, others = (self._shapes(parameters, name, layer, context) for name in (self.EXAMPLES, self.OTHERS))
        return SimilarParams(examples=examples, others=others, most=MOST, **common)

    def _shapes(
        self, parameters: dict[str, Any], name: str, layer: QgsRasterLayer, context: QgsProcessingContext
    ) -> tuple[Shape, ...]:
        source = self.parameterAsSource(parameters, name, context)
        if source is None:
            if name == self.EXAMPLES:
                raise QgsProcessingException(self.invalidSourceError(parameters, name))
            return ()
        transform = transform_between(source.sourceCrs(), layer.crs(), context.transformContext())
        shapes = (each.geometry() for each in source.getFeatures() if each.hasGeometry() and not each.geometry().isEmpty())
        return tuple(Shape(number, to_hex(transformed_shape(shape, transform))) for number, shape in enumerate(shapes))
