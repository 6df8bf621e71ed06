"""Accepting into the user's own layers: shared borders, lines, classes, reopening, candidates, export."""

import itertools
import json
import math
import random
import subprocess

import pytest
from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsEditorWidgetSetup,
    QgsFeature,
    QgsFieldConstraints,
    QgsGeometry,
    QgsPointXY,
    QgsRasterLayer,
    QgsRectangle,
    QgsRendererCategory,
    QgsSymbol,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtTest import QTest

from helpers import FIELD, MIDDLE, iou, wait_until
from rasterlasso.engine.ops import PRESETS, SegmentResult
from rasterlasso.plugin.classes import classes_of
from rasterlasso.plugin.draft import Outline
from rasterlasso.plugin.lines import outline_as_lines
from rasterlasso.plugin.topology import with_shared_borders

ALT = Qt.KeyboardModifier.AltModifier


def accept_one(bench, place=MIDDLE):
    bench.click(*place)
    bench.answered()
    bench.key(Qt.Key.Key_Return)


def polygon_layer(project, *wkts, crs="EPSG:32613", fields=""):
    layer = QgsVectorLayer(f"Polygon?crs={crs}{fields}", "mine", "memory")
    for wkt in wkts:
        feature = QgsFeature(layer.fields())
        feature.setGeometry(QgsGeometry.fromWkt(wkt))
        layer.dataProvider().addFeature(feature)
    project.addMapLayer(layer)
    return layer


def test_neighbours_share_every_vertex_without_gap_or_overlap(project):
    old = "Polygon ((0 0, 100 0, 100 100, 0 100, 0 0))"
    layer = polygon_layer(project, old, "Polygon ((0 102, 100 101, 100 200, 0 200, 0 102))")
    new = QgsGeometry.fromWkt("Polygon ((97 -3, 103 50, 99 104, 98 150, 200 150, 200 0, 97 -3))")
    mine, changed = with_shared_borders(new, layer, 5)
    others = {feature.id(): changed.get(feature.id(), feature.geometry()) for feature in layer.getFeatures()}
    first, second = others.values()
    assert mine.isGeosValid()
    assert mine.intersection(first).area() == pytest.approx(0, abs=1e-9)
    assert mine.intersection(second).area() == pytest.approx(0, abs=1e-9)
    assert first.area() == pytest.approx(100 * 100)
    strip = QgsGeometry.fromRect(QgsRectangle(95, 5, 110, 95))
    covered = QgsGeometry.unaryUnion([mine, first]).intersection(strip)
    assert covered.area() == pytest.approx(strip.area(), rel=1e-6)


@pytest.mark.parametrize("seed", range(40))
def test_many_neighbours_share_their_borders_whatever_their_shapes(project, seed):
    dice = random.Random(seed)
    layer = polygon_layer(project)
    layer.startEditing()
    for _ in range(8):
        corners = sorted((dice.uniform(0, 2 * math.pi), dice.uniform(20, 60)) for _ in range(dice.randint(5, 40)))
        x, y = dice.uniform(0, 150), dice.uniform(0, 150)
        ring = [QgsPointXY(x + r * math.cos(angle), y + r * math.sin(angle)) for angle, r in corners]
        new = QgsGeometry.fromPolygonXY([ring]).makeValid()
        mine, changed = with_shared_borders(new, layer, 4)
        for each, fitted in changed.items():
            layer.changeGeometry(each, fitted)
        if not mine.equals(new) or not layer.featureCount():
            feature = QgsFeature(layer.fields())
            feature.setGeometry(mine)
            layer.addFeature(feature)
    shapes = [feature.geometry() for feature in layer.getFeatures()]
    assert len(shapes) > 2
    assert all(shape.isGeosValid() for shape in shapes)
    for first, second in itertools.combinations(shapes, 2):
        assert first.intersection(second).area() == pytest.approx(0, abs=1e-9)
    for part in QgsGeometry.unaryUnion(shapes).asGeometryCollection():
        for ring in part.asPolygon()[1:]:
            hole = QgsGeometry.fromPolygonXY([ring])
            assert not hole.buffer(-2, 4).isEmpty()


def test_a_polygon_without_neighbours_stays_as_it_is(project):
    layer = polygon_layer(project, "Polygon ((0 0, 1 0, 1 1, 0 0))")
    new = QgsGeometry.fromWkt("Polygon ((50 50, 60 50, 60 60, 50 50))")
    mine, changed = with_shared_borders(new, layer, 5)
    assert mine.equals(new)
    assert changed == {}


def test_accepting_beside_a_neighbour_shares_its_border_in_one_undo_step(bench, project):
    _x0, y0, x1, y1 = FIELD
    layer = polygon_layer(project, QgsGeometry.fromRect(QgsRectangle(x1 - 3, y0, x1 + 200, y1)).asWkt())
    bench.digitizer.set_target(layer)
    bench.digitizer.share_borders = True
    accept_one(bench)
    assert bench.messages == []
    old, new = sorted(layer.getFeatures(), key=lambda feature: feature.geometry().boundingBox().xMinimum(), reverse=True)
    assert new.geometry().intersection(old.geometry()).area() == pytest.approx(0, abs=1e-6)
    assert new.geometry().touches(old.geometry()) or new.geometry().distance(old.geometry()) < 1e-9
    assert layer.undoStack().count() == 1
    layer.undoStack().undo()
    assert layer.featureCount() == 1


def test_a_line_layer_gets_the_outline_without_the_frame(bench, project):
    lines = QgsVectorLayer("LineString?crs=EPSG:32613", "lines", "memory")
    project.addMapLayer(lines)
    bench.digitizer.set_target(lines)
    accept_one(bench)
    [feature] = lines.getFeatures()
    assert feature.geometry().length() == pytest.approx(2 * (240 + 160), rel=0.05)
    square = QgsGeometry.fromRect(QgsRectangle(0, 0, 100, 60))
    frame = QgsRectangle(0, 0, 200, 200)
    cut = outline_as_lines(square, frame.contains, 1.0)
    assert cut.length() == pytest.approx(160)
    assert len(cut.asMultiPolyline()) == 1
    ring = outline_as_lines(square.buffer(-10, 4), frame.contains, 1.0)
    assert ring.length() == pytest.approx(square.buffer(-10, 4).length())
    assert outline_as_lines(square, lambda place: False, 1.0).isEmpty()


def test_a_line_layer_gets_no_line_along_nodata(bench, project, make_image):
    layer = QgsRasterLayer(str(make_image("holes.tif", nodata_corner=True)), "holes")
    project.addMapLayer(layer)
    bench.digitizer.set_imagery(layer)
    lines = QgsVectorLayer("LineString?crs=EPSG:32613", "lines", "memory")
    project.addMapLayer(lines)
    bench.digitizer.set_target(lines)
    bench.digitizer.draw([QgsPointXY(*place) for place in ((500_000, 4_499_860), (500_190, 4_499_860), (500_190, 4_499_995))])
    polygon = bench.answered()
    bench.digitizer.accept()
    corner = QgsRectangle(500_000, 4_499_920, 500_080, 4_500_000)
    corner.grow(1.0)
    assert polygon.intersects(QgsGeometry.fromRect(corner).buffer(3, 2))
    assert bench.messages == []
    assert lines.featureCount() >= 1
    assert sum(feature.geometry().length() for feature in lines.getFeatures()) < polygon.length() - 60
    for feature in lines.getFeatures():
        inside = feature.geometry().intersection(QgsGeometry.fromRect(corner).buffer(3, 2))
        assert inside.length() < 12


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
    assert iou(polygon, field) > 0.9 > iou(rough, field)
    bench.key(Qt.Key.Key_Return)
    [feature] = layer.getFeatures()
    assert iou(feature.geometry(), field) > 0.9
    bench.click(500_040, 4_499_450, modifier=ALT)
    assert "No polygon of the target layer is here" in bench.messages[-1]


def test_tab_goes_through_the_candidates_and_the_accepted_size_is_remembered(bench):
    def answered():
        shapes = [QgsGeometry.fromRect(QgsRectangle(0, 0, side, 1)).asWkb().data().hex() for side in (20, 10, 30)]
        return SegmentResult(shapes[0], 0.9, "builtin", 0, 0.1, ((shapes[1], 0.8), (shapes[2], 0.7)))

    bench.click(*MIDDLE)
    bench.answered()
    candidates = bench.digitizer.candidates
    candidates.take(answered(), "lake")
    seen = [candidates.polygon.area()]
    for _ in range(3):
        QTest.keyClick(bench.canvas, Qt.Key.Key_Tab)
        seen.append(candidates.polygon.area())
        assert len(candidates.others) == 2
    assert seen == [20, 10, 30, 20]
    QTest.keyClick(bench.canvas, Qt.Key.Key_Tab)
    candidates.remember("lake")
    candidates.take(answered(), "lake")
    assert candidates.polygon.area() == 10
    candidates.take(answered(), "field")
    assert candidates.polygon.area() == 20
    candidates.take(answered())
    assert candidates.score == 0.9
    alone = SegmentResult(QgsGeometry.fromRect(QgsRectangle(0, 0, 5, 1)).asWkb().data().hex(), 0.9, "builtin", 0, 0.1)
    candidates.take(alone, "pond")
    candidates.remember("pond")
    candidates.take(answered(), "pond")
    assert candidates.polygon.area() == 20


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
    assert bench.digitizer.pace.total == 1
    assert bench.digitizer.pace.per_minute is None
    bench.answered()
    bench.digitizer.accept()
    assert bench.digitizer.pace.per_minute > 0


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


def test_a_file_that_is_open_is_not_overwritten(bench, project, tmp_path):
    path = tmp_path / "target.gpkg"
    bench.digitizer.new_geopackage_target(path)
    accept_one(bench)
    assert bench.digitizer.target.layer.commitChanges()
    bench.jobs.export(bench.digitizer.target.layer, path)
    assert "is read from it" in bench.messages[-1]
    assert QgsVectorLayer(bench.digitizer.target.layer.source(), "again", "ogr").featureCount() == 1


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
    bench.click(*MIDDLE, modifier=ALT)
    bench.answered()
    bench.digitizer.new_scratch_target()
    bench.key(Qt.Key.Key_Return)
    assert bench.digitizer.target.layer is not first
    assert bench.digitizer.target.layer.featureCount() == 1
    assert first.featureCount() == 1


def test_reopening_does_not_drop_an_object_under_way_and_keeps_the_class(bench):
    bench.digitizer.class_name = "river"
    accept_one(bench)
    bench.click(500_600, 4_499_500)
    pending = bench.answered()
    bench.click(*MIDDLE, modifier=ALT)
    assert "under way" in bench.messages[-1]
    assert bench.digitizer.polygon.equals(pending)
    bench.key(Qt.Key.Key_Escape)
    bench.digitizer.class_name = "lake"
    bench.click(*MIDDLE, modifier=ALT)
    bench.answered()
    bench.key(Qt.Key.Key_Return)
    [feature] = bench.digitizer.target.layer.getFeatures()
    assert feature["class"] == "river"


def test_a_click_after_enter_waits_for_the_acceptance(bench):
    bench.click(*MIDDLE)
    bench.key(Qt.Key.Key_Return)
    bench.click(500_600, 4_499_500)
    wait_until(lambda: bench.digitizer.target.layer is not None)
    bench.answered()
    assert bench.digitizer.target.layer.featureCount() == 1
    assert len(bench.digitizer.draft.points) == 1


def test_parts_are_added_to_the_answer_that_is_under_way_only_once_it_is_there(bench):
    bench.click(*MIDDLE)
    bench.answered()
    bench.click(500_330, 4_499_720, Qt.MouseButton.RightButton)
    bench.key(Qt.Key.Key_A)
    assert bench.digitizer.draft.kept is None
    assert len(bench.digitizer.draft.points) == 2
    bench.answered()


def test_the_area_is_that_of_what_neighbours_leave(bench, project):
    x0, y0, *_ = FIELD
    island = QgsGeometry.fromRect(QgsRectangle(x0 + 80, y0 + 60, x0 + 120, y0 + 100))
    layer = polygon_layer(project, island.asWkt(), fields="&field=area_m2:double")
    bench.digitizer.set_target(layer)
    bench.digitizer.share_borders = True
    accept_one(bench, (x0 + 30, y0 + 30))
    new = max(layer.getFeatures(), key=lambda feature: feature.geometry().area())
    assert new["area_m2"] == pytest.approx(new.geometry().area(), rel=2e-3)
    assert new.geometry().intersection(island).area() == pytest.approx(0, abs=1e-6)


def test_other_imagery_shows_nothing_of_the_former_one(bench, project, tmp_path):
    bench.click(*MIDDLE)
    bench.answered()
    gone = QgsRasterLayer(str(tmp_path / "gone.tif"), "gone")
    project.addMapLayer(gone)
    bench.digitizer.set_imagery(gone)
    assert bench.digitizer.polygon is None


def test_styles_of_other_layers_in_a_file_stay(bench, tmp_path):
    path = tmp_path / "two.gpkg"
    for name in ("lake", "field"):
        bench.digitizer.new_geopackage_target(path)
        bench.digitizer.class_name = name
        accept_one(bench)
        assert bench.digitizer.target.layer.commitChanges()
    for source, name in (("features", "lake"), ("features_2", "field")):
        again = QgsVectorLayer(f"{path}|layername={source}", source, "ogr")
        assert [each.value() for each in again.renderer().categories()][:1] == [name]


def test_a_hard_constraint_keeps_the_polygon_and_says_why(bench, project):
    layer = polygon_layer(project, fields="&field=owner:string")
    layer.setFieldConstraint(
        0, QgsFieldConstraints.Constraint.ConstraintNotNull, QgsFieldConstraints.ConstraintStrength.ConstraintStrengthHard
    )
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


@pytest.mark.parametrize("target", ["scratch", "geopackage"])
@pytest.mark.parametrize("suffix", ["gpkg", "shp", "geojson", "fgb"])
def test_exports_are_what_gdals_own_tools_read(bench, tmp_path, suffix, target):
    """Before the edits are saved, too."""
    if target == "geopackage":
        bench.digitizer.new_geopackage_target(tmp_path / "target.gpkg")
    bench.digitizer.class_name = "Grünland"
    accept_one(bench)
    path = tmp_path / f"out.{suffix}"
    bench.jobs.export(bench.digitizer.target.layer, path)
    assert "Exported" in bench.messages[-1]
    told = subprocess.run(["ogrinfo", "-al", "-so", str(path)], capture_output=True, text=True, check=True).stdout
    assert "Feature Count: 1" in told
    assert ("WGS 84" if suffix == "geojson" else "UTM zone 13N") in told
    rows = subprocess.run(["ogrinfo", "-al", str(path)], capture_output=True, text=True, check=True).stdout
    assert "Grünland" in rows
    bench.jobs.export(bench.digitizer.target.layer, tmp_path / "no folder" / f"out.{suffix}")
    assert "no folder" in bench.messages[-1]


def test_formats_that_qgis_lacks_are_written_by_the_engine(bench, tmp_path, engine_python):
    bench.digitizer.new_geopackage_target(tmp_path / "target.gpkg")
    accept_one(bench)
    path = tmp_path / "out.parquet"
    bench.jobs.export(bench.digitizer.target.layer, path)
    wait_until(lambda: bench.messages and "Exported" in bench.messages[-1])
    code = f"import geopandas; print(geopandas.read_parquet({str(path)!r}).to_crs(32613).area[0])"
    told = subprocess.run([engine_python, "-c", code], capture_output=True, text=True, check=True).stdout
    assert float(told) == pytest.approx(240 * 160, rel=0.05)
    bench.jobs.export(bench.digitizer.target.layer, tmp_path / "out.docx")
    wait_until(lambda: "docx" in bench.messages[-1])
    assert ".gpkg" in bench.messages[-1]


def test_a_layer_is_simplified_with_its_borders_shared(bench, project):
    wave = [(20 + math.sin(y / 3), y) for y in range(101)]
    ring = ", ".join(f"{x} {y}" for x, y in wave)
    back = ", ".join(f"{x} {y}" for x, y in reversed(wave))
    layer = polygon_layer(
        project, f"Polygon ((0 0, {ring}, 0 100, 0 0))", f"Polygon (({back}, 40 0, 40 100, {wave[-1][0]} 100))"
    )
    before = sum(feature.geometry().constGet().nCoordinates() for feature in layer.getFeatures())
    bench.jobs.simplify(layer, 3.0)
    wait_until(lambda: bench.messages)
    left, right = (feature.geometry() for feature in layer.getFeatures())
    after = left.constGet().nCoordinates() + right.constGet().nCoordinates()
    assert f"{before - after} vertices less" in bench.messages[-1]
    assert after < before / 3
    assert left.intersection(right).area() == pytest.approx(0, abs=1e-9)
    assert left.combine(right).area() == pytest.approx(4000)
    assert layer.undoStack().count() == 1


def test_polygons_that_overlap_are_not_simplified_together(bench, project):
    layer = polygon_layer(project, "Polygon ((0 0, 10 0, 10 10, 0 0))", "Polygon ((5 0, 15 0, 15 10, 5 0))")
    bench.jobs.simplify(layer, 1.0)
    wait_until(lambda: bench.messages)
    assert "2 polygons overlap" in bench.messages[-1]
    assert not layer.isEditable()


def test_new_layers_show_each_class_in_a_colour_and_keep_that(bench, project, tmp_path):
    path = tmp_path / "styled.gpkg"
    bench.digitizer.new_geopackage_target(path)
    for name in ("lake", "field"):
        bench.digitizer.class_name = name
        accept_one(bench)
    layer = bench.digitizer.target.layer
    shown = [(each.value(), each.symbol().color().name()) for each in layer.renderer().categories()]
    assert [name for name, _ in shown[:2]] == ["lake", "field"]
    assert not shown[2][0]
    assert len({colour for _, colour in shown}) == 3
    assert classes_of(layer) == ("class", [("lake", "lake"), ("field", "field")])
    assert layer.commitChanges()
    again = QgsVectorLayer(layer.source(), "again", "ogr")
    assert [each.value() for each in again.renderer().categories()][:2] == ["lake", "field"]


def test_the_imagerys_owners_are_named_in_a_new_layers_metadata(bench, project, imagery):
    imagery.setAttribution("© Survey of Somewhere")
    accept_one(bench)
    accept_one(bench)
    assert bench.digitizer.target.layer.metadata().rights() == ["© Survey of Somewhere"]
    mine = polygon_layer(project)
    bench.digitizer.set_target(mine)
    accept_one(bench)
    assert mine.metadata().rights() == []


def test_a_style_of_the_users_own_is_left_alone(bench, project):
    layer = polygon_layer(project, fields="&field=class:string")
    before = type(layer.renderer())
    bench.digitizer.set_target(layer)
    bench.digitizer.class_name = "lake"
    accept_one(bench)
    assert type(layer.renderer()) is before


def test_nothing_to_export_is_said(bench, tmp_path):
    bench.jobs.export(bench.digitizer.target.layer, tmp_path / "x.gpkg")
    assert "nothing to export" in bench.messages[-1]
    wait_until(lambda: True)
