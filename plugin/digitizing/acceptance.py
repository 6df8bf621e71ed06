"""From what is found to features of the target layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qgis.core import QgsFeature, QgsGeometry, QgsPointXY, QgsRasterLayer, QgsVectorLayer

from ...contract.client import Replies
from ...contract.errors import RasterLassoError
from ...contract.looks import PRESETS, Finish, Stretch
from ...contract.prompts import Prompts
from ...contract.recipe import Recipe
from ...contract.requests import SegmentResult
from ..errors import LineDoesNotCross, NothingToAccept
from ..geo.crs import crs_code
from ..geo.wkb import polygon_from_hex, to_hex
from ..imagery.lens import Lens
from ..runtime.engine_process import EngineProcess, EngineState
from ..target.placing import Placing
from ..target.provenance import attributes, source_of
from ..target.target import Target
from .candidates import Candidates
from .draft import Combining, Draft, Kept
from .pace import Paces
from .preferred_sizes import PreferredSizes
from .strokes import split

SHARED_PX = 3.0
"""Borders are shared with neighbours this near, in pixels of the view's level."""


CROSSING_PX = 6.0
"""An outline that follows the end of the data for no longer only meets it, in pixels of the level."""


@dataclass(frozen=True)
class Looks:
    """How imagery was seen and the outline drawn. stretch: None for the engine's own."""

    finish: Finish = PRESETS["raw"]
    stretch: Stretch | None = None


class Acceptance:
    """Puts objects into the target layer, counts them, and lets the model learn from them.

    class_name: of the next ones, as the target layer stores it. share_borders: whether they take borders over from neighbours.
    """

    def __init__(
        self, lens: Lens, target: Target, engine: EngineProcess, on_failure: Callable[[RasterLassoError], None]
    ) -> None:
        """on_failure: told why the model could not learn, or forget."""
        self._lens = lens
        self._target = target
        self._engine = engine
        self._on_failure = on_failure
        self.paces = Paces()
        self.preferred = PreferredSizes()
        self.class_name: Any = ""
        self.share_borders = False

    @property
    def preference_key(self) -> tuple[Any, str]:
        """Class and imagery of the next object."""
        imagery = self._lens.imagery
        return self.class_name, "" if imagery is None else imagery.id()

    @property
    def preferred_choice(self) -> int | None:
        """Of a first click, as `Candidates.take` has it: what the user chose by hand for this class on this imagery."""
        return self.preferred.of(self.preference_key)

    def set_learning(self, learns: bool) -> None:
        """Let the model learn from the objects accepted from now on, or forget what it has learnt."""
        if not learns and self._lens.learns and self._engine.state is EngineState.READY:
            self._engine.request("forget", {}, Replies(result=lambda value: None, failure=self._on_failure))
        self._lens.set_learns(learns)

    def accept(self, draft: Draft, candidates: Candidates) -> tuple[QgsVectorLayer, list[QgsFeature]]:
        """Make features of a draft and the answers to it; the layer that they are in, and they.

        Raises `NothingToAccept`, and as `Target.put`: then nothing has changed.
        """
        kept, imagery = kept_of(draft, candidates), self._lens.imagery
        if kept is None or imagery is None:
            raise NothingToAccept()
        is_one = draft.kept is None
        is_unchanged = draft.unchanged is not None
        is_answer = candidates.is_whole and not is_unchanged
        gives_it_again = is_answer or (draft.says_as_reopened and draft.is_of_recipe)
        recipe = self._recipe(draft, candidates) if is_one and gives_it_again else None
        known = attributes(kept.answer, kept.score, recipe, source_of(imagery), self.class_name)
        placing = self._placing(draft, kept.answer, imagery)
        layer, features = self._target.put(kept.pieces, self._lens.crs, known, placing)
        if is_unchanged:  # nothing was digitized
            return layer, features
        if is_one:
            self.preferred.note(self.preference_key, candidates)
        if placing.replaces is None:
            self.paces.count(layer, features[0].id())
        if self._lens.learns and is_one:
            self._learn(kept.answer, kept.pieces[0])
        return layer, features

    def accept_answer(
        self,
        answer: SegmentResult,
        prompts: Prompts | None,
        choice: int | None = None,
        looks: Looks | None = None,
        class_name: str = "",
    ) -> tuple[QgsVectorLayer, list[QgsFeature]]:
        """Make a feature of the engine's answer to prompts in the imagery's CRS; raises as `accept`, and `ProtocolError`.

        prompts: None where none give it again. choice: as `Recipe` has it. looks: that it was asked with, None for now's.
        class_name: where the user has chosen none.
        """
        imagery, crs = self._lens.imagery, self._lens.crs
        if imagery is None:
            raise NothingToAccept()
        asked = looks or Looks(self._lens.finish, self._lens.stretch)
        recipe = None
        if prompts is not None:
            recipe = Recipe(prompts, crs_code(crs) or None, asked.finish, asked.stretch, choice, answer.view_level)
        name = class_name if self.class_name in (None, "") else self.class_name
        known = attributes(answer, answer.score, recipe, source_of(imagery), name)
        shape = polygon_from_hex(answer.wkb_hex)
        return self._target.put((shape,), crs, known, self._placing(Draft(), answer, imagery))

    def _placing(self, draft: Draft, answer: SegmentResult, imagery: QgsRasterLayer) -> Placing:
        coarser = 0 if answer.view_level is None else answer.view_level - answer.level
        shared = SHARED_PX * (answer.gsd_m or self._lens.pixel) * 2.0**coarser if self.share_borders else None
        layer_id, feature_id = draft.reopened or ("", None)
        is_same = self._target.layer is not None and self._target.layer.id() == layer_id
        replaces = feature_id if is_same else None
        crossing = CROSSING_PX * self._lens.pixel * 2.0**answer.level
        return Placing(
            share_within_m=shared,
            data_end=data_end_of(draft, answer),
            crossing=crossing,
            replaces=replaces,
            attribution=imagery.attribution(),
            is_unchanged=draft.unchanged is not None,
            new_layer=f"{imagery.name()} {self.class_name}".strip(),
        )

    def _recipe(self, draft: Draft, candidates: Candidates) -> Recipe:
        """What gives the object again."""
        finish, crs = draft.finish(self._lens.finish), crs_code(self._lens.crs) or None
        choice = candidates.choice if candidates.is_whole else draft.choice
        answer = candidates.answer
        view_level = None if answer is None else answer.view_level
        return Recipe(draft.prompts, crs, finish, self._lens.stretch, choice, view_level, draft.edits)

    def _learn(self, answer: SegmentResult, accepted: QgsGeometry) -> None:
        params = self._lens.learn(answer, to_hex(accepted))
        self._engine.request("learn", params.to_wire(), Replies(result=lambda value: None, failure=self._on_failure))


def data_end_of(draft: Draft, answer: SegmentResult) -> QgsGeometry | None:
    """Where data end beside what an answer, and those that were kept before, found; None where they nowhere do."""
    answers: list[SegmentResult] = [answer]
    each: Draft | None = draft
    while each is not None:
        if each.kept is not None:
            answers.append(each.kept.answer)
        each = each.before
    strips = [polygon_from_hex(each.data_end) for each in answers if each.data_end]
    return QgsGeometry.unaryUnion(strips) if strips else None


def kept_of(draft: Draft, candidates: Candidates) -> Kept | None:
    """The pieces of a draft with the newest answer that they are made of; None where there are none."""
    pieces = draft.pieces(candidates.polygon)
    if not pieces:
        return None
    shown = candidates.as_now()
    if candidates.answer is not None:
        return Kept(pieces, candidates.answer, candidates.score, shown)
    former = draft.kept
    return None if former is None else Kept(pieces, former.answer, former.score, shown)


def split_draft(draft: Draft, candidates: Candidates, line: Sequence[QgsPointXY]) -> Draft:
    """A draft whose pieces a line (in its CRS) cuts in two; raises `NothingToAccept`, `LineDoesNotCross`."""
    kept = kept_of(draft, candidates)
    if kept is None:
        raise NothingToAccept()
    pieces = tuple(split(kept.pieces, line))
    if len(pieces) == len(kept.pieces):
        raise LineDoesNotCross()
    return draft.keeping(replace(kept, pieces=pieces), Combining.ADD)
