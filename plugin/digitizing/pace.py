"""How fast the hand is, layer by layer, since QGIS was started."""

from __future__ import annotations

import time
from collections import deque

from qgis.core import QgsVectorLayer
from qgis.PyQt.QtCore import QObject

WINDOW_S = 600.0
"""Objects of so long ago do not count for the pace."""


class Pace(QObject):
    """Counts the objects accepted into one layer; what Ctrl+Z takes away there does not count, until it is done again."""

    def __init__(self, layer: QgsVectorLayer) -> None:
        super().__init__()
        self._saved = 0
        self._there: dict[int, float] = {}
        """Features in the edit buffer, and when they were accepted."""
        self._taken_away: dict[int, float] = {}
        self._saved_lately: deque[float] = deque()
        layer.featureDeleted.connect(self._on_deleted)
        layer.featureAdded.connect(self._on_added)
        layer.beforeCommitChanges.connect(self._settle)
        layer.beforeRollBack.connect(self._forget)

    def count(self, feature_id: int) -> None:
        """One more object: the first of its features."""
        self._there[feature_id] = time.monotonic()

    @property
    def total(self) -> int:
        """Objects that are there."""
        return self._saved + len(self._there)

    @property
    def per_minute(self) -> float | None:
        """Objects a minute lately, from the first of them on; None before the second."""
        now = time.monotonic()
        times = sorted(each for each in (*self._saved_lately, *self._there.values()) if now - each <= WINDOW_S)
        if len(times) < 2:
            return None
        return 60 * (len(times) - 1) / max(times[-1] - times[0], 1e-3)

    def _on_deleted(self, feature_id: int) -> None:
        if feature_id in self._there:
            self._taken_away[feature_id] = self._there.pop(feature_id)

    def _on_added(self, feature_id: int) -> None:
        if feature_id in self._taken_away:
            self._there[feature_id] = self._taken_away.pop(feature_id)

    def _settle(self) -> None:
        """What is saved has another id from then on, and stays."""
        now = time.monotonic()
        lately = (*self._saved_lately, *self._there.values())
        self._saved_lately = deque(each for each in lately if now - each <= WINDOW_S)
        self._saved += len(self._there)
        self._forget()

    def _forget(self) -> None:
        self._there.clear()
        self._taken_away.clear()


class Paces:
    """One for each layer of a sitting."""

    def __init__(self) -> None:
        self._by_layer: dict[str, Pace] = {}

    def count(self, layer: QgsVectorLayer, feature_id: int) -> None:
        """An object was accepted into a layer; feature_id: of the first of its features."""
        if layer.id() not in self._by_layer:
            self._by_layer[layer.id()] = Pace(layer)
        self._by_layer[layer.id()].count(feature_id)

    def of(self, layer: QgsVectorLayer | None) -> Pace | None:
        """None where nothing was accepted into it."""
        return None if layer is None else self._by_layer.get(layer.id())
