"""How long each stage of an answer takes, and whether it is still wanted."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

Checkpoint = Callable[[str, float], None]
"""Told the stage (`read`, `encode`, `decode`, `vectorize`, `refine`) and the fraction done; may raise to stop the work."""

STAGES = ("read", "encode", "decode", "vectorize")
"""Those that every answer has, in their order."""


class Clock:
    """Times the stages and passes them on to the checkpoint."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._marks: list[tuple[str, float]] = []
        self._latest = ("read", 0.0)

    def start(self, stage: str, fraction: float) -> None:
        """A stage begins."""
        self._latest = stage, fraction
        self._checkpoint(stage, fraction)
        self._marks.append((stage, time.perf_counter()))

    def ask(self) -> None:
        """Whether it is still wanted, in the midst of a stage; raises what the checkpoint does."""
        self._checkpoint(*self._latest)

    def stages(self) -> dict[str, float]:
        """Seconds of each stage until now."""
        marks = [*self._marks, ("", time.perf_counter())]
        stages = dict.fromkeys(STAGES, 0.0)
        for (stage, start), (_, end) in pairwise(marks):
            stages[stage] = stages.get(stage, 0.0) + end - start
        return stages
