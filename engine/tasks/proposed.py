"""A proposal as tasks give it: to the command line as it is, on the pipe as a `Proposal`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...contract.looks import Finish
from ...contract.prompts import Prompts
from ...contract.proposals import Proposal
from ..proposing.proposals import Found
from ..rasters.ground import area_m2
from ..segmenting.answer import PolygonCandidate, Segmentation, answer_of
from ..segmenting.placement import place
from ..segmenting.query import Query
from .segment_objects import result_of


@dataclass(frozen=True)
class Proposed:
    """As `Proposal` has it."""

    id: int
    found: Segmentation
    prompts: Prompts
    choice: int | None
    likeness: float
    area_m2: float | None
    class_name: str = ""

    def to_wire(self) -> dict[str, object]:
        """As `Proposal` is on the pipe."""
        found, name = result_of(self.found), self.class_name
        return Proposal(self.id, found, self.prompts, self.choice, self.likeness, self.area_m2, name).to_wire()


def proposed(query: Query, number: int, found: Found, likeness: float, finish: Finish) -> Proposed:
    """A proposal, its outline drawn as the finish says."""
    clicked = replace(query, placed=place(query.scene.source, found.prompts))
    window = query.scene.source.grid.window(found.tile)
    drawn = answer_of(clicked, finish, window, [PolygonCandidate(found.polygon, found.score)], found.tile.level)
    area = area_m2(drawn.polygon, drawn.crs_wkt)
    return Proposed(number, drawn, found.prompts, found.choice, likeness, area, found.class_name)
