"""An accepted polygon taken up again, from what its feature keeps of how it came about."""

from __future__ import annotations

from qgis.core import QgsCoordinateTransformContext, QgsPointXY

from ..geo.transforms import transform_between
from ..imagery.lens import Lens
from ..target.provenance import level_of, prompts_of, source_of
from ..target.target import Target
from .draft import Draft, steps_of


def reopened(place: QgsPointXY, lens: Lens, target: Target, context: QgsCoordinateTransformContext) -> tuple[Draft, int]:
    """The polygon of the target at a place in map coordinates, as a draft in the imagery's CRS, and the level of the view.

    The level is the one that the polygon was made at, where that was on this imagery, else that of the map now. Raises
    `NothingToReopen`, `CoordinatesUntransformable`, and what says that the imagery can't be used.
    """
    imagery = lens.checked()
    layer, feature = target.feature_at(place)
    prompts, crs = prompts_of(feature, layer.crs())
    draft = Draft(steps_of(prompts), (layer.id(), feature.id()))
    view_level = lens.level_at(place)
    kept_level = level_of(feature, source_of(imagery))
    moved = draft.transformed(transform_between(crs, imagery.crs(), context))
    return moved, view_level if kept_level is None else kept_level - lens.size
