"""What a QGIS that ended badly left behind, into the project again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
    QgsVectorLayerUtils,
    QgsWkbTypes,
)

from ...contract.errors import RasterLassoError
from ..digitizing.digitizer import Digitizer
from ..errors import ImageryMissing, TargetRefused
from ..geo.transforms import transform_between, transformed_shape
from ..target.new_layers import new_scratch_layer
from ..target.placing import check_target, editing, replace_feature, values_by_index
from ..target.target import Target
from ..translation import tr
from .entries import AcceptedEntry, DraftEntry
from .recorder import IN_MEMORY, Recorder


@dataclass(frozen=True)
class Restored:
    """ids: of features now, by layer and id then. left: what no layer takes, and error: why."""

    ids: Mapping[tuple[str, int], tuple[QgsVectorLayer, int]]
    left: tuple[AcceptedEntry, ...]
    error: RasterLassoError | None


def restore_accepted(entries: Sequence[AcceptedEntry], target: Target, project: QgsProject, recorder: Recorder) -> Restored:
    """Put objects into the edit buffers of their layers, or into scratch layers where one is missing or refuses them."""
    ids_now: dict[tuple[str, int], tuple[QgsVectorLayer, int]] = {}
    homeless: list[AcceptedEntry] = []
    left: list[AcceptedEntry] = []
    why: RasterLassoError | None = None

    def put(layer: QgsVectorLayer, own: Sequence[AcceptedEntry]) -> None:
        ids = put_back(layer, own, project)
        recorder.note(layer, ids)
        ids_now.update({(each.layer.id, each.feature_id): (layer, now) for each, now in zip(own, ids)})

    for layer, own in _by_layer(entries, project):
        try:
            put(layer, own)
            target.choose(target.layer or layer)
        except RasterLassoError:  # the scratch layer shows them, and takes them all
            homeless += own
    homeless += [entry for entry in entries if not isinstance(entry.layer.find(project), QgsVectorLayer)]
    for crs, is_line in sorted({(entry.crs, _is_line(entry)) for entry in homeless}):
        own = [entry for entry in homeless if (entry.crs, _is_line(entry)) == (crs, is_line)]
        try:
            put(_scratch(QgsCoordinateReferenceSystem(crs), is_line, target, project), own)
        except RasterLassoError as error:
            left += own
            why = error
    return Restored(ids_now, tuple(left), why)


def _is_line(entry: AcceptedEntry) -> bool:
    return bool(entry.shape.type() == QgsWkbTypes.GeometryType.LineGeometry)


def _scratch(crs: QgsCoordinateReferenceSystem, is_line: bool, target: Target, project: QgsProject) -> QgsVectorLayer:
    layer = new_scratch_layer(crs, "MultiLineString") if is_line else target.new_scratch(crs)
    layer.setName(tr("Restored features"))
    if is_line:
        project.addMapLayer(layer)
    return layer


def _by_layer(entries: Sequence[AcceptedEntry], project: QgsProject) -> list[tuple[QgsVectorLayer, list[AcceptedEntry]]]:
    found: dict[str, tuple[QgsVectorLayer, list[AcceptedEntry]]] = {}
    for entry in entries:
        layer = entry.layer.find(project)
        if isinstance(layer, QgsVectorLayer):
            found.setdefault(layer.id(), (layer, []))[1].append(entry)
    return list(found.values())


def put_back(layer: QgsVectorLayer, entries: Sequence[AcceptedEntry], project: QgsProject) -> list[int]:
    """Objects into a layer's edit buffer in one undo command; the ids of their features.

    Raises `TargetUnfit`, `TargetReadOnly`, `TargetRefused`, `CoordinatesUntransformable`: then nothing has changed.
    """
    check_target(layer)
    with editing(layer, tr("Restore digitized objects")):
        return [_put_back(layer, entry, project) for entry in entries]


def _put_back(layer: QgsVectorLayer, entry: AcceptedEntry, project: QgsProject) -> int:
    transform = transform_between(QgsCoordinateReferenceSystem(entry.crs), layer.crs(), project.transformContext())
    fitting = transformed_shape(entry.shape, transform).coerceToType(layer.wkbType())
    if len(fitting) != 1:
        raise TargetRefused(layer=layer.name(), reason=tr("it takes shapes of one part, and this one has several"))
    keys = set(layer.primaryKeyAttributes())  # which the layer gives itself
    values = {index: value for index, value in values_by_index(layer, entry.attributes).items() if index not in keys}
    if entry.was_there and layer.getFeature(entry.feature_id).isValid():
        return int(replace_feature(layer, entry.feature_id, fitting[0], values).id())
    feature = QgsVectorLayerUtils.createFeature(layer, fitting[0], values, layer.createExpressionContext())
    if not layer.addFeature(feature):
        raise TargetRefused(layer=layer.name(), reason="; ".join(layer.dataProvider().errors()) or tr("no reason given"))
    return int(feature.id())


def restore_draft(
    entry: DraftEntry, restored: Restored, digitizer: Digitizer, project: QgsProject, choose: Callable[[QgsRasterLayer], None]
) -> None:
    """Take the object under way up again; raises `ImageryMissing` where its imagery is not in the project.

    restored: what was put back just now, of which it may be one. choose: makes imagery the one that is clicked on.
    """
    imagery = entry.imagery.find(project)
    if not isinstance(imagery, QgsRasterLayer):
        raise ImageryMissing(layer=entry.imagery.name)
    choose(imagery)
    draft, reopened = entry.draft, _reopened(entry, restored, project)
    if reopened is not None:
        layer, feature = reopened
        digitizer.target.take_up(layer, feature)
        draft = replace(draft, reopened=(layer.id(), feature.id()))
    digitizer.resume(draft, entry.view_level)


def _reopened(entry: DraftEntry, restored: Restored, project: QgsProject) -> tuple[QgsVectorLayer, QgsFeature] | None:
    """The feature whose shape is changed, where it is there for sure; else the draft makes a new one."""
    if entry.reopened_layer is None:
        return None
    now = restored.ids.get((entry.reopened_layer.id, entry.reopened_id))
    if now is not None:
        return now[0], now[0].getFeature(now[1])
    layer = entry.reopened_layer.find(project)
    if not isinstance(layer, QgsVectorLayer) or layer.providerType() == IN_MEMORY or entry.reopened_id < 0:
        return None
    feature = layer.getFeature(entry.reopened_id)
    return (layer, feature) if feature.isValid() else None
