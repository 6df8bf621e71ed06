"""The model's alternative answers to a draft, and the one that is chosen."""

from __future__ import annotations

from copy import copy

from qgis.core import QgsGeometry

from ...contract.recipe import chosen, size_ranks
from ...contract.requests import SegmentResult
from ..geo.wkb import polygon_from_hex


class Candidates:
    """Part, whole or group, as the model ranks them; the best one is chosen unless another was asked for."""

    def __init__(self) -> None:
        self._answer: SegmentResult | None = None
        self._all: list[tuple[QgsGeometry, float]] = []
        self._index = 0
        self.is_whole = False
        """Whether they are all that was found to the newest question."""

        self.was_chosen = False
        """Whether the user has looked through them."""

        self.frame: QgsGeometry | None = None
        """Of what the model looked at, in the imagery's CRS; None where that is not known."""

    @property
    def answer(self) -> SegmentResult | None:
        """The engine's answer that they are of."""
        return self._answer

    @property
    def polygon(self) -> QgsGeometry | None:
        """The chosen one."""
        return self._all[self._index][0] if self._all else None

    @property
    def score(self) -> float:
        """Predicted IoU of the chosen one."""
        return self._all[self._index][1] if self._all else 0.0

    @property
    def number(self) -> tuple[int, int]:
        """Which one is chosen, from 1 in the model's order, and how many there are."""
        return self._index + 1, len(self._all)

    @property
    def choice(self) -> int | None:
        """How many are smaller than the chosen one; None where that is the model's best."""
        return size_ranks(self._areas)[self._index] if self._index else None

    @property
    def others(self) -> list[QgsGeometry]:
        """All but the chosen one."""
        return [polygon for index, (polygon, _) in enumerate(self._all) if index != self._index]

    def as_now(self) -> Candidates:
        """For going on from here later."""
        return copy(self)

    def take(self, answer: SegmentResult | None, choice: int | None = None, *, is_whole: bool = False) -> None:
        """A new answer. choice: of the one that is wanted, where there is one like it; None for the model's best.

        Raises `ProtocolError` where a shape is no polygon: then nothing has changed.
        """
        found = []
        if answer is not None:
            pairs = ((answer.wkb_hex, answer.score), *answer.others)
            found = [(polygon_from_hex(wkb_hex), score) for wkb_hex, score in pairs]
        self.frame = polygon_from_hex(answer.frame) if answer is not None and answer.frame else None
        self._answer, self._all, self.is_whole, self.was_chosen = answer, found, is_whole, False
        self._index = chosen(self._areas, choice)

    def next(self) -> bool:
        """Choose the next one; returns whether there is another."""
        if len(self._all) < 2:
            return False
        self._index = (self._index + 1) % len(self._all)
        self.was_chosen = True
        return True

    @property
    def _areas(self) -> list[float]:
        return [polygon.area() for polygon, _ in self._all]
