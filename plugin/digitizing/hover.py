"""What a click would give, shown while the mouse moves, where the engine has looked at the place already."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from qgis.core import QgsGeometry, QgsPointXY
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ...contract.answers import Glanced
from ...contract.client import Replies
from ...contract.errors import RasterLassoError
from ..runtime.engine_process import EngineProcess, EngineState
from .candidates import Candidates
from .digitizer import Digitizer

CHANNEL = "hover"


class Hover(QObject):
    """Asks for the newest place once the place before it is answered; `changed` tells that `polygon` is new."""

    changed = pyqtSignal()

    def __init__(self, digitizer: Digitizer, engine: EngineProcess) -> None:
        super().__init__()
        self._digitizer = digitizer
        self._engine = engine
        self._is_waiting = False
        self._next: QgsPointXY | None = None
        self.polygon: QgsGeometry | None = None
        """In the imagery's CRS."""
        self.enabled = True

    def move(self, place: QgsPointXY) -> None:
        """The mouse is here, in map coordinates, with no button down."""
        if not self.enabled or not self._digitizer.draft.is_empty or self._engine.state is not EngineState.READY:
            return
        self._next = place
        if not self._is_waiting:
            self._ask()

    def stop(self) -> None:
        """The mouse is elsewhere, or a draft has begun."""
        self._next = None
        self._is_waiting = False
        self._engine.cancel_channel(CHANNEL)
        self._show(None)

    def _ask(self) -> None:
        place, self._next = self._next, None
        choice = self._digitizer.acceptance.preferred_choice
        params = None if place is None else self._digitizer.lens.first_click(place, with_others=choice is not None)
        if params is None:
            self._show(None)
            return
        self._is_waiting = True
        self._engine.request("glance", params.to_wire(), Replies(partial(self._on_result, choice), self._on_failure), CHANNEL)

    def _on_result(self, choice: int | None, value: Mapping[str, Any]) -> None:
        found = Candidates()
        found.take(Glanced.from_wire(value).found, choice)
        self._is_waiting = False
        self._show(found.polygon)
        if self._next is not None:
            self._ask()

    def _on_failure(self, error: RasterLassoError) -> None:
        self._is_waiting = False  # a click there will tell the user why
        self._show(None)

    def _show(self, polygon: QgsGeometry | None) -> None:
        if polygon is not self.polygon:
            self.polygon = polygon
            self.changed.emit()
