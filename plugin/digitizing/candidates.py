"""The model's alternative answers to a draft, and the one that is chosen."""

from __future__ import annotations

from copy import copy

from qgis.core import QgsGeometry

from ...contract.requests import SegmentResult
from ..geo.wkb import from_hex


class Candidates:
    """Part, whole or group, as the model ranks them; of the size that was accepted last for a class the next one is chosen."""

    def __init__(self) -> None:
        self._answer: SegmentResult | None = None
        self._all: list[tuple[QgsGeometry, float]] = []
        self._choice = 0
        self._preferred_rank: dict[str, int] = {}
        self.is_whole = False
        """Whether they are all that was found to the newest question."""

    @property
    def answer(self) -> SegmentResult | None:
        """The engine's answer that they are of."""
        return self._answer

    @property
    def polygon(self) -> QgsGeometry | None:
        """The chosen one."""
        return self._all[self._choice][0] if self._all else None

    @property
    def is_best(self) -> bool:
        """Whether the chosen one is the model's best."""
        return self._choice == 0

    @property
    def score(self) -> float:
        """Predicted IoU of the chosen one."""
        return self._all[self._choice][1] if self._all else 0.0

    @property
    def others(self) -> list[QgsGeometry]:
        """All but the chosen one."""
        return [polygon for index, (polygon, _) in enumerate(self._all) if index != self._choice]

    def as_now(self) -> Candidates:
        """For going on from here later; what is preferred is common to both."""
        return copy(self)

    def take(self, answer: SegmentResult | None, class_name: str | None = None, *, is_whole: bool = False) -> None:
        """A new answer. class_name: of a new object, whose preferred size is chosen; None for the model's best."""
        self._answer, self.is_whole = answer, is_whole
        self._all = [] if answer is None else [(from_hex(answer.wkb_hex), answer.score)]
        if answer is not None:
            self._all += [(from_hex(wkb_hex), score) for wkb_hex, score in answer.others]
        rank = None if class_name is None else self._preferred_rank.get(class_name)
        ranks = self._ranks()
        self._choice = ranks.index(rank) if rank is not None and len(ranks) > 1 and rank in ranks else 0

    def next(self) -> bool:
        """Choose the next one; returns whether there is another."""
        if len(self._all) < 2:
            return False
        self._choice = (self._choice + 1) % len(self._all)
        return True

    def remember(self, class_name: str) -> None:
        """The chosen one was accepted for a class; where there was no choice that tells nothing."""
        if len(self._all) > 1:
            self._preferred_rank[class_name] = self._ranks()[self._choice]

    def _ranks(self) -> list[int]:
        """How many candidates are smaller than each."""
        areas = [polygon.area() for polygon, _ in self._all]
        return [sum(other < area for other in areas) for area in areas]
