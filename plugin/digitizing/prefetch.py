"""Has the engine look at what is in view before the first click, the cursor's surroundings first."""

from __future__ import annotations

from qgis.core import QgsPointXY
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QObject, QTimer

from ...contract.client import Replies
from ...contract.requests import PrefetchParams
from ..runtime.engine_process import EngineProcess, EngineState
from .digitizer import Digitizer

CHANNEL = "prefetch"
PAUSE_MS = 250
"""So long after the view has come to rest."""

STEP_SHARE = 0.25
"""The cursor has moved on when it is so far from where it was, as a share of the view's width."""


class Prefetch(QObject):
    """Works between `start` and `stop`, whenever the view changes or the cursor moves on."""

    def __init__(self, canvas: QgsMapCanvas, digitizer: Digitizer, engine: EngineProcess) -> None:
        super().__init__()
        self._canvas = canvas
        self._digitizer = digitizer
        self._engine = engine
        self._is_on = False
        self._cursor: QgsPointXY | None = None
        self._asked: PrefetchParams | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(self._ask)
        canvas.extentsChanged.connect(self._on_view)
        digitizer.draft_changed.connect(self._on_view)
        digitizer.answered.connect(self._on_view)
        engine.state_changed.connect(self._on_view)

    def start(self) -> None:
        """From now on."""
        self._is_on = True
        self._timer.start()

    def stop(self) -> None:
        """Nothing more until the next start."""
        self._is_on = False
        self._timer.stop()
        if self._asked is not None and self._engine.state is EngineState.READY:
            self._send(PrefetchParams())
        self._asked = None

    def move(self, place: QgsPointXY) -> None:
        """The cursor is here, in map coordinates."""
        far = STEP_SHARE * self._canvas.extent().width()
        if self._cursor is None or self._cursor.distance(place) > far:
            self._cursor = place
            self._on_view()

    def detach(self) -> None:
        """Let canvas, digitizer and engine go."""
        self.stop()
        self._canvas.extentsChanged.disconnect(self._on_view)
        self._digitizer.draft_changed.disconnect(self._on_view)
        self._digitizer.answered.disconnect(self._on_view)
        self._engine.state_changed.disconnect(self._on_view)

    def _on_view(self) -> None:
        if self._engine.state is not EngineState.READY:
            self._asked = None  # the next engine has not been asked
        if self._is_on:
            self._timer.start()

    def _ask(self) -> None:
        if self._engine.state is not EngineState.READY or self._digitizer.progress is not None:
            return
        extent = self._canvas.extent()
        cursor = self._cursor if self._cursor is not None and extent.contains(self._cursor) else extent.center()
        params = self._digitizer.lens.view(extent, cursor)
        if params is not None and params != self._asked:
            self._asked = params
            self._send(params)

    def _send(self, params: PrefetchParams) -> None:
        replies = Replies(result=lambda value: None, failure=lambda error: None)  # a click there will tell the user why
        self._engine.request("prefetch", params.to_wire(), replies, CHANNEL)
