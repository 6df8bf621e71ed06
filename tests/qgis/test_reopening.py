"""Accepted polygons taken up again."""

import json

import pytest
from qgis.core import (
    QgsGeometry,
    QgsRectangle,
    QgsVectorFileWriter,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import Qt

from helpers import FIELD, MIDDLE, accept_one, iou, polygon_layer
from rasterlasso.contract.looks import PRESETS
from rasterlasso.plugin.digitizing.draft import Outline

ALT = Qt.KeyboardModifier.AltModifier


def test_alt_click_reopens_by_the_kept_prompts_and_keeps_the_feature(bench, project):
    accept_one(bench)
    layer = bench.digitizer.target.layer
    [before] = layer.getFeatures()
    kept = json.loads(before["prompts"])
    assert kept["points"][0][2] is True
    assert before["level"] == -1
    assert before["gsd_m"] == pytest.approx(1.0, rel=0.01)
    bench.click(*MIDDLE, modifier=ALT)
    bench.answered()
    assert bench.digitizer.draft.reopened == (layer.id(), before.id())
    assert len(bench.digitizer.draft.points) == 1
    bench.click(500_330, 4_499_720, Qt.MouseButton.RightButton)
    bench.answered()
    bench.key(Qt.Key.Key_Return)
    [after] = layer.getFeatures()
    assert after.id() == before.id()
    assert after.geometry().area() < before.geometry().area()
    assert len(json.loads(after["prompts"])["points"]) == 2
    layer.undoStack().undo()
    [undone] = layer.getFeatures()
    assert undone.geometry().equals(before.geometry())


def test_a_polygon_without_prompts_is_reopened_by_its_shape(bench, project):
    _x0, y0, x1, y1 = FIELD
    rough = QgsGeometry.fromRect(QgsRectangle(500_100, y0 + 10, x1 - 5, y1 + 20))
    layer = polygon_layer(project, rough.asWkt(), fields="&field=name:string")
    bench.digitizer.set_target(layer)
    bench.click(*MIDDLE, modifier=ALT)
    polygon = bench.answered()
    assert [type(step) for step in bench.digitizer.draft.steps] == [Outline]
    field = QgsGeometry.fromRect(QgsRectangle(*FIELD))
    assert polygon.equals(rough)
    bench.click(*MIDDLE)
    polygon = bench.answered()
    assert iou(polygon, field) > 0.9 > iou(rough, field)
    bench.key(Qt.Key.Key_Return)
    [feature] = layer.getFeatures()
    assert iou(feature.geometry(), field) > 0.9
    bench.click(500_040, 4_499_450, modifier=ALT)
    assert "No polygon of the target layer is here" in bench.messages[-1]


@pytest.mark.parametrize("finish", ["raw", "building", "water"])
def test_reopening_shows_the_very_shape_until_something_is_changed(bench, finish):
    """The outline style was not kept: Enter after Alt+click gave another area and other vertices."""
    bench.digitizer.lens.set_finish(PRESETS[finish])
    accept_one(bench)
    layer = bench.digitizer.target.layer
    [before] = layer.getFeatures()
    bench.digitizer.lens.set_finish(PRESETS["tree"])
    pace = bench.digitizer.acceptance.paces.of(layer)
    commands, counted, accepted = layer.undoStack().count(), pace.total, []
    bench.digitizer.accepted.connect(lambda layer, ids: accepted.append(ids))
    bench.click(*MIDDLE, modifier=ALT)
    assert bench.digitizer.progress is None
    assert bench.digitizer.polygon.isGeosEqual(before.geometry())
    bench.key(Qt.Key.Key_Return)
    [after] = layer.getFeatures()
    assert after.geometry().equals(before.geometry())
    assert after.attributes() == before.attributes()
    assert (layer.undoStack().count(), pace.total, accepted) == (commands, counted, [])
    bench.click(*MIDDLE, modifier=ALT)
    bench.click(500_200, 4_499_700)
    bench.answered()
    bench.key(Qt.Key.Key_Backspace)
    assert bench.digitizer.polygon.isGeosEqual(before.geometry())
    bench.digitizer.lens.set_size(1)  # asked again, and drawn as it was
    bench.answered()
    bench.digitizer.lens.set_size(0)
    assert bench.answered().isGeosEqual(before.geometry())
    bench.digitizer.lens.set_finish(PRESETS["raw"])  # changed by hand: that counts
    bench.answered()
    assert bench.digitizer.polygon.isGeosEqual(before.geometry()) == (finish == "raw")


def test_add_begins_with_the_very_shape(bench):
    accept_one(bench)
    layer = bench.digitizer.target.layer
    [before] = layer.getFeatures()
    bench.click(*MIDDLE, modifier=ALT)
    bench.key(Qt.Key.Key_A)
    assert bench.digitizer.polygon.isGeosEqual(before.geometry())


def test_a_reopened_draft_that_is_taken_back_changes_nothing_any_more(bench):
    accept_one(bench)
    layer = bench.digitizer.target.layer
    bench.click(*MIDDLE, modifier=ALT)
    bench.answered()
    bench.key(Qt.Key.Key_Backspace)
    assert bench.digitizer.draft.reopened is None
    accept_one(bench, (500_600, 4_499_500))
    assert layer.featureCount() == 2


def test_a_reopened_polygon_that_went_meanwhile_is_added(bench):
    accept_one(bench)
    first = bench.digitizer.target.layer
    [feature] = first.getFeatures()
    bench.click(*MIDDLE, modifier=ALT)
    bench.answered()
    first.deleteFeature(feature.id())
    bench.key(Qt.Key.Key_Return)
    assert first.featureCount() == 1
    [again] = first.getFeatures()
    assert json.loads(again["prompts"]) == json.loads(feature["prompts"])
    bench.click(*MIDDLE, modifier=ALT)
    bench.answered()
    bench.digitizer.target.new_scratch(bench.digitizer.crs)
    bench.key(Qt.Key.Key_Return)
    assert bench.digitizer.target.layer is not first
    assert bench.digitizer.target.layer.featureCount() == 1
    assert first.featureCount() == 1


def test_a_reopened_polygon_that_was_saved_meanwhile_is_not_added_twice(bench, tmp_path):
    bench.jobs.new_geopackage(bench.digitizer.target, tmp_path / "target.gpkg", bench.digitizer.crs)
    accept_one(bench)
    layer = bench.digitizer.target.layer
    bench.click(*MIDDLE, modifier=ALT)
    bench.answered()
    assert layer.commitChanges(False)
    bench.key(Qt.Key.Key_Return)
    assert layer.featureCount() == 1
    assert "saved" in bench.messages[-1]
    assert bench.digitizer.polygon is not None
    bench.key(Qt.Key.Key_Escape)
    bench.click(*MIDDLE, modifier=ALT)
    bench.answered()
    bench.key(Qt.Key.Key_Return)
    assert layer.featureCount() == 1


def test_reopening_does_not_drop_an_object_under_way_and_keeps_the_class(bench):
    bench.digitizer.acceptance.class_name = "river"
    accept_one(bench)
    bench.click(500_600, 4_499_500)
    pending = bench.answered()
    bench.click(*MIDDLE, modifier=ALT)
    assert "under way" in bench.messages[-1]
    assert bench.digitizer.polygon.equals(pending)
    bench.key(Qt.Key.Key_Escape)
    bench.digitizer.acceptance.class_name = "lake"
    bench.click(*MIDDLE, modifier=ALT)
    bench.answered()
    bench.key(Qt.Key.Key_Return)
    [feature] = bench.digitizer.target.layer.getFeatures()
    assert feature["class"] == "river"


def test_a_polygon_saved_after_the_project_was_opened_again_is_not_added_twice(bench, project, tmp_path):
    bench.jobs.new_geopackage(bench.digitizer.target, tmp_path / "target.gpkg", bench.digitizer.crs)
    accept_one(bench)
    bench.click(*MIDDLE, modifier=ALT)
    bench.answered()
    bench.key(Qt.Key.Key_Escape)
    assert bench.digitizer.target.layer.commitChanges()
    assert project.write(str(tmp_path / "project.qgs"))
    assert project.read(str(tmp_path / "project.qgs"))
    [imagery], [layer] = (project.mapLayersByName(name) for name in ("image", "target"))
    bench.digitizer.set_imagery(imagery)
    bench.digitizer.set_target(layer)
    accept_one(bench, (500_600, 4_499_500))
    count = layer.featureCount()
    bench.click(500_600, 4_499_500, modifier=ALT)
    bench.answered()
    assert layer.commitChanges(False)
    bench.key(Qt.Key.Key_Return)
    assert layer.featureCount() == count
    assert "saved" in bench.messages[-1]


@pytest.mark.parametrize("place", [1, 2])
def test_a_reopened_shape_goes_into_no_other_feature_and_is_not_added_twice(bench, project, tmp_path, place):
    squares = [f"Polygon (({x} 0, {x + 1} 0, {x + 1} 1, {x} 1, {x} 0))" for x in (0, 10)]
    field = QgsGeometry.fromRect(QgsRectangle(*FIELD)).asWkt()
    shapes = [*squares[:place], field, *squares[place:]]
    source = polygon_layer(project, *shapes, fields="&field=name:string")
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName = "ESRI Shapefile"
    path = tmp_path / "three.shp"
    QgsVectorFileWriter.writeAsVectorFormatV3(source, str(path), project.transformContext(), options)
    layer = QgsVectorLayer(str(path), "three", "ogr")
    project.addMapLayer(layer)
    bench.digitizer.set_target(layer)
    bench.click(*MIDDLE, modifier=ALT)
    bench.answered()
    layer.startEditing()
    layer.deleteFeature(0)
    assert layer.commitChanges(False)  # a shapefile numbers its features anew
    bench.key(Qt.Key.Key_Return)
    left = [feature.geometry() for feature in layer.getFeatures()]
    assert len(left) == 2
    assert all(any(shape.isGeosEqual(QgsGeometry.fromWkt(wkt)) for shape in left) for wkt in shapes[1:])
    assert "Alt+click" in bench.messages[-1]


def test_a_reopened_polygon_whose_deletion_was_saved_is_added(bench, project, tmp_path):
    bench.jobs.new_geopackage(bench.digitizer.target, tmp_path / "target.gpkg", bench.digitizer.crs)
    accept_one(bench)
    layer = bench.digitizer.target.layer
    assert layer.commitChanges(False)
    bench.click(*MIDDLE, modifier=ALT)
    bench.answered()
    assert layer.deleteFeature(next(layer.getFeatures()).id())
    assert layer.commitChanges(False)
    bench.key(Qt.Key.Key_Return)
    assert layer.featureCount() == 1
