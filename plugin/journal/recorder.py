"""Writes down what would be lost, as the user works."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from qgis.core import QgsFeature, QgsFeatureRequest, QgsProject, QgsVectorLayer
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ..digitizing.digitizer import Digitizer
from ..errors import JournalUnwritable
from .entries import AcceptedEntry, DraftEntry
from .files import SessionFiles

IN_MEMORY = "memory"
"""Provider of layers whose saved edits are lost, too, where QGIS ends."""


class Recorder(QObject):
    """Follows the draft, and accepted features until they are saved or undone; `failed` tells why nothing can be written."""

    failed = pyqtSignal(object)

    def __init__(self, digitizer: Digitizer, project: QgsProject, files: SessionFiles) -> None:
        super().__init__()
        self._digitizer = digitizer
        self._project = project
        self._files = files
        self._has_failed = False
        self._followed: dict[str, _Followed] = {}
        digitizer.draft_changed.connect(self._note_draft)
        digitizer.accepted.connect(self.note)
        digitizer.target.adjusted.connect(self.note)

    def close(self) -> None:
        """Write nothing any more; QGIS has asked about what is not saved."""
        self._digitizer.draft_changed.disconnect(self._note_draft)
        self._digitizer.accepted.disconnect(self.note)
        self._digitizer.target.adjusted.disconnect(self.note)
        for followed in self._followed.values():
            followed.let_go()
        self._followed.clear()
        with suppress(OSError):  # it would be offered once too often
            self._files.close()
        self._has_failed = True  # there is nothing to write to any more

    def note(self, layer: QgsVectorLayer, feature_ids: Sequence[int]) -> None:
        """Features that were put into a layer's edit buffer, or changed there."""
        if layer.id() not in self._followed:
            self._followed[layer.id()] = _Followed(layer, self._write, partial(self._followed.pop, layer.id(), None))
        self._followed[layer.id()].note(feature_ids)

    def _note_draft(self) -> None:
        digitizer = self._digitizer
        draft, imagery = digitizer.draft, digitizer.imagery
        has_news = imagery is not None and not draft.is_empty and draft.unchanged is None
        entry = DraftEntry.of(draft, imagery, digitizer.view_level, self._project) if has_news else None
        self._write(lambda files: files.write_draft(entry))

    def _write(self, do: Callable[[SessionFiles], None]) -> None:
        """Once something can't be written nothing more is, so that the user is told once."""
        if self._has_failed:
            return
        try:
            do(self._files)
        except OSError as error:
            self._has_failed = True
            self.failed.emit(JournalUnwritable(reason=str(error)))


class _Followed:
    """The accepted features of a layer, by what its edit buffer tells of them."""

    def __init__(
        self, layer: QgsVectorLayer, write: Callable[[Callable[[SessionFiles], None]], None], on_end: Callable[[], object]
    ) -> None:
        """on_end: told when the layer is gone."""
        self._layer = layer
        self._write = write
        self._on_end = on_end
        self._keys: dict[int, int] = {}
        """Of each feature by its id, those that were deleted included: the deletion may be undone."""
        self._shapes: dict[bytes, int] = {}
        """Ids of features without a lasting one, by what their shapes are."""
        self._connections = (
            (layer.featureDeleted, self._forget),
            (layer.featureAdded, self._note_again),
            (layer.geometryChanged, self._note_again),
            (layer.attributeValueChanged, self._note_again),
            (layer.committedFeaturesAdded, self._on_numbered),
            (layer.afterCommitChanges, self._on_saved),
            (layer.afterRollBack, self._on_rolled_back),
            (layer.dataSourceChanged, self._on_saved),
            (layer.willBeDeleted, self._on_removed),
        )
        for signal, slot in self._connections:
            signal.connect(slot)

    def let_go(self) -> None:
        """Follow nothing any more."""
        for signal, slot in self._connections:
            signal.disconnect(slot)

    def note(self, feature_ids: Sequence[int]) -> None:
        for feature in self._layer.getFeatures(QgsFeatureRequest().setFilterFids(list(feature_ids))):
            self._put(feature)

    def _put(self, feature: QgsFeature) -> None:
        if not feature.hasGeometry():
            return
        edits = self._layer.editBuffer()
        was_there = not self._is_in_memory and edits is not None and feature.id() in edits.changedGeometries()
        entry, key = AcceptedEntry.of(self._layer, feature, was_there), self._keys.get(feature.id())
        if feature.id() < 0:
            self._shapes[_digest(feature)] = feature.id()

        def put(files: SessionFiles) -> None:
            if key is None:
                self._keys[feature.id()] = files.add(entry)
            else:
                files.change(key, entry)

        self._write(put)

    def _note_again(self, feature_id: int, *_: object) -> None:
        if feature_id in self._keys:
            self.note([feature_id])

    def _forget(self, feature_id: int) -> None:
        key = self._keys.get(feature_id)
        if key is not None:
            self._write(lambda files: files.change(key, None))

    def _forget_all(self, feature_ids: Sequence[int]) -> None:
        for feature_id in feature_ids:
            self._forget(feature_id)
            del self._keys[feature_id]

    def _on_numbered(self, _: str, features: Sequence[QgsFeature]) -> None:
        """Of a layer in memory: saving gives its features other ids, and they are lost all the same."""
        if not self._is_in_memory:
            return
        for feature in features:
            former = self._shapes.pop(_digest(feature), None) if self._shapes else None
            if former is not None:
                self._keys[feature.id()] = self._keys.pop(former)
                self._put(feature)

    def _on_saved(self) -> None:
        if not self._is_in_memory:
            self._forget_all(list(self._keys))

    def _on_rolled_back(self) -> None:
        self._forget_all([feature_id for feature_id in self._keys if feature_id < 0 or not self._is_in_memory])

    def _on_removed(self) -> None:
        self._forget_all(list(self._keys))
        self._on_end()

    @property
    def _is_in_memory(self) -> bool:
        return bool(self._layer.providerType() == IN_MEMORY)


def _digest(feature: QgsFeature) -> bytes:
    return hashlib.sha256(bytes(feature.geometry().asWkb())).digest()
