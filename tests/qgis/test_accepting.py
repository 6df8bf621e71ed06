"""Accepting into the user's own layers: classes, constraints, candidates, what waits for an answer."""

import json

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsEditorWidgetSetup,
    QgsFieldConstraints,
    QgsGeometry,
    QgsPointXY,
    QgsRasterLayer,
    QgsRectangle,
    QgsRendererCategory,
    QgsSymbol,
)
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtTest import QTest

from helpers import LAKE, LAKE_VIEW, MIDDLE, accept_one, polygon_layer, wait_until
from rasterlasso.contract.looks import PRESETS
from rasterlasso.contract.requests import SegmentResult
from rasterlasso.plugin.digitizing.candidates import Candidates
from rasterlasso.plugin.digitizing.preferred_sizes import PreferredSizes
from rasterlasso.plugin.panel.status import status_text
from rasterlasso.plugin.target.classes import classes_of


def three_answers():
    shapes = [QgsGeometry.fromRect(QgsRectangle(0, 0, side, 1)).asWkb().data().hex() for side in (20, 10, 30)]
    return SegmentResult(shapes[0], 0.9, "builtin", 0, 0.1, ((shapes[1], 0.8), (shapes[2], 0.7)))


def test_tab_goes_through_the_candidates(bench):
    bench.click(*MIDDLE)
    bench.answered()
    candidates = bench.digitizer.candidates
    candidates.take(three_answers())
    seen = [candidates.polygon.area()]
    for _ in range(3):
        QTest.keyClick(bench.canvas, Qt.Key.Key_Tab)
        seen.append(candidates.polygon.area())
        assert len(candidates.others) == 2
    assert seen == [20, 10, 30, 20]


def test_a_size_is_preferred_only_where_it_was_chosen_by_hand(bench):
    """It was taken over from any acceptance, across classes and rasters: a click gave something else than the hover showed."""
    sizes, candidates = PreferredSizes(), Candidates()
    lake, field = ("lake", "raster"), ("field", "raster")
    candidates.take(three_answers(), 0)  # the smallest, by a preference and not by hand
    assert candidates.polygon.area() == 10
    sizes.note(lake, candidates)
    assert sizes.of(lake) is None
    candidates.take(three_answers())
    candidates.next()
    sizes.note(lake, candidates)
    assert (sizes.of(lake), sizes.of(field), sizes.of(("lake", "other"))) == (0, None, None)
    candidates.next()
    candidates.next()  # back at the model's best
    sizes.note(lake, candidates)
    assert sizes.of(lake) is None


def test_what_was_chosen_with_tab_is_shown_by_the_hover_too_and_given_again(bench, sample):
    """Prompts were dropped wherever another than the best answer was accepted."""
    bench.digitizer.set_imagery(sample)
    bench.look_at(*LAKE_VIEW, crs="EPSG:4326")
    bench.click(*LAKE)
    bench.answered()
    best = bench.digitizer.polygon
    assert bench.digitizer.candidates.others, "the lake has several answers"
    bench.key(Qt.Key.Key_Tab)
    chosen = bench.digitizer.polygon
    assert not chosen.equals(best)
    assert "Answer 2 of" in status_text(bench.digitizer._engine, bench.digitizer)
    bench.key(Qt.Key.Key_Return)
    layer = bench.digitizer.target.layer
    [feature] = layer.getFeatures()
    assert json.loads(feature["prompts"])["choice"] is not None
    bench.move(-105.75, 40.2)
    bench.move(*LAKE)
    wait_until(lambda: bench.hover.polygon is not None and bench.hover.polygon.equals(chosen))
    bench.click(*LAKE)
    assert bench.answered().equals(chosen)
    assert "of the size that you chose before" in status_text(bench.digitizer._engine, bench.digitizer)
    bench.key(Qt.Key.Key_Escape)
    bench.digitizer.acceptance.class_name = "another"
    bench.click(*LAKE)
    assert bench.answered().equals(best)
    bench.key(Qt.Key.Key_Escape)
    bench.click(*LAKE, modifier=Qt.KeyboardModifier.AltModifier)
    assert bench.digitizer.polygon.equals(chosen)
    bench.digitizer.ask_again()
    assert bench.answered().equals(chosen)


def test_a_click_elsewhere_accepts_where_the_user_wants_that(bench):
    bench.digitizer.auto_accept = True
    bench.click(*MIDDLE)
    bench.answered()
    bench.click(500_300, 4_499_700)  # on the same field: one more prompt
    bench.answered()
    assert len(bench.digitizer.draft.points) == 2
    bench.click(500_600, 4_499_500)
    assert bench.digitizer.target.layer.featureCount() == 1
    assert len(bench.digitizer.draft.points) == 1
    pace = bench.digitizer.acceptance.paces.of(bench.digitizer.target.layer)
    assert pace.total == 1
    assert pace.per_minute is None
    bench.answered()
    bench.digitizer.accept()
    assert pace.per_minute > 0


def test_classes_come_from_a_value_map_or_a_categorized_style(project):
    layer = polygon_layer(project, fields="&field=kind:integer&field=note:string")
    assert classes_of(layer) == ("class", [])
    layer.setEditorWidgetSetup(0, QgsEditorWidgetSetup("ValueMap", {"map": [{"Lake": 1}, {"Field": 2}]}))
    assert classes_of(layer) == ("kind", [("Lake", 1), ("Field", 2)])
    symbol = QgsSymbol.defaultSymbol(layer.geometryType())
    layer.setRenderer(QgsCategorizedSymbolRenderer("kind", [QgsRendererCategory(7, symbol, "House")]))
    assert classes_of(layer) == ("kind", [("House", 7)])


def test_what_is_for_something_else_holds_no_class(project):
    layer = polygon_layer(project, fields="&field=class:string&field=model:string")

    def category(value, label):
        return QgsRendererCategory(value, QgsSymbol.defaultSymbol(layer.geometryType()), label)

    layer.setRenderer(QgsCategorizedSymbolRenderer("model", [category("sam", "SAM")]))
    assert classes_of(layer) == ("class", [])
    layer.setRenderer(QgsCategorizedSymbolRenderer("class", [category(["a", "b"], "both"), category("c", "C")]))
    assert classes_of(layer) == ("class", [("C", "c")])


def test_a_click_after_enter_waits_for_the_acceptance(bench):
    bench.click(*MIDDLE)
    bench.key(Qt.Key.Key_Return)
    bench.click(500_600, 4_499_500)
    wait_until(lambda: bench.digitizer.target.layer is not None)
    bench.answered()
    assert bench.digitizer.target.layer.featureCount() == 1
    assert len(bench.digitizer.draft.points) == 1


def test_all_that_is_clicked_after_enter_is_for_the_next_object(bench):
    bench.click(*MIDDLE)
    bench.key(Qt.Key.Key_Return)
    bench.click(500_600, 4_499_500)
    bench.click(500_700, 4_499_450, Qt.MouseButton.RightButton)
    wait_until(lambda: bench.digitizer.target.layer is not None)
    assert [point.foreground for point in bench.digitizer.draft.points] == [True, False]
    bench.answered()


def test_what_was_meant_for_the_next_object_is_none_of_one_that_is_refused(bench, project):
    bench.digitizer.set_target(owned_layer(project))
    bench.click(*MIDDLE)
    bench.key(Qt.Key.Key_Return)
    bench.click(500_600, 4_499_500)
    wait_until(lambda: any("owner" in message for message in bench.messages))
    assert len(bench.digitizer.draft.points) == 1


def test_prompts_are_kept_only_where_they_give_the_accepted_shape_again(bench):
    def kept():
        return [bool(feature["prompts"]) for feature in bench.digitizer.target.layer.getFeatures()]

    accept_one(bench)
    assert kept() == [True]
    bench.click(*MIDDLE)
    bench.answered()
    bench.key(Qt.Key.Key_A)  # what is put together of several answers no prompts alone give again
    bench.click(500_600, 4_499_500)
    bench.answered()
    bench.key(Qt.Key.Key_Return)
    assert sorted(kept()) == [False, True]


def test_parts_are_added_to_the_answer_that_is_under_way_only_once_it_is_there(bench):
    bench.click(*MIDDLE)
    bench.answered()
    bench.click(500_330, 4_499_720, Qt.MouseButton.RightButton)
    bench.key(Qt.Key.Key_A)
    assert bench.digitizer.draft.kept is None
    assert len(bench.digitizer.draft.points) == 2
    bench.answered()


def test_other_imagery_shows_nothing_of_the_former_one(bench, project, tmp_path):
    bench.click(*MIDDLE)
    bench.answered()
    gone = QgsRasterLayer(str(tmp_path / "gone.tif"), "gone")
    project.addMapLayer(gone)
    bench.digitizer.set_imagery(gone)
    assert bench.digitizer.polygon is None


def owned_layer(project):
    """Takes nothing without an owner."""
    layer = polygon_layer(project, fields="&field=owner:string")
    layer.setFieldConstraint(
        0, QgsFieldConstraints.Constraint.ConstraintNotNull, QgsFieldConstraints.ConstraintStrength.ConstraintStrengthHard
    )
    return layer


def test_a_hard_constraint_keeps_the_polygon_and_says_why(bench, project):
    layer = owned_layer(project)
    bench.digitizer.set_target(layer)
    accept_one(bench)
    assert "owner" in bench.messages[-1]
    assert bench.digitizer.polygon is not None
    assert layer.featureCount() == 0


def test_edits_made_before_stay_and_are_undone_apart(bench, project):
    layer = polygon_layer(project, "Polygon ((0 0, 1 0, 1 1, 0 0))")
    layer.startEditing()
    [first] = layer.getFeatures()
    layer.translateFeature(first.id(), 5, 5)
    bench.digitizer.set_target(layer)
    accept_one(bench)
    layer.undoStack().undo()
    [left] = layer.getFeatures()
    assert left.geometry().contains(QgsPointXY(5.9, 5.5))


def test_another_outline_is_drawn_at_once(bench):
    bench.click(*MIDDLE)
    free = bench.answered()
    bench.digitizer.lens.set_finish(PRESETS["building"])
    squared = bench.answered()
    assert squared.constGet().nCoordinates() < free.constGet().nCoordinates()
    corners = squared.constGet().nCoordinates() - 1
    assert corners == 4
    bench.digitizer.lens.set_finish(PRESETS["raw"])
    assert bench.answered().equals(free)


def test_the_imagerys_owners_are_named_in_a_new_layers_metadata(bench, project, imagery):
    imagery.setAttribution("© Survey of Somewhere")
    accept_one(bench)
    accept_one(bench)
    assert bench.digitizer.target.layer.metadata().rights() == ["© Survey of Somewhere"]
    mine = polygon_layer(project)
    bench.digitizer.set_target(mine)
    accept_one(bench)
    assert mine.metadata().rights() == []


def test_undo_after_enter_takes_back_what_was_done_since(bench):
    bench.click(*MIDDLE)
    bench.key(Qt.Key.Key_Return)
    bench.click(500_600, 4_499_500)
    bench.digitizer.undo()
    wait_until(lambda: bench.digitizer.target.layer is not None)
    assert bench.digitizer.target.layer.featureCount() == 1
    assert bench.digitizer.draft.is_empty


def test_each_enter_before_the_answer_is_for_its_own_object(bench):
    bench.click(*MIDDLE)
    bench.key(Qt.Key.Key_Return)
    bench.click(500_600, 4_499_500)
    bench.digitizer.accept()
    bench.click(500_700, 4_499_450)
    wait_until(lambda: bench.digitizer.target.layer is not None and bench.digitizer.target.layer.featureCount() == 2)
    assert len(bench.digitizer.draft.points) == 1
    bench.answered()


def test_enter_holds_where_the_question_changes_before_its_answer(bench):
    bench.click(*MIDDLE)
    bench.key(Qt.Key.Key_Return)
    bench.click(500_600, 4_499_500)
    bench.digitizer.lens.set_finish(PRESETS["field"])
    wait_until(lambda: bench.digitizer.target.layer is not None)
    assert bench.digitizer.target.layer.featureCount() == 1
    assert len(bench.digitizer.draft.points) == 1
    bench.answered()


def test_a_glance_at_imagery_elsewhere_keeps_the_draft(bench, project, imagery, make_image):
    bench.click(*MIDDLE)
    bench.answered()
    bench.click(500_330, 4_499_720)
    bench.answered()
    elsewhere = QgsRasterLayer(str(make_image("elsewhere.tif", geotransform=(900_000, 2, 0, 4_500_000, 0, -2))), "elsewhere")
    project.addMapLayer(elsewhere)
    bench.digitizer.set_imagery(elsewhere)
    wait_until(lambda: bench.digitizer.progress is None)
    assert len(bench.digitizer.draft.points) == 2
    bench.digitizer.set_imagery(imagery)
    bench.answered()
    assert len(bench.digitizer.draft.points) == 2


def test_removing_the_imagery_of_a_draft_is_told(bench, project, imagery):
    bench.click(*MIDDLE)
    bench.answered()
    project.removeMapLayer(imagery.id())
    assert "removed" in bench.messages[-1]


def test_a_class_of_value_zero_is_one(bench, project):
    layer = polygon_layer(project, fields="&field=class:integer")
    bench.digitizer.set_target(layer)
    bench.digitizer.acceptance.class_name = 0
    accept_one(bench)
    [feature] = layer.getFeatures()
    assert feature["class"] == 0


def test_clicks_that_can_not_be_used_are_all_taken_back(bench, project, make_image):
    layer = QgsRasterLayer(str(make_image("corner.tif", nodata_corner=True)), "corner")
    project.addMapLayer(layer)
    bench.digitizer.set_imagery(layer)
    for x in (500_020, 500_040):
        bench.digitizer.click(QgsPointXY(x, 4_499_960), True)
    wait_until(lambda: bench.digitizer.progress is None)
    assert bench.digitizer.draft.is_empty
    bench.click(*MIDDLE)
    assert bench.answered().contains(QgsPointXY(*MIDDLE))


def test_the_pace_is_a_layers_own_and_follows_what_is_undone_there(bench, project):
    accept_one(bench)
    first = bench.digitizer.target.layer
    pace = bench.digitizer.acceptance.paces.of(first)
    first.undoStack().undo()
    assert pace.total == 0
    first.undoStack().redo()
    assert pace.total == 1
    bench.digitizer.set_target(polygon_layer(project))
    assert bench.digitizer.acceptance.paces.of(bench.digitizer.target.layer) is None
    accept_one(bench)
    assert bench.digitizer.acceptance.paces.of(bench.digitizer.target.layer).total == 1
    assert pace.total == 1
    assert first.commitChanges(False)
    accept_one(bench)
    assert pace.total == 1
    bench.digitizer.set_target(first)
    accept_one(bench)
    assert pace.total == 2
    assert first.rollBack()
    assert pace.total == 1
