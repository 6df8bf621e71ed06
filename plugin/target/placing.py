"""Polygons into a layer of the user's, through its edit buffer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsEditFormConfig,
    QgsFeature,
    QgsFeatureRequest,
    QgsFieldConstraints,
    QgsGeometry,
    QgsPointXY,
    QgsProject,
    QgsRectangle,
    QgsVectorDataProvider,
    QgsVectorLayer,
    QgsVectorLayerUtils,
    QgsWkbTypes,
)

from ..errors import TargetReadOnly, TargetRefused, TargetUnfit
from ..geo.globe import placed_in
from ..geo.measure import area_m2, in_map_units
from ..translation import tr
from .fields import as_stored
from .lines import outline_as_lines
from .overlaps import without_overlaps
from .topology import with_shared_borders


def check_target(layer: QgsVectorLayer) -> None:
    """Raise `TargetUnfit` or `TargetReadOnly` where neither polygons nor their outlines can go."""
    areas_or_lines = (QgsWkbTypes.GeometryType.PolygonGeometry, QgsWkbTypes.GeometryType.LineGeometry)
    if layer.geometryType() not in areas_or_lines:
        raise TargetUnfit(layer=layer.name())
    provider = layer.dataProvider()
    if not layer.isValid() or provider is None:
        raise TargetReadOnly(layer=layer.name(), reason=tr("its data source is missing"))
    if layer.readOnly() or not provider.capabilities() & QgsVectorDataProvider.Capability.AddFeatures:
        raise TargetReadOnly(layer=layer.name(), reason=tr("it is read-only"))


def takes_lines(layer: QgsVectorLayer | None) -> bool:
    """Whether a layer gets the outlines of polygons."""
    return layer is not None and bool(layer.geometryType() == QgsWkbTypes.GeometryType.LineGeometry)


@dataclass(frozen=True)
class Placing:
    """How a polygon is put into a layer.

    share_within_m: borders are taken over from neighbours this near, None for not at all. data_end, crossing: what
    lines leave out, as `outline_as_lines` has them.
    replaces: the feature whose shape the polygon becomes; is_unchanged: which has it already. attribution: of the imagery.
    new_layer: name of a scratch layer, where one is made.
    """

    share_within_m: float | None = None
    data_end: QgsGeometry | None = None
    crossing: float = 0.0
    replaces: int | None = None
    attribution: str = ""
    is_unchanged: bool = False
    new_layer: str = ""


def put_polygons(
    layer: QgsVectorLayer,
    geometries: Sequence[QgsGeometry],
    crs: QgsCoordinateReferenceSystem,
    attributes: Mapping[str, object],
    project: QgsProject,
    placing: Placing = Placing(),
) -> list[QgsFeature]:
    """Put polygons (in `crs`) into the layer's edit buffer in one undo command, starting an edit session if there is none.

    A line layer gets their outlines. attributes: by field name; `area_m2` is filled in; those the layer has no field for are
    left out; a replaced feature keeps all others, and takes the largest polygon. Nothing is committed, and nothing is changed
    where an error is raised: `TargetUnfit`, `TargetReadOnly`, `TargetRefused`, `CoordinatesUntransformable`.
    """
    check_target(layer)
    largest_first = sorted(geometries, key=lambda geometry: -geometry.area())
    with editing(layer, tr("Digitize with Raster Lasso")):
        found = []
        for index, geometry in enumerate(largest_first):
            own = placing if index == 0 else replace(placing, replaces=None)
            found += _put(layer, geometry, crs, attributes, project, own)
    return found


def _put(
    layer: QgsVectorLayer,
    geometry: QgsGeometry,
    crs: QgsCoordinateReferenceSystem,
    attributes: Mapping[str, object],
    project: QgsProject,
    placing: Placing,
) -> list[QgsFeature]:
    """One feature, or as many as an outline has lines where the layer takes one each."""
    is_line = takes_lines(layer)
    shape = outline_as_lines(geometry, placing.data_end, placing.crossing) if is_line else geometry
    moved = placed_in(shape, crs, layer.crs(), project.transformContext())
    neighbours: dict[int, QgsGeometry] = {}
    clipped = moved if is_line else without_overlaps(moved, layer, project, placing.replaces)
    if clipped.isEmpty() and not is_line:
        raise TargetRefused(layer=layer.name(), reason=tr("others cover all of it, and the project avoids overlaps"))
    is_clipped, moved = clipped is not moved, clipped
    if placing.share_within_m is not None and not is_line:
        tolerance = in_map_units(placing.share_within_m, layer.crs())
        moved, neighbours = with_shared_borders(moved, layer, tolerance, placing.replaces)
        if moved.isEmpty():
            raise TargetRefused(layer=layer.name(), reason=tr("its neighbours cover all of it; borders are shared with them"))
    fitting = moved.coerceToType(layer.wkbType())
    if len(fitting) != 1 and not is_line:
        raise TargetRefused(layer=layer.name(), reason=tr("it takes shapes of one part, and this one has several"))
    is_cut = is_clipped or (placing.share_within_m is not None and not is_line)
    area = area_m2(moved, layer.crs(), project) if is_cut else area_m2(geometry, crs, project)
    by_index = values_by_index(layer, {**attributes, "area_m2": area})
    for each, fitted in neighbours.items():
        layer.changeGeometry(each, fitted)
    if not fitting or fitting[0].isEmpty():
        raise TargetRefused(layer=layer.name(), reason=tr("all of the outline is the imagery's frame or borders on nodata"))
    if placing.replaces is None:
        return [_added(layer, part, by_index) for part in fitting]
    replaced = replace_feature(layer, placing.replaces, fitting[0], by_index)
    return [replaced, *(_added(layer, part, by_index) for part in fitting[1:])]


def _added(layer: QgsVectorLayer, geometry: QgsGeometry, by_index: dict[int, object]) -> QgsFeature:
    feature = QgsVectorLayerUtils.createFeature(layer, geometry, by_index, layer.createExpressionContext())
    if not opens_form(layer):  # else the user fills in what is missing
        _check_constraints(layer, feature)
    if not layer.addFeature(feature):
        raise TargetRefused(layer=layer.name(), reason="; ".join(layer.dataProvider().errors()) or tr("no reason given"))
    return feature


def opens_form(layer: QgsVectorLayer) -> bool:
    """Whether the layer itself asks for its form after each new feature; QGIS's own default would stop the hand each time."""
    return bool(layer.editFormConfig().suppress() == QgsEditFormConfig.FeatureFormSuppress.SuppressOff)


def _check_constraints(layer: QgsVectorLayer, feature: QgsFeature) -> None:
    strict = QgsFieldConstraints.ConstraintStrength.ConstraintStrengthHard
    for index, known in enumerate(layer.fields()):
        is_good, reasons = QgsVectorLayerUtils.validateAttribute(layer, feature, index, strict)
        if not is_good:
            cure = tr("give the field a default value in the layer's properties, or have the layer show its form")
            raise TargetRefused(layer=layer.name(), reason=f"{known.name()}: {'; '.join(reasons)}; {cure}")


def replace_feature(
    layer: QgsVectorLayer, feature_id: int, geometry: QgsGeometry, by_index: Mapping[int, object]
) -> QgsFeature:
    """The feature with another shape and other values; raises `TargetRefused` where it is not there."""
    if not layer.changeGeometry(feature_id, geometry):
        raise TargetRefused(layer=layer.name(), reason=tr("the feature is not there any more"))
    for index, value in by_index.items():
        layer.changeAttributeValue(feature_id, index, value)
    return layer.getFeature(feature_id)


def values_by_index(layer: QgsVectorLayer, attributes: Mapping[str, object]) -> dict[int, object]:
    """What the layer has a field for that it fits, as it stores it."""
    fields, found = layer.fields(), {}
    for name, value in attributes.items():
        index = fields.lookupField(name)
        if index >= 0 and value is not None:
            with suppress(ValueError):
                found[index] = as_stored(fields.at(index), value)
    return found


def feature_at(layer: QgsVectorLayer, place: QgsPointXY) -> QgsFeature | None:
    """The smallest polygon at a place in the layer's CRS."""
    point = QgsGeometry.fromPointXY(place)
    near = QgsRectangle(place, place)
    near.grow(1e-9)
    there = [feature for feature in layer.getFeatures(QgsFeatureRequest(near)) if feature.geometry().contains(point)]
    return min(there, key=lambda feature: feature.geometry().area(), default=None)


@contextmanager
def editing(layer: QgsVectorLayer, name: str) -> Iterator[None]:
    """An edit command in the layer's session, or in one that is begun for it.

    What is done within is undone at once, and not done where an error is raised. Raises `TargetReadOnly` where there can be no
    session.
    """
    is_ours = not layer.isEditable()
    if is_ours and not layer.startEditing():
        raise TargetReadOnly(layer=layer.name(), reason=tr("no edit session could be started"))
    layer.beginEditCommand(name)
    try:
        yield
    except BaseException:
        layer.destroyEditCommand()
        if is_ours:
            layer.rollBack()
        raise
    layer.endEditCommand()
    layer.triggerRepaint()
