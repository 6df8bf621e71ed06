"""The hand between tool, draft, engine and layer, with a method for each thing that a user can do.

What these need beside each other is in modules of its own.
"""

from __future__ import annotations

from dataclasses import replace

from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsGeometry,
    QgsPointXY,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ...contract.errors import PromptError, RasterLassoError, RasterNotOpened
from ...contract.protocol import Progress
from ...contract.requests import SegmentResult
from ..errors import DraftUnderWay, NothingToAccept, NothingToChange, NothingToCorrect
from ..geo.transforms import transform_between
from ..imagery.lens import Lens, levels_between
from ..runtime.engine_process import EngineProcess
from ..target.target import Target
from ..translation import error_text, tr
from .acceptance import Acceptance, kept_of, split_draft
from .by_hand import Change, edit_by
from .candidates import Candidates
from .draft import Combining, Draft, Step, joined
from .gestures import Gesture, boxed, clicked, drawn
from .inquiry import Inquiry
from .pending import PendingAcceptance
from .reopening import reopened
from .state import DraftState
from .telling import told
from .undone import Undone


class Digitizer(QObject):
    """One draft at a time, on one imagery layer, into one target layer.

    `draft_changed` tells that the prompts or what is done with them are new, `answered` that another polygon is shown,
    `progressed` that the engine is further or has a larger part; `message` (text, level) is for the user; `accepted` (layer,
    feature ids) tells that features were put into the target. lens: how the imagery is looked at; acceptance: what is put into
    the target, and how.
    """

    draft_changed = pyqtSignal()
    answered = pyqtSignal()
    progressed = pyqtSignal()
    message = pyqtSignal(str, object)
    accepted = pyqtSignal(object, list)

    def __init__(self, canvas: QgsMapCanvas, engine: EngineProcess, project: QgsProject, model: str) -> None:
        super().__init__()
        self._canvas = canvas
        self._engine = engine
        self._project = project
        self.lens = Lens(canvas, project, model)
        self.target = Target(canvas, project)
        self._inquiry = Inquiry(engine)
        self.acceptance = Acceptance(self.lens, self.target, engine, self.tell)
        self._draft = Draft()
        self.view_level = 0
        """Level of the map when the draft was begun."""
        self._is_splitting = False
        self._pending = PendingAcceptance()
        self._undone = Undone()
        self._unanswered = 0  # newest steps that no answer was given to yet: one of them may be what can't be used
        self.auto_accept = False
        self.lens.changed.connect(self.ask_again)
        self._inquiry.changed.connect(self.progressed)
        self._inquiry.answered.connect(self._on_answer)
        self._inquiry.failed.connect(self._on_failure)
        engine.restarted.connect(self._on_restarted)
        project.layersWillBeRemoved.connect(self._forget_layers)

    @property
    def draft(self) -> Draft:
        """The object under way, in the imagery's CRS."""
        return self._draft

    @property
    def candidates(self) -> Candidates:
        """The model's answers to the draft."""
        return self._inquiry.candidates

    @property
    def pieces(self) -> tuple[QgsGeometry, ...]:
        """What accepting makes features of, in the imagery's CRS: the chosen candidate, and what was kept before."""
        return self._draft.pieces(self.candidates.polygon)

    @property
    def polygon(self) -> QgsGeometry | None:
        """All pieces as one geometry."""
        return joined(self.pieces)

    @property
    def answer(self) -> SegmentResult | None:
        """The engine's answer to the draft, None before the first."""
        return self.candidates.answer

    @property
    def progress(self) -> Progress | None:
        """How far the request under way is; None when none is."""
        return self._inquiry.progress

    @property
    def stage_seconds(self) -> float:
        """For how long it is there."""
        return self._inquiry.stage_seconds

    @property
    def state(self) -> DraftState:
        """What the draft waits for."""
        if self._is_splitting:
            return DraftState.SPLITTING
        if self.progress is None:
            return DraftState.EMPTY if self._draft.is_empty else DraftState.ANSWERED
        if self._pending.is_on:
            return DraftState.WAITING_TO_ACCEPT
        return DraftState.GROWING if self._inquiry.is_growing else DraftState.ASKING

    @property
    def crs(self) -> QgsCoordinateReferenceSystem:
        """CRS of draft and polygon."""
        return self.lens.crs

    @property
    def imagery(self) -> QgsRasterLayer | None:
        """The layer that is clicked on."""
        return self.lens.imagery

    def set_imagery(self, layer: QgsRasterLayer | None) -> None:
        """Click on another layer; the draft's prompts go along."""
        if layer is self.lens.imagery:
            return
        former, pixel = self.crs, self.lens.ground_pixel
        draft, self.lens.imagery = Draft(), layer
        self.candidates.take(None)  # of the other imagery, in its CRS
        if layer is not None and not self._draft.is_empty:
            try:
                draft = self._draft.transformed(transform_between(former, layer.crs(), self._project.transformContext()))
            except RasterLassoError as error:
                self.tell(error)
            else:
                self.view_level += levels_between(pixel, self.lens.ground_pixel)
        self._replace_draft(draft)

    def set_target(self, layer: QgsVectorLayer | None) -> None:
        """Accept into another layer; None for a new scratch layer at the next acceptance."""
        if self._draft.reopened is not None and layer is not self.target.layer:
            self.clear()
        took_lines, self.target.layer = self.target.takes_lines, layer
        if self.target.takes_lines != took_lines and not self._draft.is_empty:
            self.ask_again()

    def ask_again(self) -> None:
        """Ask for the draft as it is, of another model or once the engine is mended."""
        self._draft, self._is_splitting = self._draft.without_shown(), False
        self._ask()
        if self.progress is None:
            self._pending.end()
        self.draft_changed.emit()

    @told
    def click(self, place: QgsPointXY, foreground: bool) -> None:
        """A click in map coordinates."""
        if not foreground and self._draft.is_empty:
            raise NothingToCorrect()
        if self.auto_accept and foreground and self._is_elsewhere(place):
            self.accept()
            if not self._draft.is_empty:
                return
        self._extend(clicked(place, foreground))

    def box(self, rectangle: QgsRectangle) -> None:
        """A box in map coordinates."""
        self._extend(boxed(rectangle))

    def draw(self, stroke: list[QgsPointXY], foreground: bool = True) -> None:
        """A line in map coordinates: it cuts the polygon where that was asked for, else tells roughly what is meant.

        Around the object it is its rough outline, across it (or across what is background) it stands for clicks along it.
        """
        if self._is_splitting:
            self._split(stroke)
        else:
            self._extend(drawn(stroke, foreground, self._canvas.mapUnitsPerPixel()))

    @told
    def reopen(self, place: QgsPointXY) -> None:
        """Take up the accepted polygon at a place in map coordinates again: accepting replaces its shape."""
        if self.pieces or self.progress is not None:
            raise DraftUnderWay()
        draft, self.view_level = reopened(place, self.lens, self.target, self._project.transformContext())
        self._replace_draft(draft, draft.unchanged)

    def resume(self, draft: Draft, view_level: int) -> None:
        """Go on with a draft in the imagery's CRS that was begun elsewhere."""
        self.view_level = view_level
        self._replace_draft(draft, draft.unchanged)

    @told
    def combine_next(self, combining: Combining) -> None:
        """Keep what is found; what is found next is added to it or subtracted from it."""
        kept = kept_of(self._draft, self.candidates)
        if kept is None or self.progress is not None:
            raise NothingToAccept()
        self._replace_draft(self._draft.keeping(kept, combining))

    @told
    def split_next(self) -> None:
        """Let the next line that is drawn cut the polygon; called again, let it not."""
        if not self.pieces or self.progress is not None:
            raise NothingToAccept()
        self._is_splitting = not self._is_splitting
        self.draft_changed.emit()

    @told
    def change_by_hand(self, change: Change) -> None:
        """Do to the polygon, in the imagery's CRS, what stays done when later clicks alter another side of it."""
        if self.polygon is None or self.progress is not None:
            raise NothingToChange()
        edit = edit_by(change, self.polygon)
        if edit is not None:
            self._replace_draft(self._draft.with_step(edit), self.candidates.as_now())

    def next_candidate(self) -> None:
        """Choose the model's next candidate; its size is chosen first for the class's next object once it is accepted."""
        if self.candidates.next():
            self.answered.emit()

    def undo(self) -> None:
        """Take the newest prompt back; of what was done since Enter, while its answer is under way, the newest."""
        if not self._pending.take_back() and not self._draft.is_empty:
            draft, shown = self._draft.without_last(), self._draft.shown_before_last(self.candidates)
            self._undone.push(self._draft, draft, self.candidates)
            self._replace_draft(draft, shown)

    def redo(self) -> None:
        """Do again what was taken back last."""
        if self.can_redo:
            self._replace_draft(*self._undone.pop())

    @property
    def can_redo(self) -> bool:
        """Whether anything was taken back since the last step."""
        return self._undone.leads_on_from(self._draft)

    def stop(self) -> bool:
        """Let what is found so far be the polygon; returns whether the rest was still being found."""
        if not self._inquiry.stop():
            return False
        self._pending.end()
        text = tr("Stopped: the polygon is as far as it was found. Click on to correct it.")
        self.message.emit(text, Qgis.MessageLevel.Info)
        self.answered.emit()
        return True

    def go_on(self) -> None:
        """Look at all of an object that is larger than what a click may cost."""
        if self.progress is None and self.answer is not None and self.answer.tiles_left:
            self._ask(is_whole=True)
            self.draft_changed.emit()

    def clear(self) -> None:
        """Forget the draft."""
        self._replace_draft(Draft())

    @told
    def accept(self) -> None:
        """Add the polygon to the target layer; while the answer is under way, as soon as it is there."""
        if self._pending.has_later:
            self._pending.after(self.accept)
            return
        if self.progress is not None:
            self._pending.begin()
            return
        is_first = self.target.layer is None
        layer, features = self.acceptance.accept(self._draft, self.candidates)
        if is_first:
            text = tr("Accepted into a new scratch layer. Save it as a GeoPackage before you close QGIS.")
            self.message.emit(text, Qgis.MessageLevel.Info)
        is_unchanged = self._draft.unchanged is not None
        self.clear()
        if not is_unchanged:
            self.accepted.emit(layer, [feature.id() for feature in features])

    def detach(self) -> None:
        """Forget the draft and let project and engine go."""
        self.clear()
        self.lens.close()
        self._project.layersWillBeRemoved.disconnect(self._forget_layers)
        self._engine.restarted.disconnect(self._on_restarted)

    @told
    def _split(self, stroke: list[QgsPointXY]) -> None:
        self._replace_draft(split_draft(self._draft, self.candidates, self.lens.in_imagery(stroke)))

    def _is_elsewhere(self, place: QgsPointXY) -> bool:
        """Whether there is a whole answer, and a place in map coordinates is not in it."""
        if self.polygon is None or self.progress is not None or self._draft.kept is not None:
            return False
        try:
            return not self.polygon.contains(*self.lens.in_imagery([place]))
        except RasterLassoError:  # the click will say so
            return False

    @told
    def _extend(self, gesture: Gesture) -> None:
        """Add what a gesture says, placed as map and imagery are now."""
        step = gesture.step(self.lens.to_imagery())
        view_level = self.lens.level_at(gesture.place)
        for text in self.lens.news():
            self.message.emit(text, Qgis.MessageLevel.Info)
        self._add(step, view_level)

    def _add(self, step: Step, view_level: int) -> None:
        """After an acceptance that waits."""
        if self._pending.is_on:
            self._pending.after(lambda: self._add(step, view_level))
            return
        if self._draft.is_empty:  # a draft keeps its level, so that zooming in to correct it does not change it
            self.view_level = view_level
        self._replace_draft(self._draft.with_step(step), unanswered=self._unanswered + 1)

    def _replace_draft(self, draft: Draft, shown: Candidates | None = None, unanswered: int = 0) -> None:
        """shown: what was answered to it before, None for asking. unanswered: its newest steps that never were."""
        self._draft, self._unanswered, self._is_splitting = draft, unanswered, False
        self._pending.end()
        if shown is not None:
            self._inquiry.go_on_from(shown)
        else:
            self._ask()
        self.draft_changed.emit()

    def _ask(self, is_whole: bool = False) -> None:
        if not self._draft.prompts.has_foreground:
            self._inquiry.drop()
            return
        try:
            finish = self._draft.finish(self.lens.finish)
            params = self.lens.segment(self._draft.prompts, self.view_level, finish, is_whole=is_whole)
            params = replace(params, with_data_end=self.target.takes_lines)
        except RasterLassoError as error:
            self._inquiry.drop()
            self.tell(error)
            return
        is_new = self._draft.is_begun_anew
        self._inquiry.ask(params, self.acceptance.preferred_choice if is_new else self._draft.choice)

    def _on_answer(self) -> None:
        self._unanswered = 0
        self.answered.emit()
        if self._pending.is_on:
            later = self._pending.end()
            self.accept()
            if self._draft.is_empty:  # else it was refused: what was meant for the next object is none of it
                for do in later:
                    do()

    def _on_failure(self, error: RasterLassoError) -> None:
        if isinstance(error, RasterNotOpened) and self.lens.draw_instead():
            self._ask()
            return
        self._pending.end()
        self.tell(error)
        if isinstance(error, PromptError) and self._unanswered:  # the newest can't be used, those before it can, perhaps
            self._replace_draft(self._draft.without_last(), unanswered=self._unanswered - 1)
            return
        if isinstance(error, PromptError):  # it was meant for other imagery
            text = tr("The object under way stays for the imagery that it was begun on. Press Esc to begin another one.")
            self.message.emit(text, Qgis.MessageLevel.Info)
        self.draft_changed.emit()

    def _on_restarted(self) -> None:
        self.message.emit(tr("The engine stopped and was started again. Your clicks are kept."), Qgis.MessageLevel.Warning)

    def _forget_layers(self, layer_ids: list[str]) -> None:
        if self.lens.imagery is not None and self.lens.imagery.id() in layer_ids:
            if not self._draft.is_empty:
                text = tr("The imagery was removed, and the object that was under way on it is forgotten.")
                self.message.emit(text, Qgis.MessageLevel.Warning)
            self.set_imagery(None)
        self.target.forget(layer_ids)

    def tell(self, error: RasterLassoError) -> None:
        """What went wrong, to the user, in the map's terms."""
        self.message.emit(error_text(self.lens.in_terms_of_the_map(error)), Qgis.MessageLevel.Warning)
