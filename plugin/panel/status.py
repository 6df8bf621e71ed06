"""The panel's line on what is the case: of the engine, of the object under way, of the hand's pace."""

from __future__ import annotations

from qgis.core import QgsProject

from ...contract.protocol import Progress
from ..digitizing.candidates import Candidates
from ..digitizing.digitizer import Digitizer
from ..digitizing.draft import Combining, Draft, Kept
from ..digitizing.pace import Pace
from ..digitizing.state import DraftState
from ..geo.measure import size_text, vertex_count
from ..runtime.engine_process import EngineProcess, EngineState
from ..translation import tr

GOOD = 0.8
UNSURE = 0.4
"""Overlaps that the model predicts, from which on and below which the panel says so."""

LONG_S = 6.0
"""Of a stage: from then on the panel says for how long."""


def status_text(engine: EngineProcess, digitizer: Digitizer) -> str:
    """What matters most now."""
    if not engine.is_installed:
        return tr("Engine: not installed")
    if engine.state is EngineState.FAILED:
        return tr("Engine: can't start")
    if engine.state is EngineState.STARTING:
        return tr("Engine: starting…")
    pace = digitizer.acceptance.paces.of(digitizer.target.layer)
    return _draft_text(digitizer) or (
        _pace_text(pace)
        if pace is not None and pace.total
        else tr("Engine: ready")
        if engine.state is EngineState.READY
        else tr("Engine: not started")
    )


def _draft_text(digitizer: Digitizer) -> str | None:
    """None where nothing is under way."""
    draft, answer = digitizer.draft, digitizer.answer
    if digitizer.progress is not None:
        return _progress_text(digitizer.progress, digitizer.state is DraftState.GROWING, digitizer.stage_seconds)
    if digitizer.state is DraftState.SPLITTING:
        return tr("Draw a line across the polygon. Esc leaves it whole.")
    if draft.kept is not None and not draft.steps:
        return _kept_text(draft, draft.kept)
    if answer is not None and answer.tiles_left:
        return tr(
            "The feature is larger than one click looks at. Go on below, accept it as it is, or zoom out for a coarser outline."
        )
    if answer is not None:
        return _answer_text(digitizer) + _choice_text(digitizer.candidates)
    return None


def status_details(digitizer: Digitizer) -> str:
    """What the model itself says of its answer; empty where there is none."""
    answer = digitizer.answer
    if answer is None:
        return ""
    return tr("Predicted overlap {score:.2f}, level {level}, {milliseconds:.0f} ms, model {model}").format(
        score=digitizer.candidates.score, level=answer.level, milliseconds=1000 * answer.seconds, model=answer.model
    )


def _answer_text(digitizer: Digitizer) -> str:
    """How good it probably is, and how large."""
    score, polygon = digitizer.candidates.score, digitizer.polygon
    word = tr("Good") if score >= GOOD else tr("Check the outline") if score >= UNSURE else tr("Unsure: add a click")
    if polygon is None:
        return word
    vertices = tr("{count} vertices").format(count=vertex_count(polygon))
    return " · ".join(part for part in (word, size_text(polygon, digitizer.crs, QgsProject.instance()), vertices) if part)


def _choice_text(candidates: Candidates) -> str:
    """Where another than the model's best answer is shown."""
    number, count = candidates.number
    if number == 1:
        return ""
    if candidates.was_chosen:
        return "\n" + tr("Answer {number} of {count}. Tab shows the next.").format(number=number, count=count)
    return "\n" + tr(
        "Answer {number} of {count}, of the size that you chose before for this class. Tab shows the next."
    ).format(number=number, count=count)


def _progress_text(progress: Progress, is_growing: bool, seconds: float) -> str:
    if is_growing:
        return tr("Refining the outline, {percent:.0f} % of what is known of it. Esc keeps what is found.").format(
            percent=100 * progress.fraction
        )
    stages = {
        "wait": tr("waiting"),
        "read": tr("reading"),
        "encode": tr("encoding"),
        "decode": tr("segmenting"),
        "vectorize": tr("outlining"),
    }
    stage = stages.get(progress.stage, progress.stage)
    if seconds < LONG_S:
        return tr("Engine: {stage}…").format(stage=stage)
    return tr("Engine: {stage}, for {seconds:.0f} s. Esc discards this object, Restart engine begins it anew.").format(
        stage=stage, seconds=seconds
    )


def _kept_text(draft: Draft, kept: Kept) -> str:
    if len(kept.pieces) > 1:
        return tr("{count} pieces. Enter accepts each as a feature.").format(count=len(kept.pieces))
    if draft.combining is Combining.SUBTRACT:
        return tr("Click the area to cut out. Backspace undoes.")
    return tr("Click the area to add. Backspace undoes.")


def _pace_text(pace: Pace) -> str:
    if pace.per_minute is None:
        return tr("{count} accepted").format(count=pace.total)
    return tr("{count} accepted, {pace:.1f} a minute").format(count=pace.total, pace=pace.per_minute)
