"""The least recently used of what is kept is forgotten first: encoded tiles, answers, open rasters.

Of cachetools' `LRUCache` it differs in that the newest value is kept even where it alone is over the limit: what is being
worked on must be there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class RecentlyUsed(Generic[Key, Value]):
    """Values by keys, as many as a limit lets. weigh: what a value counts for; on_forget: called with each that makes room."""

    def __init__(
        self,
        limit: int,
        weigh: Callable[[Value], int] = lambda value: 1,
        on_forget: Callable[[Value], None] = lambda value: None,
    ) -> None:
        self._limit = limit
        self._weigh = weigh
        self._on_forget = on_forget
        self._kept: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._weight = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, key: Key) -> bool:
        return key in self._kept

    @property
    def weight(self) -> int:
        """Of all that is kept, as it was when it was put there."""
        return self._weight

    def get(self, key: Key) -> Value | None:
        """The value, which counts as used now, or None."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def put(self, key: Key, value: Value) -> None:
        """Keep a value; what was there by its key is not told that it is forgotten."""
        self.pop(key)
        weight = self._weigh(value)
        self._kept[key] = value, weight
        self._weight += weight
        while self._weight > self._limit and len(self._kept) > 1:
            _, (oldest, its_weight) = self._kept.popitem(last=False)
            self._weight -= its_weight
            self._on_forget(oldest)

    def pop(self, key: Key) -> Value | None:
        """Take a value out; None where there is none."""
        found = self._kept.pop(key, None)
        if found is None:
            return None
        self._weight -= found[1]
        return found[0]

    def pop_all(self, which: Callable[[Key], bool] = lambda key: True) -> list[Value]:
        """Take out the values whose keys are meant."""
        found = [self.pop(key) for key in list(self._kept) if which(key)]
        return [value for value in found if value is not None]
