"""Which proposals stay where neighbouring tiles find the same object, row by row: memory holds a few rows only."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .distinct import distinct
from .proposals import Found
from .ranking import Ranking

ROWS_THAT_OVERLAP = 2
"""Tiles of this many rows further down share no pixel."""

BOX_SHARE = 0.5
"""Of the square over its longer side an object fills about so much."""

LEANING, MOST_LARGER = 1.0, 2.0
"""How much what is larger by a factor of e, and by e² at most, goes before what is smaller where wholes are wanted."""


class Settling:
    """Proposals of the last few rows of tiles.

    side_px: longer side of a typical object, in native pixels; None for any. granularity: as `EverythingParams` has it.
    """

    def __init__(self, side_px: float | None, granularity: float = 0.0) -> None:
        self._granularity = granularity
        self._typical_px2 = np.array([] if side_px is None else [BOX_SHARE * side_px**2])
        self._waiting: list[Found] = []
        self._told: list[Found] = []

    def add(self, found: Iterable[Found]) -> None:
        """More of the newest row."""
        self._waiting.extend(found)

    def settled(self, row: int) -> list[tuple[Found, float]]:
        """What is final once a row of tiles is complete, each with its likeness, best first.

        What was told before stays: it goes before all that overlaps it.
        """
        return self._final(row - ROWS_THAT_OVERLAP)

    def rest(self) -> list[tuple[Found, float]]:
        """What is left once all rows are."""
        return self._final(max((each.tile.row for each in self._waiting), default=0))

    def _final(self, row: int) -> list[tuple[Found, float]]:
        both = [*self._told, *self._waiting]
        if not both:
            return []
        prior = Ranking(both, self._typical_px2).likeness((), ())
        areas_px2 = np.array([each.polygon_px.area for each in both])
        typical_px2 = self._typical_px2[0] if len(self._typical_px2) else np.median(areas_px2)
        larger = np.clip(np.log(areas_px2 / typical_px2), -MOST_LARGER, MOST_LARGER)
        order = prior * np.exp(LEANING * self._granularity * larger)
        first = np.where(np.arange(len(both)) < len(self._told), np.inf, order)
        kept = [index for index in distinct(both, first) if index >= len(self._told)]
        final = [(both[index], float(prior[index])) for index in kept if both[index].tile.row <= row]
        self._waiting = [each for each in self._waiting if each.tile.row > row]
        self._told = [each for each in (*self._told, *(found for found, _ in final)) if each.tile.row > row - ROWS_THAT_OVERLAP]
        return final
