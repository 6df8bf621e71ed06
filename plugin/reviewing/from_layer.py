"""Features of a layer as proposals: what a job, another program or a colleague has drawn is looked through like a search's."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from qgis.core import (
    NULL,
    QgsCoordinateTransform,
    QgsFeature,
    QgsFeatureRequest,
    QgsGeometry,
    QgsMapLayer,
    QgsRectangle,
    QgsVectorLayer,
    QgsWkbTypes,
)

from ...contract.errors import RasterLassoError
from ...contract.prompts import Prompts
from ...contract.proposals import Proposal
from ..digitizing.acceptance import Looks
from ..errors import NothingToReview
from ..geo.transforms import transformed_box, transformed_shape
from ..geo.wkb import to_hex
from ..target.classes import CLASS_FIELD
from ..target.provenance import answer_of, level_of, recipe_of
from .answers import WaitingProposal

MOST = 2000
"""Features that are looked through at a time."""

SCORE_FIELDS = ("likeness", "score", "confidence", "conf", "probability")
"""The first of these that a layer has, in any case, says how sure whoever drew its features was."""

PERCENT = 100.0


def checked(layer: QgsMapLayer | None, target: QgsVectorLayer | None) -> QgsVectorLayer:
    """A layer whose polygons can be looked through; raises `NothingToReview`."""
    is_fit = isinstance(layer, QgsVectorLayer) and layer.geometryType() == QgsWkbTypes.GeometryType.PolygonGeometry
    if not is_fit or layer is target:
        raise NothingToReview()
    return layer


def score_field(layer: QgsVectorLayer) -> str | None:
    """That of a layer's fields which says how sure each feature is; None where none does."""
    by_name = {field.name().casefold(): field for field in layer.fields()}
    return next((by_name[name].name() for name in SCORE_FIELDS if name in by_name and by_name[name].isNumeric()), None)


def proposals_of(
    layer: QgsVectorLayer, view: QgsRectangle, to_imagery: QgsCoordinateTransform, source: str
) -> Iterator[WaitingProposal]:
    """What is selected in a polygon layer, else what is in view (in the imagery's CRS): the surest `MOST` of it.

    to_imagery: from the layer's CRS; what can't be placed there is left out. source: what fields tell of the imagery. Raises
    `CoordinatesUntransformable` for the view.
    """
    request, field = QgsFeatureRequest(), score_field(layer)
    if layer.selectedFeatureCount():
        request.setFilterFids(layer.selectedFeatureIds())
    else:
        back = QgsCoordinateTransform(to_imagery.destinationCrs(), to_imagery.sourceCrs(), to_imagery.context())
        request.setFilterRect(transformed_box(view, back))
    if field is not None:
        request.addOrderBy(f'"{field}"', False, False)
    request.setLimit(MOST)
    for feature in layer.getFeatures(request):
        if not feature.hasGeometry() or feature.geometry().isEmpty():
            continue
        try:
            shape = transformed_shape(feature.geometry(), to_imagery)
        except RasterLassoError:  # nobody could look at it there
            continue
        likeness = 1.0 if field is None else _share(feature[field])
        found = _of_prompts(feature, shape, layer, to_imagery, source, likeness) or _of_shape(feature, shape, likeness)
        yield replace(found, proposal=replace(found.proposal, class_name=_class_of(feature)))


def _of_prompts(
    feature: QgsFeature,
    shape: QgsGeometry,
    layer: QgsVectorLayer,
    to_imagery: QgsCoordinateTransform,
    source: str,
    likeness: float,
) -> WaitingProposal | None:
    """With the prompts that made it; None where it was not made of this imagery, or by hand."""
    recipe = recipe_of(feature, layer.crs())
    is_here = level_of(feature, source) is not None and recipe.crs == to_imagery.destinationCrs().authid()
    if not is_here or recipe.finish is None or recipe.edits:
        return None
    answer = answer_of(feature, shape, recipe.view_level)
    proposal = Proposal(feature.id(), answer, recipe.prompts, recipe.choice, likeness)
    return WaitingProposal(proposal, shape, likeness, Looks(recipe.finish, recipe.stretch))


def _of_shape(feature: QgsFeature, shape: QgsGeometry, likeness: float) -> WaitingProposal:
    """With its shape as a rough outline."""
    answer = replace(answer_of(feature, shape, None), score=likeness)
    proposal = Proposal(feature.id(), answer, Prompts(polygon=to_hex(shape)), None, likeness)
    return WaitingProposal(proposal, shape, likeness, is_of_prompts=False)


def _class_of(feature: QgsFeature) -> str:
    """As its field holds it; empty where none does."""
    index = feature.fields().lookupField(CLASS_FIELD)
    value = None if index < 0 else feature[index]
    return "" if value in (None, NULL) else str(value)


def _share(value: object) -> float:
    """A score as 0 to 1, whether it is a share or in per cent; 0 where a feature has none."""
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return 0.0
    return min(max(value / PERCENT if value > 1 else float(value), 0.0), 1.0)
