"""How fast the hand is."""

from __future__ import annotations

import time
from collections import deque

WINDOW_S = 600.0
"""Objects of so long ago do not count for the pace."""


class Pace:
    """Counts accepted objects."""

    def __init__(self) -> None:
        self.total = 0
        self._times: deque[float] = deque()

    def count(self) -> None:
        """One more."""
        self.total += 1
        self._times.append(time.monotonic())

    @property
    def per_minute(self) -> float | None:
        """Objects a minute lately, from the first of them on; None before the second."""
        now = time.monotonic()
        while self._times and now - self._times[0] > WINDOW_S:
            self._times.popleft()
        if len(self._times) < 2:
            return None
        return 60 * (len(self._times) - 1) / max(self._times[-1] - self._times[0], 1e-3)
