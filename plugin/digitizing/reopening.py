"""An accepted polygon taken up again, from what its feature keeps of how it came about."""

from __future__ import annotations

from qgis.core import QgsCoordinateReferenceSystem, QgsCoordinateTransformContext, QgsGeometry, QgsPointXY

from ..geo.transforms import transform_between, transformed_shape
from ..imagery.lens import Lens
from ..target.provenance import answer_of, level_of, recipe_of, source_of
from ..target.target import Target
from .candidates import Candidates
from .draft import AsReopened, Draft, moved, steps_of


def reopened(place: QgsPointXY, lens: Lens, target: Target, context: QgsCoordinateTransformContext) -> tuple[Draft, int]:
    """The polygon of the target at a place in map coordinates, as a draft in the imagery's CRS, and the level of the view.

    The level is the one that the polygon was made at, where that was on this imagery, else that of the map now. Raises
    `NothingToReopen`, `CoordinatesUntransformable`, and what says that the imagery can't be used.
    """
    imagery = lens.checked()
    layer, feature = target.feature_at(place)
    recipe = recipe_of(feature, layer.crs())
    view_level = lens.level_at(place)
    to_imagery = transform_between(QgsCoordinateReferenceSystem(recipe.crs or ""), imagery.crs(), context)
    steps = tuple(moved(step, to_imagery) for step in (*steps_of(recipe.prompts), *recipe.edits))
    shown = Candidates()
    shape = transformed_shape(QgsGeometry(feature.geometry()), transform_between(layer.crs(), imagery.crs(), context))
    if shape.constGet().partCount() == 1:
        shape.convertToSingleType()
    shown.take(answer_of(feature, shape, recipe.view_level))
    kept_level = level_of(feature, source_of(imagery))
    if kept_level is not None and recipe.view_level is not None:
        kept_level = recipe.view_level
    was = AsReopened(steps, shown, recipe.choice, recipe.finish, lens.finish)
    draft = Draft(steps, (layer.id(), feature.id()), was)
    return draft, view_level if kept_level is None else kept_level - lens.size
