"""What a QGIS that ended badly left behind, into the project again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsGeometry,
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
from ..geo.wkb import from_hex
from ..target.fields import as_stored
from ..target.new_layers import new_scratch_layer
from ..target.placing import check_target, edit_command
from ..target.target import Target
from ..translation import tr
from .entries import AcceptedEntry, DraftEntry
from .recorder import IN_MEMORY, Recorder


@dataclass
class Restored:
    """ids: of features now, by layer and id then. left: what no layer takes, and why."""

    ids: dict[tuple[str, int], tuple[QgsVectorLayer, int]] = field(default_factory=dict)
    left: list[AcceptedEntry] = field(default_factory=list)
    error: RasterLassoError | None = None


def restore_accepted(entries: Sequence[AcceptedEntry], target: Target, project: QgsProject, recorder: Recorder) -> Restored:
    """Put objects into the edit buffers of their layers, or into scratch layers where one is missing or refuses them."""
    restored, homeless = Restored(), []

    def put(layer: QgsVectorLayer, own: Sequence[AcceptedEntry]) -> None:
        ids = put_back(layer, own, project)
        recorder.note(layer, ids)
        restored.ids.update({(each.layer.id, each.feature_id): (layer, now) for each, now in zip(own, ids)})

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
            restored.left += own
            restored.error = error
    return restored


def _is_line(entry: AcceptedEntry) -> bool:
    return bool(from_hex(entry.wkb_hex).type() == QgsWkbTypes.GeometryType.LineGeometry)


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
    is_ours = not layer.isEditable()
    if is_ours:
        layer.startEditing()
    try:
        with edit_command(layer, tr("Restore digitized objects")):
            found = [_put_back(layer, entry, project) for entry in entries]
    except RasterLassoError:
        if is_ours:
            layer.rollBack()
        raise
    layer.triggerRepaint()
    return found


def _put_back(layer: QgsVectorLayer, entry: AcceptedEntry, project: QgsProject) -> int:
    transform = transform_between(QgsCoordinateReferenceSystem(entry.crs), layer.crs(), project.transformContext())
    fitting = transformed_shape(from_hex(entry.wkb_hex), transform).coerceToType(layer.wkbType())
    by_index = _by_index(layer, entry)
    if entry.was_there and layer.getFeature(entry.feature_id).isValid() and len(fitting) == 1:
        return _changed(layer, entry.feature_id, fitting[0], by_index)
    shape = fitting[0] if len(fitting) == 1 else QgsGeometry()
    feature = QgsVectorLayerUtils.createFeature(layer, shape, by_index, layer.createExpressionContext())
    if len(fitting) != 1 or not layer.addFeature(feature):
        raise TargetRefused(layer=layer.name(), reason="; ".join(layer.dataProvider().errors()) or tr("no reason given"))
    return int(feature.id())


def _changed(layer: QgsVectorLayer, feature_id: int, shape: QgsGeometry, by_index: dict[int, object]) -> int:
    layer.changeGeometry(feature_id, shape)
    for index, value in by_index.items():
        layer.changeAttributeValue(feature_id, index, value)
    return feature_id


def _by_index(layer: QgsVectorLayer, entry: AcceptedEntry) -> dict[int, object]:
    """Without keys that the layer gives itself."""
    fields, found = layer.fields(), {}
    keys = set(layer.primaryKeyAttributes())
    for name, value in entry.attributes.items():
        index = fields.lookupField(name)
        if index >= 0 and index not in keys:
            with suppress(ValueError):
                found[index] = as_stored(fields.at(index), value)
    return found


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
