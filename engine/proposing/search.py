"""The search for objects like some that are known, and what was answered to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import shapely
from shapely import MultiPolygon, Polygon

from .distinct import distinct
from .proposals import Found
from .ranking import Ranking

SAME_IOU = 0.5
"""A proposal is the example that it overlaps so much."""

OTHER_IOU = 0.3
"""One that overlaps an example less is a part of it, or reaches beyond it: a mistake."""

KNOWN_SHARE = 0.3
"""What lies on examples with more of its area was digitized already."""


@dataclass
class Search:
    """found: all proposals, by their numbers. yes, no: numbers of those that examples and counter-examples confirm and refuse;
    taken: of those that lie on them. accepted, rejected: of those that the user answered.
    """

    found: Sequence[Found]
    ranking: Ranking
    yes: set[int] = field(default_factory=set)
    no: set[int] = field(default_factory=set)
    taken: set[int] = field(default_factory=set)
    accepted: set[int] = field(default_factory=set)
    rejected: set[int] = field(default_factory=set)

    @staticmethod
    def of(
        found: Sequence[Found], examples_px: Sequence[Polygon | MultiPolygon], others_px: Iterable[Polygon | MultiPolygon]
    ) -> Search:
        """Of proposals, and the polygons (native pixels) of what is meant, at least one, and of what is not."""
        search = Search(found, Ranking(found, np.asarray(shapely.area(examples_px))))
        if found:
            search._compare(examples_px, search.yes, search.no)
            search._compare(list(others_px), search.no, None)
        return search

    def _compare(self, known_px: Sequence[Polygon | MultiPolygon], same: set[int], other: set[int] | None) -> None:
        """Sort proposals by how they overlap known polygons."""
        polygons = np.array([each.polygon_px for each in self.found], dtype=object)
        tree, areas = shapely.STRtree(polygons), shapely.area(polygons)
        for known in known_px:
            near = tree.query(known, "intersects")
            shared = shapely.area(shapely.intersection(polygons[near], known))
            iou = shared / (areas[near] + known.area - shared)
            same |= set(near[iou >= SAME_IOU].tolist())
            self.taken |= set(near[shared > KNOWN_SHARE * areas[near]].tolist())
            if other is not None:
                other |= set(near[(iou < OTHER_IOU) & (shared > KNOWN_SHARE * areas[near])].tolist())

    def answer(self, accepted: Iterable[int], rejected: Iterable[int]) -> None:
        """What the user says of proposals, all of it; numbers that are none are left aside."""
        known = range(len(self.found))
        self.accepted, self.rejected = ({number for number in numbers if number in known} for numbers in (accepted, rejected))

    @property
    def likeness(self) -> npt.NDArray[np.float64]:
        """(n,) of all proposals, 0 to 1."""
        no = (self.no | self.rejected) - self.accepted
        return self.ranking.likeness((self.yes | self.accepted) - no, no)

    def left(self) -> list[tuple[int, float]]:
        """(number, likeness) of all that is neither known nor answered, the likeliest first."""
        answered = self.taken | self.accepted | self.rejected
        likeness = self.likeness
        numbers = [number for number in range(len(self.found)) if number not in answered]
        return sorted(((number, float(likeness[number])) for number in numbers), key=lambda each: -each[1])

    def best(self, most: int) -> list[tuple[int, float]]:
        """The same, one for each object, and so many at most."""
        left = self.left()
        found = [self.found[number] for number, _ in left]
        kept = distinct(found, np.array([likeness for _, likeness in left])) if left else []
        return [left[index] for index in kept[:most]]
