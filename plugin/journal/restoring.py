"""What a QGIS that ended badly left behind, into the project again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsGeometry,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
    QgsVectorLayerUtils,
)

from ...contract.errors import RasterLassoError
from ..digitizing.digitizer import Digitizer
from ..errors import ImageryMissing, TargetRefused
from ..geo.transforms import transform_between, transformed_shape
from ..geo.wkb import from_hex
from ..target.fields import as_stored
from ..target.placing import check_target, edit_command
from ..target.target import Target
from ..translation import tr
from .entries import AcceptedEntry, DraftEntry
from .recorder import Recorder


def restore_accepted(entries: Sequence[AcceptedEntry], target: Target, project: QgsProject, recorder: Recorder) -> None:
    """Put objects into the edit buffers of their layers, or into a scratch layer where one is missing or refuses them."""
    homeless = []
    for layer, own in _by_layer(entries, project):
        try:
            recorder.note(layer, put_back(layer, own, project))
            target.choose(target.layer or layer)
        except RasterLassoError:  # the scratch layer shows them, and takes them all
            homeless += own
    homeless += [entry for entry in entries if not isinstance(entry.layer.find(project), QgsVectorLayer)]
    for crs in sorted({entry.crs for entry in homeless}):
        own = [entry for entry in homeless if entry.crs == crs]
        layer = target.new_scratch(QgsCoordinateReferenceSystem(crs))
        layer.setName(tr("Restored features"))
        recorder.note(layer, put_back(layer, own, project))


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
    if entry.feature_id >= 0 and layer.getFeature(entry.feature_id).isValid() and len(fitting) == 1:
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
    entry: DraftEntry, digitizer: Digitizer, project: QgsProject, choose: Callable[[QgsRasterLayer], None]
) -> None:
    """Take the object under way up again; raises `ImageryMissing` where its imagery is not in the project.

    choose: makes imagery the one that is clicked on.
    """
    imagery = entry.imagery.find(project)
    if not isinstance(imagery, QgsRasterLayer):
        raise ImageryMissing(layer=entry.imagery.name)
    choose(imagery)
    draft = entry.draft
    layer = None if entry.reopened_layer is None else entry.reopened_layer.find(project)
    if isinstance(layer, QgsVectorLayer) and (feature := layer.getFeature(entry.reopened_id)).isValid():
        digitizer.target.take_up(layer, feature)
        draft = replace(draft, reopened=(layer.id(), feature.id()))
    digitizer.resume(draft, entry.view_level)
