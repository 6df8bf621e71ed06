"""Lines drawn by hand: around things, across them, through them; parts added, cut out and split."""

import pytest
from qgis.core import QgsGeometry, QgsPointXY, QgsRectangle
from qgis.PyQt.QtCore import Qt

from helpers import FIELD, MIDDLE, iou, polygon_layer
from rasterlasso.contract.looks import PRESETS
from rasterlasso.contract.requests import SegmentResult
from rasterlasso.plugin.digitizing.draft import Outline, Scribble
from rasterlasso.plugin.digitizing.state import DraftState
from rasterlasso.plugin.digitizing.strokes import enclosed, is_loop, places_along, split
from rasterlasso.plugin.geo.wkb import to_hex

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
X0, Y0, X1, Y1 = FIELD
WHOLE = QgsGeometry.fromRect(QgsRectangle(*FIELD))
AROUND = ((X0 - 20, Y0 - 15), (X1 + 15, Y0 - 20), (X1 + 20, Y1 + 15), (X0 - 15, Y1 + 20), (X0 - 22, Y0 - 5))


def points(*places):
    return [QgsPointXY(*place) for place in places]


def test_a_line_around_the_field_is_its_rough_outline(bench):
    bench.draw(*AROUND)
    [step] = bench.digitizer.draft.steps
    assert isinstance(step, Outline)
    assert iou(bench.answered(), WHOLE) > 0.93
    assert bench.messages == []
    bench.key(Qt.Key.Key_Backspace)
    assert bench.digitizer.draft.is_empty


def test_a_scribble_stands_for_clicks_and_is_taken_back_at_once(bench):
    bench.draw((X0 + 30, Y0 + 30), MIDDLE, (X1 - 30, Y1 - 30))
    [step] = bench.digitizer.draft.steps
    assert isinstance(step, Scribble)
    assert 2 <= len(step.points) <= 6
    assert all(point.foreground for point in step.points)
    assert iou(bench.answered(), WHOLE) > 0.95
    bench.draw((X1 - 30, Y0 + 30), (X1 - 30, Y1 - 30), modifier=CTRL | SHIFT)
    smaller = bench.answered()
    assert not any(point.foreground for point in bench.digitizer.draft.steps[1].points)
    assert smaller.area() < 0.95 * WHOLE.area()
    bench.key(Qt.Key.Key_Backspace)
    assert iou(bench.answered(), WHOLE) > 0.95


def test_prompts_that_were_drawn_are_kept_and_reopened(bench):
    bench.draw(*AROUND)
    bench.answered()
    bench.key(Qt.Key.Key_Return)
    [feature] = bench.digitizer.target.layer.getFeatures()
    bench.click(*MIDDLE, modifier=Qt.KeyboardModifier.AltModifier)
    assert isinstance(bench.digitizer.draft.steps[0], Outline)
    assert iou(bench.answered(), feature.geometry()) > 0.99


def test_a_part_is_added_and_taken_back(bench):
    bench.click(*MIDDLE)
    first = bench.answered()
    bench.key(Qt.Key.Key_A)
    assert bench.digitizer.polygon.equals(first)
    assert not bench.digitizer.draft.is_empty
    bench.draw((500_560, 4_499_460), (500_660, 4_499_460), (500_660, 4_499_560), (500_560, 4_499_560), (500_562, 4_499_465))
    both = bench.answered()
    assert both.area() > first.area() * 1.02
    assert both.contains(QgsPointXY(*MIDDLE))
    bench.key(Qt.Key.Key_Backspace)
    bench.key(Qt.Key.Key_Backspace)
    assert bench.answered().equals(first)
    assert len(bench.digitizer.draft.points) == 1


def test_taking_up_again_shows_the_candidate_that_was_kept(bench):
    bench.click(*MIDDLE)
    bench.answered()
    small = QgsGeometry.fromRect(QgsRectangle(X0 + 20, Y0 + 20, X1 - 20, Y1 - 20))
    bench.digitizer.candidates.take(SegmentResult(to_hex(WHOLE), 0.9, "builtin", 0, 0.1, ((to_hex(small), 0.8),)))
    bench.key(Qt.Key.Key_Tab)
    bench.key(Qt.Key.Key_A)
    bench.key(Qt.Key.Key_Backspace)
    assert bench.digitizer.progress is None
    assert bench.digitizer.polygon.equals(small)
    assert len(bench.digitizer.draft.points) == 1
    bench.key(Qt.Key.Key_Tab)
    assert bench.digitizer.polygon.equals(WHOLE)


def test_what_is_clicked_is_cut_out_and_one_feature_is_accepted(bench, project):
    plain = QgsGeometry.fromRect(QgsRectangle(X0 - 60, Y0 - 60, X1 + 60, Y1 + 60))
    layer = polygon_layer(project, plain.asWkt(), fields="&field=prompts:string&field=model:string")
    bench.digitizer.set_target(layer)
    bench.click(*MIDDLE, modifier=Qt.KeyboardModifier.AltModifier)
    bench.answered()
    bench.digitizer.candidates.take(SegmentResult(to_hex(plain), 0.9, "builtin", 0, 0.1))
    bench.key(Qt.Key.Key_S)
    bench.click(*MIDDLE)
    cut = bench.answered()
    assert iou(cut, plain.difference(WHOLE)) > 0.9
    bench.key(Qt.Key.Key_Return)
    [feature] = bench.digitizer.target.layer.getFeatures()
    assert feature.geometry().isGeosValid()
    assert feature.geometry().area() == pytest.approx(cut.area())
    assert not feature["prompts"]  # no prompts alone give this shape again
    assert feature["model"] == "builtin"


def test_a_line_through_the_field_makes_two_features_in_one_undo_step(bench):
    bench.click(*MIDDLE)
    whole = bench.answered()
    bench.key(Qt.Key.Key_X)
    assert bench.digitizer.state is DraftState.SPLITTING
    middle_x = MIDDLE[0]
    bench.draw((middle_x, Y0 - 40), (middle_x, Y1 + 40), modifier=Qt.KeyboardModifier.NoModifier)
    assert bench.digitizer.state is not DraftState.SPLITTING
    assert len(bench.digitizer.pieces) == 2
    bench.key(Qt.Key.Key_Return)
    layer = bench.digitizer.target.layer
    left, right = sorted((feature.geometry() for feature in layer.getFeatures()), key=lambda g: g.boundingBox().xMinimum())
    assert left.area() + right.area() == pytest.approx(whole.area(), rel=1e-6)
    assert left.intersection(right).area() == pytest.approx(0, abs=1e-6)
    layer.undoStack().undo()
    assert layer.featureCount() == 0


def test_a_line_beside_the_field_splits_nothing_and_says_so(bench):
    bench.click(*MIDDLE)
    bench.answered()
    bench.key(Qt.Key.Key_X)
    bench.draw((500_600, 4_499_500), (500_700, 4_499_500))
    assert "does not cross" in bench.messages[-1]
    bench.key(Qt.Key.Key_Escape)
    assert bench.digitizer.state is not DraftState.SPLITTING
    assert bench.digitizer.polygon is not None


def test_the_modes_need_a_polygon(bench):
    bench.digitizer.split_next()
    bench.digitizer.combine_next(None)
    assert len([message for message in bench.messages if "nothing to accept" in message]) == 2


def test_loops_and_scribbles_are_told_apart():
    square = points((0, 0), (10, 0), (10, 10), (0, 10), (1, 1))
    zigzag = points((0, 0), (50, 5), (0, 10), (50, 15), (2, 3))
    assert is_loop(square)
    assert not is_loop(points((0, 0), (50, 10), (100, 0)))
    assert not is_loop(zigzag)
    assert not is_loop(points((0, 0), (1, 1)))
    assert enclosed(square).area() == pytest.approx(100, rel=0.2)
    assert enclosed(zigzag).isGeosValid()
    assert len(places_along(points((0, 0), (1000, 0)), 10)) == 6
    assert [place.x() for place in places_along(points((0, 0), (8, 0)), 10)] == [2, 6]


def test_splitting_goes_through_every_piece():
    squares = [QgsGeometry.fromRect(QgsRectangle(x, 0, x + 10, 10)) for x in (0, 20)]
    pieces = split(squares, points((-5, 5), (35, 5)))
    assert len(pieces) == 4
    assert all(piece.area() == pytest.approx(50) for piece in pieces)
    assert len(split(squares, points((5, -5), (5, 15)))) == 3


def test_taking_up_again_asks_where_the_settings_have_changed_since(bench):
    bench.click(*MIDDLE)
    bench.answered()
    bench.key(Qt.Key.Key_A)
    bench.digitizer.lens.set_finish(PRESETS["building"])
    bench.key(Qt.Key.Key_Backspace)
    assert bench.digitizer.progress is not None
    bench.answered()
