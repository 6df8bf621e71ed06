"""Which of the proposals are shown."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from qgis.core import QgsCoordinateReferenceSystem, QgsProject

from ..geo.measure import area_m2, compactness
from .answers import WaitingProposal

LEAST_LIKENESS = 0.2
"""At first: below it hardly one is right."""


@dataclass(frozen=True)
class Shown:
    """likeness, compactness: 0 to 1. class_name: None for all classes."""

    least_likeness: float = LEAST_LIKENESS
    least_area_m2: float = 0.0
    most_area_m2: float = math.inf
    least_compactness: float = 0.0
    class_name: str | None = None

    def holds(self, each: WaitingProposal) -> bool:
        """Whether a proposal is one of them; one without an area is of any."""
        return (
            each.likeness >= self.least_likeness
            and (each.area_m2 is None or self.least_area_m2 <= each.area_m2 <= self.most_area_m2)
            and each.compactness >= self.least_compactness
            and self.class_name in (None, each.proposal.class_name)
        )


def measured(each: WaitingProposal, crs: QgsCoordinateReferenceSystem, project: QgsProject) -> WaitingProposal:
    """With its size and shape on the ground."""
    return replace(each, area_m2=area_m2(each.polygon, crs, project), compactness=compactness(each.polygon, crs, project))
