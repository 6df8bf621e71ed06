"""What is proposed, looked through one by one: features like the accepted ones, each answer at once a lesson, or a layer's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from qgis.core import Qgis, QgsMapLayer, QgsPointXY, QgsProject, QgsRasterLayer, QgsRectangle
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ...contract.client import Replies
from ...contract.errors import NoExamples, RasterLassoError
from ...contract.prompts import Prompts
from ...contract.proposals import AnswersParams, Likeness, Proposal, SimilarParams
from ...contract.requests import Shape
from ..digitizing.acceptance import Acceptance, Looks
from ..digitizing.digitizer import Digitizer
from ..digitizing.draft import AsReopened, Draft, steps_of
from ..digitizing.telling import told
from ..errors import DraftUnderWay, NothingToReview, OtherImagery, SearchUnderWay
from ..geo.transforms import transform_between, transformed_box
from ..geo.wkb import polygon_from_hex, to_hex
from ..runtime.engine_process import EngineProcess
from ..target.provenance import source_of
from ..translation import error_text, tr
from .answers import Answer, WaitingProposal
from .counter_examples import CounterExamples
from .examples import examples_of, is_known
from .from_layer import MOST, checked, proposals_of
from .shown import LEAST_LIKENESS, Shown, measured

SEARCH, ANSWERS = "similar", "answers"
"""Channels."""

UNSURE = 0.5
"""Likeness of what an answer tells most about (uncertainty sampling: Lewis and Gale, SIGIR 1994)."""


class Review(QObject):
    """One at a time. `changed` tells that what waits, or which is looked at, is another; `progressed` (0 to 1) and `ended` how
    far the search is; `message` (text, level) is for the user.
    """

    changed = pyqtSignal()
    progressed = pyqtSignal(float)
    ended = pyqtSignal()
    message = pyqtSignal(str, object)

    def __init__(self, canvas: QgsMapCanvas, digitizer: Digitizer, engine: EngineProcess, project: QgsProject) -> None:
        super().__init__()
        self._canvas = canvas
        self._digitizer = digitizer
        self._engine = engine
        self._project = project
        self.imagery: QgsRasterLayer | None = None
        """What is searched; None before the first search."""

        self.counter_examples = CounterExamples(canvas, digitizer, engine)
        self.shown = Shown()
        self.asks_unsure = False
        """Whether what an answer tells most about is looked at next, rather than the likeliest."""

        self.is_searching = False
        self.learns = False
        """Whether answers rank the rest anew; what is another layer's keeps its order."""

        self.taken_up: WaitingProposal | None = None
        """What is being corrected."""

        self._looks = Looks()
        self._all: dict[int, WaitingProposal] = {}
        self._current: int | None = None
        self._answers: list[Answer] = []
        self.counter_examples.message.connect(self.message)
        project.layersWillBeRemoved.connect(self._forget_layers)

    @property
    def waiting(self) -> list[WaitingProposal]:
        """What is shown of it, the likeliest first."""
        return sorted(filter(self.shown.holds, self._all.values()), key=lambda each: -each.likeness)

    @property
    def classes(self) -> list[str]:
        """Names of those that proposals have."""
        return sorted({each.proposal.class_name for each in self._all.values()} - {""})

    @property
    def current(self) -> WaitingProposal | None:
        """The one that is looked at."""
        return None if self._current is None else self._all.get(self._current)

    @property
    def counts(self) -> tuple[int, int]:
        """How many were accepted, and rejected."""
        accepted = sum(answer.is_accepted for answer in self._answers)
        return accepted, len(self._answers) - accepted

    @property
    def can_undo(self) -> bool:
        """Whether there is an answer to take back."""
        return bool(self._answers)

    @property
    def _acceptance(self) -> Acceptance:
        return self._digitizer.acceptance

    @told
    def begin(self) -> None:
        """Search the view for features like those of the class."""
        imagery, view = self._checked_view()
        lens, layer = self._digitizer.lens, self._digitizer.target.layer
        if view.isEmpty() or layer is None:
            raise NoExamples()
        to_imagery = transform_between(layer.crs(), imagery.crs(), self._project.transformContext())
        examples = examples_of(layer, self._acceptance.class_name, view, to_imagery)
        if not examples:
            raise NoExamples()
        usual = lens.segment(Prompts(), lens.level_at(lens.middle()))
        shapes = tuple(Shape(number, to_hex(each)) for number, each in enumerate(examples))
        rejected = self.counter_examples.of(self._acceptance.preference_key)
        others = tuple(Shape(number, wkb_hex) for number, wkb_hex in enumerate(rejected))
        area = (view.xMinimum(), view.yMinimum(), view.xMaximum(), view.yMaximum())
        params = SimilarParams(usual.image, shapes, others, area, usual.model, usual.stretch, usual.finish)
        self._begin_anew(imagery)
        self._looks = Looks(usual.finish, usual.stretch)
        self.shown = Shown(self.shown.least_likeness if self.learns else LEAST_LIKENESS)
        self.is_searching = self.learns = True
        self.progressed.emit(0.0)
        self.changed.emit()
        replies = Replies(self._on_end, self._on_failure, self._on_progress, self._end, item=self._on_proposal)
        self._engine.request("find_similar", params.to_wire(), replies, SEARCH)

    @told
    def begin_with(self, layer: QgsMapLayer | None) -> None:
        """Look through what is selected in a polygon layer, or else in view: nothing of it is changed."""
        imagery, view = self._checked_view()
        source = checked(layer, self._digitizer.target.layer)
        to_imagery = transform_between(source.crs(), imagery.crs(), self._project.transformContext())
        proposed = list(proposals_of(source, view, to_imagery, source_of(imagery)))
        new = [each for each in proposed if not self._is_known(each, imagery)]
        if not new:
            raise NothingToReview()
        self._begin_anew(imagery)
        self._looks = Looks(self._digitizer.lens.finish, self._digitizer.lens.stretch)
        self.learns, self.shown = False, Shown(0.0)
        self._all = {each.proposal.id: measured(each, imagery.crs(), self._project) for each in new}
        self._look_at_best()
        self.changed.emit()
        text = tr("{count} features, the surest first. Y accepts one, N rejects it.").format(count=len(new))
        if len(proposed) == MOST:
            text = tr("The surest {count} features. Y accepts one, N rejects it.").format(count=len(new))
        self.message.emit(text, Qgis.MessageLevel.Success)

    def _checked_view(self) -> tuple[QgsRasterLayer, QgsRectangle]:
        """The imagery, and the view in its CRS; raises what says that nothing new can be looked through now."""
        if self.is_searching:
            raise SearchUnderWay()
        if not self._digitizer.draft.is_empty:
            raise DraftUnderWay()
        imagery = self._digitizer.lens.checked()
        view = transformed_box(self._canvas.extent(), self._digitizer.lens.to_imagery())
        return imagery, view.intersect(imagery.extent())

    def cancel(self) -> None:
        """Search no further; what was proposed stays."""
        if self.is_searching:
            self._engine.cancel_channel(SEARCH)
            self._end()

    def close(self) -> None:
        """End the review: what nobody answered is forgotten."""
        self.cancel()
        self._begin_anew(None)
        self.changed.emit()

    def show(self, shown: Shown) -> None:
        """Show others of what waits."""
        self.shown = shown
        if self.current is None or not shown.holds(self.current):
            self._look_at_best()
        self.changed.emit()

    def ask_unsure(self, is_on: bool) -> None:
        """Look at what an answer tells most about from now on, or at the likeliest."""
        self.asks_unsure = is_on
        self._look_at_best()
        self.changed.emit()

    def choose(self, number: int) -> None:
        """Look at one of those that wait."""
        if number in self._all:
            self._current = number
            self.changed.emit()

    def choose_at(self, place: QgsPointXY) -> bool:
        """Look at the likeliest one at a place in map coordinates; returns whether there is one."""
        if self._digitizer.imagery is not self.imagery:
            return False
        try:
            [there] = self._digitizer.lens.in_imagery([place])
        except RasterLassoError:  # off the imagery there is nothing to look at
            return False
        for each in self.waiting:
            if each.polygon.contains(there):
                self.choose(each.proposal.id)
                return True
        return False

    def step(self, count: int) -> None:
        """Look at the next one, or with -1 at the one before."""
        numbers = [each.proposal.id for each in self.waiting]
        if numbers:
            at = numbers.index(self._current) if self._current in numbers else -1
            self.choose(numbers[(at + count) % len(numbers)])

    @told
    def accept(self) -> None:
        """Put the one that is looked at into the target layer."""
        if self.current is not None:
            self._accept([self.current])

    @told
    def accept_all(self) -> None:
        """Put all that are shown into the target layer."""
        self._accept(self.waiting)

    @told
    def reject(self) -> None:
        """It is none of them; the next search knows it, too."""
        self._check_imagery()
        rejected = self.current
        if rejected is None:
            return
        del self._all[rejected.proposal.id]
        key = self._acceptance.preference_key
        self._answers.append(Answer(rejected, False, key))
        if self.learns:
            self.counter_examples.add(key, rejected.proposal.found.wkb_hex)
        self._after_answer()

    @told
    def fix(self) -> None:
        """Take the one that is looked at up as the object under way (`taken_up`), to correct and accept it."""
        taken, lens = self.current, self._digitizer.lens
        if taken is None:
            return
        self._check_imagery()
        if not self._digitizer.draft.is_empty:
            raise DraftUnderWay()
        del self._all[taken.proposal.id]
        self.taken_up = taken
        self._look_at_best()
        steps, looks = steps_of(taken.proposal.prompts), taken.looks or self._looks
        finish = looks.finish if taken.is_of_prompts else None
        was = AsReopened(steps, taken.as_drawn(), taken.proposal.choice, finish, lens.finish)
        level = taken.proposal.found.level - lens.size if taken.is_of_prompts else lens.level_at(lens.middle())
        self._digitizer.resume(Draft(steps, None, was), level)
        self.changed.emit()

    def fixed(self) -> None:
        """What was taken up is accepted."""
        self.taken_up = None

    def put_back(self) -> None:
        """What was taken up was given up: it waits again."""
        taken, self.taken_up = self.taken_up, None
        if taken is not None and self.imagery is not None:
            self._all[taken.proposal.id] = taken
            self.choose(taken.proposal.id)

    @told
    def undo(self) -> None:
        """Take the newest answer back, and the feature that it made, as long as that is not saved."""
        if not self._answers:
            return
        answer = self._answers[-1]
        if answer.layer is not None:
            answer.take_away()
        else:
            self.counter_examples.take_back(answer.key, answer.proposed.proposal.found.wkb_hex)
        self._answers.pop()
        self._all[answer.proposed.proposal.id] = answer.proposed
        self._current = answer.proposed.proposal.id
        self._tell_engine()
        self.changed.emit()

    def tell(self, error: RasterLassoError) -> None:
        """What went wrong, to the user, in the map's terms."""
        text = error_text(self._digitizer.lens.in_terms_of_the_map(error))
        self.message.emit(text, Qgis.MessageLevel.Warning)

    def detach(self) -> None:
        """Let project and engine go."""
        self.close()
        self._project.layersWillBeRemoved.disconnect(self._forget_layers)

    def _accept(self, taken: Sequence[WaitingProposal]) -> None:
        """Raises as `Acceptance.accept_answer`: then that one and those after it wait on."""
        self._check_imagery()
        try:
            for each in taken:
                proposal, key = each.proposal, self._acceptance.preference_key
                prompts, looks = proposal.prompts if each.is_of_prompts else None, each.looks or self._looks
                name = proposal.class_name
                layer, features = self._acceptance.accept_answer(proposal.found, prompts, proposal.choice, looks, name)
                del self._all[proposal.id]
                ids = [feature.id() for feature in features]
                self._answers.append(Answer(each, True, key, layer, tuple(ids), layer.undoStack().index()))
                self._digitizer.accepted.emit(layer, ids)
        finally:
            self._after_answer()

    def _check_imagery(self) -> None:
        """Where it was found is where it goes: raises `OtherImagery`."""
        if self.imagery is not None and self._digitizer.imagery is not self.imagery:
            raise OtherImagery(imagery=self.imagery.name())

    def _after_answer(self) -> None:
        self._look_at_best()
        self._tell_engine()
        self.changed.emit()

    def _look_at_best(self) -> None:
        waiting = self.waiting
        if self.asks_unsure and self.learns:
            waiting.sort(key=lambda each: abs(each.likeness - UNSURE))
        self._current = waiting[0].proposal.id if waiting else None

    def _tell_engine(self) -> None:
        """All that was answered so far; a newer request takes the place of one that waits."""
        if not self.learns:
            return
        accepted = tuple(each.proposed.proposal.id for each in self._answers if each.is_accepted)
        rejected = tuple(each.proposed.proposal.id for each in self._answers if not each.is_accepted)
        replies = Replies(self._on_ranked, self.tell, item=self._on_likeness)
        self._engine.request("answer_similar", AnswersParams(accepted, rejected).to_wire(), replies, ANSWERS)

    def _on_likeness(self, value: Mapping[str, Any]) -> None:
        ranked = Likeness.from_wire(value)
        if ranked.id in self._all:
            self._all[ranked.id] = replace(self._all[ranked.id], likeness=ranked.likeness)

    def _on_ranked(self, value: Mapping[str, Any]) -> None:
        if self.current is None:  # else Y would accept another one than is looked at
            self._look_at_best()
        self.changed.emit()

    def _on_progress(self, progress: Any) -> None:
        self.progressed.emit(progress.fraction)

    def _on_proposal(self, value: Mapping[str, Any]) -> None:
        proposal = Proposal.from_wire(value)
        found = WaitingProposal(proposal, polygon_from_hex(proposal.found.wkb_hex), proposal.likeness)
        if self.imagery is not None and not self._is_known(found, self.imagery):
            self._all[proposal.id] = measured(found, self.imagery.crs(), self._project)

    def _is_known(self, proposed: WaitingProposal, imagery: QgsRasterLayer) -> bool:
        """Whether it lies on a feature of the target, or where it can't be placed and so nobody could accept it."""
        target = self._digitizer.target.layer
        if target is None:
            return False
        try:
            to_target = transform_between(imagery.crs(), target.crs(), self._project.transformContext())
            return is_known(proposed.polygon, target, to_target)
        except RasterLassoError:
            return True

    def _on_end(self, value: Mapping[str, Any]) -> None:
        self._end()
        if self.waiting:
            text = tr("{count} proposals, the likeliest first. Y accepts one, N rejects it.").format(count=len(self.waiting))
            self.message.emit(text, Qgis.MessageLevel.Success)
        else:
            text = tr("Nothing like it was found in view. Move the map, or accept another example.")
            self.message.emit(text, Qgis.MessageLevel.Warning)

    def _on_failure(self, error: RasterLassoError) -> None:
        self._end()
        self.tell(error)

    def _end(self) -> None:
        self.is_searching = False
        self.ended.emit()
        if self.current is None:
            self._look_at_best()
        self.changed.emit()

    def _begin_anew(self, imagery: QgsRasterLayer | None) -> None:
        self.imagery, self._current, self.taken_up = imagery, None, None
        self._all.clear()
        self._answers.clear()

    def _forget_layers(self, layer_ids: list[str]) -> None:
        if self.imagery is not None and self.imagery.id() in layer_ids:
            self.close()
        self._answers = [each for each in self._answers if each.layer is None or each.layer.id() not in layer_ids]
