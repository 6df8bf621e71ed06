"""Enter before its answer: the acceptance waits for it, and what is done to the next objects meanwhile waits, too."""

from __future__ import annotations

from collections.abc import Callable


class PendingAcceptance:
    """At most one, with what is to be done after it, oldest first."""

    def __init__(self) -> None:
        self.is_on = False
        self._later: list[Callable[[], None]] = []

    @property
    def has_later(self) -> bool:
        """Whether anything was done to the next objects."""
        return bool(self._later)

    def begin(self) -> None:
        """Accept as soon as the answer is there."""
        self.is_on = True

    def after(self, do: Callable[[], None]) -> None:
        """Do something once it is accepted."""
        self._later.append(do)

    def take_back(self) -> bool:
        """The newest of all that waits, the acceptance itself last; returns whether anything did."""
        if self._later:
            self._later.pop()
            return True
        was_on, self.is_on = self.is_on, False
        return was_on

    def end(self) -> list[Callable[[], None]]:
        """Wait no longer; returns what was to be done after it."""
        later, self._later, self.is_on = self._later, [], False
        return later
