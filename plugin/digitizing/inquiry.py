"""The question that the engine works on: how far it is, what it has answered so far, and stopping it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from qgis.PyQt.QtCore import QObject, pyqtSignal

from ...contract.client import Replies
from ...contract.errors import RasterLassoError
from ...contract.protocol import Progress
from ...contract.requests import SegmentParams, SegmentResult
from ..runtime.engine_process import EngineProcess
from .candidates import Candidates

CHANNEL = "draft"


class Inquiry(QObject):
    """One question at a time: the newest takes the place of the one before.

    `changed` tells that progress or a part of the answer is new, `answered` that the whole answer is there, `failed` (error)
    why there is none.
    """

    changed = pyqtSignal()
    answered = pyqtSignal()
    failed = pyqtSignal(object)

    def __init__(self, engine: EngineProcess) -> None:
        super().__init__()
        self._engine = engine
        self.candidates = Candidates()
        self.progress: Progress | None = None
        """How far the question under way is; None when none is."""
        self.is_growing = False
        """Whether the answer is part of one that is still being found."""
        self._stage_begun = time.monotonic()

    @property
    def stage_seconds(self) -> float:
        """How long the question is in its stage already."""
        return time.monotonic() - self._stage_begun

    def ask(self, params: SegmentParams, choice: int | None) -> None:
        """choice: of the candidate that is wanted, as `Candidates.take` has it."""
        self.progress, self.is_growing, self.candidates.is_whole = Progress(0, "wait", 0.0), False, False
        self._stage_begun = time.monotonic()
        replies = Replies(result=partial(self._on_result, choice), failure=self._on_failure, progress=self._on_progress)
        self._engine.request("segment", params.to_wire(), replies, CHANNEL)

    def stop(self) -> bool:
        """Let what is found so far be the answer; returns whether anything was being found."""
        if not self.is_growing:
            return False
        self._engine.cancel_channel(CHANNEL)
        self.progress, self.is_growing = None, False
        return True

    def drop(self) -> None:
        """Forget question and answer."""
        self._engine.cancel_channel(CHANNEL)
        self.candidates.take(None)
        self.progress, self.is_growing = None, False

    def go_on_from(self, candidates: Candidates) -> None:
        """Show what was answered before; nothing is asked."""
        self.drop()
        self.candidates = candidates.as_now()

    def _on_result(self, choice: int | None, value: Mapping[str, Any]) -> None:
        answer = SegmentResult.from_wire(value)
        self.candidates.take(answer, choice, is_whole=not answer.tiles_left)
        self.progress, self.is_growing = None, False
        self.answered.emit()

    def _on_failure(self, error: RasterLassoError) -> None:
        self.progress, self.is_growing = None, False
        self.failed.emit(error)

    def _on_progress(self, progress: Progress) -> None:
        if progress.part is None:
            if self.progress is None or progress.stage != self.progress.stage:
                self._stage_begun = time.monotonic()
            self.progress = progress
        else:
            self.candidates.take(SegmentResult.from_wire(progress.part))
            self.is_growing = True
        self.changed.emit()
