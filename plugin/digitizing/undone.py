"""What was taken back, to be done again."""

from __future__ import annotations

from .candidates import Candidates
from .draft import Draft


class Undone:
    """Steps back, the newest last. Where anything else was done since, there is no way forward any more."""

    def __init__(self) -> None:
        self._steps: list[tuple[Draft, Draft, Candidates | None]] = []

    def push(self, before: Draft, after: Draft, candidates: Candidates) -> None:
        """A step back is taken. candidates: what was answered to the draft before it."""
        if not self.leads_on_from(before):
            self._steps.clear()
        self._steps.append((before, after, candidates.as_now() if candidates.is_whole else None))

    def leads_on_from(self, draft: Draft) -> bool:
        """Whether a draft is what the newest step back came to."""
        return bool(self._steps) and self._steps[-1][1] is draft

    def pop(self) -> tuple[Draft, Candidates | None]:
        """The draft before the newest step back, and what was answered to it, None for asking."""
        before, _, shown = self._steps.pop()
        return before, shown
