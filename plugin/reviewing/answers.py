"""What waits in a review for the user's answer, and what was answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qgis.core import QgsGeometry, QgsVectorLayer

from ...contract.proposals import Proposal
from ..digitizing.acceptance import Looks
from ..digitizing.candidates import Candidates
from ..errors import ProposalSaved
from ..translation import tr


@dataclass(frozen=True)
class WaitingProposal:
    """What waits for the user's answer.

    polygon: in the imagery's CRS. looks: that it was asked with, None for those of the review. is_of_prompts: whether the
    proposal's prompts give its very shape again; else they are a rough outline. area_m2: on the ellipsoid, None without a CRS.
    compactness: 0 to 1, as `geo.measure` has it.
    """

    proposal: Proposal
    polygon: QgsGeometry
    likeness: float
    looks: Looks | None = None
    is_of_prompts: bool = True
    area_m2: float | None = None
    compactness: float = 1.0

    def as_drawn(self) -> Candidates | None:
        """The very shape, for as long as nothing is said of it; None where its prompts give it."""
        if self.is_of_prompts:
            return None
        shown = Candidates()
        shown.take(self.proposal.found)
        return shown


@dataclass(frozen=True)
class Answer:
    """What the user said, for taking it back. key: class and imagery. layer, feature_ids: what accepting it added, and
    where; undo_index: of the layer's undo stack then.
    """

    proposed: WaitingProposal
    is_accepted: bool
    key: tuple[Any, str]
    layer: QgsVectorLayer | None = None
    feature_ids: tuple[int, ...] = ()
    undo_index: int = -1

    def take_away(self) -> None:
        """What was accepted, in one undo command; raises `ProposalSaved` where it is not in the edit buffer any more."""
        layer = self.layer
        if layer is None:
            return
        added = layer.editBuffer().addedFeatures() if layer.editBuffer() is not None else {}
        if not set(self.feature_ids) <= set(added):
            raise ProposalSaved(layer=layer.name())
        if layer.undoStack().index() == self.undo_index:  # nothing was edited since: neighbours' borders come back, too
            layer.undoStack().undo()
            return
        layer.beginEditCommand(tr("Take back a proposal"))
        layer.deleteFeatures(list(self.feature_ids))
        layer.endEditCommand()
