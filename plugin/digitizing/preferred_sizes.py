"""Which of the model's candidates a first click means: what was chosen by hand before, for a class on some imagery."""

from __future__ import annotations

from typing import Any

from .candidates import Candidates

Key = tuple[Any, str]
"""Class, and id of the imagery's layer."""


class PreferredSizes:
    """Nothing is remembered that was not chosen by hand, and choosing the model's best again forgets it."""

    def __init__(self) -> None:
        self._by_key: dict[Key, int] = {}

    def of(self, key: Key) -> int | None:
        """How many candidates are smaller than the one that is meant; None for the model's best."""
        return self._by_key.get(key)

    def note(self, key: Key, accepted: Candidates) -> None:
        """An object was accepted."""
        if not accepted.was_chosen:
            return
        if accepted.choice is None:
            self._by_key.pop(key, None)
        else:
            self._by_key[key] = accepted.choice
