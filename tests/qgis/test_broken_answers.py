"""Answers that are none: each ends its request, the draft is kept, and the next click works."""

import json

import pytest
from qgis.core import QgsGeometry, QgsPointXY

from helpers import MIDDLE
from rasterlasso.plugin.digitizing.state import DraftState

POINT = QgsGeometry.fromPointXY(QgsPointXY(*MIDDLE)).asWkb().data().hex()
ANSWER = {"wkb_hex": POINT, "score": 0.9, "model": "builtin", "level": 0, "seconds": 0.1}
SQUARE = QgsGeometry.fromWkt("Polygon((0 0, 9 0, 9 9, 0 0))").asWkb().data().hex()


def reply(engine, kind, **fields):
    """As if the engine had answered so to the newest request."""
    newest = max(engine._client._pending)
    line = json.dumps({"type": kind, "id": newest, **fields})
    engine._client.feed(line.encode() + b"\n")


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("result", {}),
        ("result", {"value": None}),
        ("result", {"value": {}}),
        ("result", {"value": ANSWER}),
        ("result", {"value": {**ANSWER, "wkb_hex": SQUARE[:-20]}}),
        ("result", {"value": {**ANSWER, "wkb_hex": "zz"}}),
        ("result", {"value": {**ANSWER, "wkb_hex": SQUARE, "score": float("nan")}}),
        ("result", {"value": {**ANSWER, "wkb_hex": SQUARE, "others": [[POINT, 0.5]]}}),
        ("result", {"value": {**ANSWER, "wkb_hex": SQUARE, "others": 5}}),
        ("progress", {"stage": "refine", "fraction": 0.5, "part": {"wkb_hex": 7}}),
        ("progress", {"stage": None, "fraction": "half"}),
        ("failure", {"code": "NothingFound"}),
    ],
)
def test_the_draft_never_waits_for_an_answer_that_came(bench, engine, kind, fields):
    bench.click(*MIDDLE)
    bench.answered()
    bench.click(500_330, 4_499_720)
    reply(engine, kind, **fields)
    assert bench.digitizer.progress is None
    assert bench.digitizer.state is DraftState.ANSWERED
    assert len(bench.digitizer.draft.steps) == 2
    assert "Not a message" in bench.messages[-1]
    bench.click(500_150, 4_499_720)
    assert bench.answered().area() > 0
    assert len(bench.digitizer.draft.steps) == 3


@pytest.mark.parametrize("value", [None, {}, {"found": {}}, {"found": 3}, {"found": ANSWER}])
def test_the_hover_goes_on_after_a_glance_that_is_none(bench, engine, value):
    bench.click(*MIDDLE)
    bench.answered()
    bench.digitizer.clear()
    bench.hover.move(QgsPointXY(*MIDDLE))
    reply(engine, "result", value=value)
    assert bench.hover.polygon is None
    assert not bench.hover._is_waiting
