"""Features like the accepted ones: proposed, looked through with keys, put into the layer one by one."""

import shutil

import numpy as np
import pytest
from osgeo import gdal, osr
from qgis.core import (
    NULL,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsFeature,
    QgsGeometry,
    QgsPointXY,
    QgsRasterLayer,
    QgsSettings,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QCoreApplication, QEvent, Qt
from qgis.PyQt.QtGui import QKeyEvent
from qgis.PyQt.QtTest import QTest

import rasterlasso
from helpers import polygon_layer, wait_until
from rasterlasso.plugin.journal.files import left_behind
from rasterlasso.plugin.journal.journal import journal_folder

ROOFS = [(40 + 140 * column, 35 + 115 * row) for row in range(3) for column in range(3)]
"""Left and top pixel of each of nine equal roofs, 70 by 50 px of .5 m."""

SQUARE = "Polygon ((500010 4499990, 500020 4499990, 500020 4499980, 500010 4499990))"


@pytest.fixture
def roofs(project, tmp_path):
    """A village as no village is: nine roofs of one kind on noise."""
    bands = 70 + np.random.default_rng(3).integers(0, 14, (3, 350, 440))
    for left, top in ROOFS:
        bands[0, top : top + 50, left : left + 70] += 110
        bands[1:, top : top + 50, left : left + 70] += 40
    path = tmp_path / "roofs.tif"
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), 440, 350, 3, gdal.GDT_Byte)
    crs = osr.SpatialReference()
    crs.ImportFromEPSG(32613)
    dataset.SetProjection(crs.ExportToWkt())
    dataset.SetGeoTransform((500_000, 0.5, 0, 4_500_000, 0, -0.5))
    for number, band in enumerate(bands.astype(np.uint8), 1):
        dataset.GetRasterBand(number).WriteArray(band)
    dataset = None
    layer = QgsRasterLayer(str(path), "village")
    project.addMapLayer(layer)
    return layer


def middle(number):
    left, top = ROOFS[number]
    return QgsPointXY(500_000 + 0.5 * (left + 35), 4_500_000 - 0.5 * (top + 25))


@pytest.fixture
def plugin(qgis_iface, engine_python, project, roofs):
    QgsSettings().setValue("rasterlasso/engine_python", str(engine_python))
    made = rasterlasso.classFactory(qgis_iface)
    made.initGui()
    made.dock.imagery.setLayer(roofs)
    canvas = qgis_iface.mapCanvas()
    canvas.setDestinationCrs(roofs.crs())
    canvas.setExtent(roofs.extent())
    made.action.trigger()
    yield made
    made.unload()
    QgsSettings().remove("rasterlasso")


def accept_roofs(plugin, *numbers):
    for number in numbers:
        plugin.digitizer.click(middle(number), True)
        wait_until(lambda: plugin.digitizer.progress is None, 60)
        plugin.digitizer.accept()
    return plugin.digitizer.target.layer


def search(plugin):
    plugin.dock.target_row.similar_requested.emit()
    assert plugin.desk.review.is_searching
    wait_until(lambda: not plugin.desk.review.is_searching, 300)
    return plugin.desk.review


def click(canvas, place, button, modifier=Qt.KeyboardModifier.NoModifier):
    there = canvas.getCoordinateTransform().transform(place.x(), place.y()).toQPointF().toPoint()
    QTest.mouseClick(canvas.viewport(), button, modifier, there)


def key(canvas, *keys):
    for each in keys:
        QTest.keyClick(canvas, each)


def test_the_rest_is_proposed_reviewed_with_keys_and_put_into_the_layer(plugin, qgis_canvas):
    plugin.dock.class_name.setEditText("roof")
    layer = accept_roofs(plugin, 0, 5)
    review = search(plugin)
    assert qgis_canvas.mapTool() is plugin.desk.tool
    found = {number for number in range(9) for each in review.waiting if each.polygon.contains(middle(number))}
    assert len(found) >= 6
    assert not found & {0, 5}
    likeliest, count = review.waiting[0], len(review.waiting)
    assert review.current is likeliest
    assert layer.featureCount() == 2  # nothing is the layer's before it is accepted
    key(qgis_canvas, Qt.Key.Key_Y)
    assert layer.featureCount() == 3
    newest = max(layer.getFeatures(), key=lambda feature: -feature.id())
    assert newest["class"] == "roof"
    assert newest.geometry().intersection(likeliest.polygon).area() > 0.99 * likeliest.polygon.area()
    rejected = review.current
    key(qgis_canvas, Qt.Key.Key_N)
    assert layer.featureCount() == 3
    assert review.counts == (1, 1)
    assert rejected.proposal.id not in {each.proposal.id for each in review.waiting}
    key(qgis_canvas, Qt.Key.Key_Backspace, Qt.Key.Key_Backspace)
    assert layer.featureCount() == 2
    assert review.counts == (0, 0)
    assert len(review.waiting) == count
    key(qgis_canvas, Qt.Key.Key_Escape)
    assert qgis_canvas.mapTool() is plugin.tool
    assert review.waiting == []


def test_an_accepted_proposal_is_reopened_as_any_other(plugin, qgis_canvas):
    layer = accept_roofs(plugin, 0, 5)
    review = search(plugin)
    shape = review.current.polygon
    key(qgis_canvas, Qt.Key.Key_Y, Qt.Key.Key_Escape)
    place = shape.pointOnSurface().asPoint()
    plugin.digitizer.reopen(place)
    assert plugin.digitizer.polygon.equals(shape)
    assert len(plugin.digitizer.draft.points) == 1
    plugin.digitizer.clear()
    assert layer.featureCount() == 3


def test_one_that_is_nearly_right_is_corrected_and_the_review_goes_on(plugin, qgis_canvas):
    layer = accept_roofs(plugin, 0, 5)
    review = search(plugin)
    taken = review.current
    key(qgis_canvas, Qt.Key.Key_F)
    assert qgis_canvas.mapTool() is plugin.tool
    wait_until(lambda: plugin.digitizer.polygon is not None and plugin.digitizer.progress is None, 60)
    assert plugin.digitizer.polygon.intersection(taken.polygon).area() > 0.8 * taken.polygon.area()
    plugin.digitizer.accept()
    assert layer.featureCount() == 3
    assert qgis_canvas.mapTool() is plugin.desk.tool
    assert taken.proposal.id not in {each.proposal.id for each in review.waiting}


def test_list_and_slider_and_map_are_in_step(plugin, qgis_canvas):
    layer = accept_roofs(plugin, 0, 5)
    review, panel = search(plugin), plugin.desk.panel
    count = len(review.waiting)
    assert panel.list.topLevelItemCount() == count
    last = panel.list.topLevelItem(panel.list.topLevelItemCount() - 1)
    panel.list.setCurrentItem(last)
    assert review.current is review.waiting[-1]
    key(qgis_canvas, Qt.Key.Key_Down)
    assert review.current is review.waiting[0]
    other = review.waiting[2]
    review.choose_at(other.polygon.pointOnSurface().asPoint())
    assert review.current is other
    panel.filters.least.setValue(round(100 * review.waiting[3].likeness))
    shown = len(review.waiting)
    assert 0 < shown < count
    assert panel.list.topLevelItemCount() == shown
    panel.accept_all.click()
    assert layer.featureCount() == 2 + shown
    panel.undo.click()
    assert layer.featureCount() == 1 + shown


def test_without_an_example_the_user_is_told_what_to_do(plugin, qgis_iface, project):
    told = []
    plugin.desk.message.connect(lambda text, level: told.append(text))
    plugin.desk.begin()
    assert told == [
        "No example lies on the imagery. Accept one or more features there first, then search for others like them."
    ]
    plugin.dock.target.setLayer(polygon_layer(project, "Polygon((0 0, 1 0, 1 1, 0 0))"))
    plugin.desk.begin()
    assert len(told) == 2
    assert not plugin.desk.review.is_searching


def test_a_search_can_be_cancelled_and_ends_with_its_imagery(plugin, project, roofs):
    accept_roofs(plugin, 0)
    plugin.desk.begin()
    assert plugin.desk.review.is_searching
    plugin.desk.review.cancel()
    assert not plugin.desk.review.is_searching
    search(plugin)
    assert plugin.desk.review.waiting
    project.removeMapLayer(roofs.id())
    assert plugin.desk.review.waiting == []
    assert plugin.desk.review.imagery is None


def test_what_was_rejected_is_a_counter_example_of_the_next_search(plugin, qgis_canvas):
    accept_roofs(plugin, 0, 5)
    review = search(plugin)
    rejected = review.current.polygon
    key(qgis_canvas, Qt.Key.Key_N)
    review = search(plugin)
    assert not any(each.polygon.intersection(rejected).area() > 0.5 * rejected.area() for each in review.waiting)
    plugin.dock.target_row.forgetting_requested.emit()
    review = search(plugin)
    assert any(each.polygon.intersection(rejected).area() > 0.5 * rejected.area() for each in review.waiting)


def test_the_panel_of_proposals_opens_with_the_first_search(plugin):
    assert not plugin.desk.panel.isVisibleTo(plugin.desk.panel.parent())
    accept_roofs(plugin, 0)
    plugin.desk.begin()
    assert plugin.desk.panel.isVisibleTo(plugin.desk.panel.parent())
    plugin.desk.leave()
    assert not plugin.desk.panel.isVisibleTo(plugin.desk.panel.parent())


def test_what_was_taken_up_and_given_up_waits_again(plugin, qgis_canvas):
    accept_roofs(plugin, 0, 5)
    review = search(plugin)
    taken = review.current
    key(qgis_canvas, Qt.Key.Key_F)
    wait_until(lambda: plugin.digitizer.progress is None, 60)
    key(qgis_canvas, Qt.Key.Key_Escape)
    wait_until(lambda: qgis_canvas.mapTool() is plugin.desk.tool)
    assert review.current is taken


def test_proposals_of_other_imagery_are_not_answered(plugin, qgis_canvas, project, sample):
    layer = accept_roofs(plugin, 0, 5)
    review, told = search(plugin), []
    plugin.desk.message.connect(lambda text, level: told.append(text))
    count = len(review.waiting)
    plugin.digitizer.set_imagery(sample)
    key(qgis_canvas, Qt.Key.Key_Y, Qt.Key.Key_N, Qt.Key.Key_F)
    assert layer.featureCount() == 2
    assert len(review.waiting) == count
    assert len(told) == 3
    assert "found on village" in told[0]


def test_what_is_saved_is_not_taken_back_in_silence(plugin, qgis_canvas):
    layer = accept_roofs(plugin, 0, 5)
    review, told = search(plugin), []
    plugin.desk.message.connect(lambda text, level: told.append(text))
    key(qgis_canvas, Qt.Key.Key_Y)
    assert layer.commitChanges(False)
    review.undo()
    assert layer.featureCount() == 3
    assert review.counts == (1, 0)
    assert "is saved in" in told[-1]


def test_accepted_proposals_are_in_the_journal(plugin, qgis_canvas, tmp_path):
    layer = accept_roofs(plugin, 0, 5)
    review = search(plugin)
    key(qgis_canvas, Qt.Key.Key_Y)
    key(qgis_canvas, Qt.Key.Key_Y)
    assert review.counts == (2, 0)
    assert layer.featureCount() == 4
    copy = shutil.copytree(journal_folder(), tmp_path / "if QGIS ended now")
    for lock in copy.glob("*.lock"):
        lock.unlink()
    newest = list(left_behind(copy))[-1]
    assert len(newest.accepted) == 4


def test_a_key_that_is_held_answers_once_and_never_becomes_qgiss(plugin, qgis_canvas):
    layer = accept_roofs(plugin, 0, 5)
    review = search(plugin)
    none = Qt.KeyboardModifier.NoModifier
    for kind, pressed in ((QEvent.Type.KeyPress, Qt.Key.Key_Y), (QEvent.Type.ShortcutOverride, Qt.Key.Key_Delete)):
        event = QKeyEvent(kind, pressed, none, "", True)
        event.ignore()
        QCoreApplication.sendEvent(qgis_canvas, event)
    assert event.isAccepted()
    assert review.counts == (0, 0)
    assert layer.featureCount() == 2


def drawn(project, crs="EPSG:32613", field="confidence:double"):
    """A layer of another program's: six of the roofs, drawn a little too large, the surest last."""
    layer = polygon_layer(project, crs=crs, fields=f"&field=name:string&field={field}")
    to_layer = QgsCoordinateTransform(QgsCoordinateReferenceSystem("EPSG:32613"), layer.crs(), project)
    features = []
    for number in range(6):
        shape = QgsGeometry.fromPointXY(middle(number)).buffer(20, 3)
        shape.transform(to_layer)
        feature = QgsFeature(layer.fields())
        feature.setGeometry(shape)
        feature.setAttributes([f"roof {number}", None if number == 0 else 0.1 + 0.15 * number])
        features.append(feature)
    layer.dataProvider().addFeatures(features)
    return layer


def review_layer(plugin, qgis_iface, layer):
    qgis_iface.setActiveLayer(layer)
    plugin.dock.target_row.review_requested.emit()
    return plugin.desk.review


@pytest.mark.parametrize("crs", ["EPSG:32613", "EPSG:4326"])
def test_features_of_any_layer_are_looked_through_and_copied_where_accepted(plugin, qgis_iface, qgis_canvas, project, crs):
    layer = drawn(project, crs)
    review = review_layer(plugin, qgis_iface, layer)
    assert qgis_canvas.mapTool() is plugin.desk.tool
    assert [round(each.likeness, 2) for each in review.waiting] == [0.85, 0.7, 0.55, 0.4, 0.25, 0.0]
    assert review.current.polygon.contains(middle(5))
    plugin.desk.panel.filters.least.setValue(30)
    assert len(review.waiting) == 4
    key(qgis_canvas, Qt.Key.Key_Y, Qt.Key.Key_N)
    assert review.counts == (1, 1)
    target = plugin.digitizer.target.layer
    [copied] = target.getFeatures()
    assert copied.geometry().contains(QgsGeometry.fromPointXY(middle(5)))
    assert copied["prompts"] in (None, NULL, "")  # no prompts gave this shape
    assert layer.featureCount() == 6  # nothing of it is changed
    assert not layer.isEditable()
    key(qgis_canvas, Qt.Key.Key_Backspace, Qt.Key.Key_Backspace)
    assert target.featureCount() == 0


def test_only_what_is_selected_is_looked_through_and_what_the_target_has_is_left_out(plugin, qgis_iface, qgis_canvas, project):
    layer = drawn(project, field="area:double")
    review = review_layer(plugin, qgis_iface, layer)
    assert {each.likeness for each in review.waiting} == {1.0}  # nothing says how sure it is
    review.choose(review.waiting[2].proposal.id)
    key(qgis_canvas, Qt.Key.Key_Y, Qt.Key.Key_Escape)
    again = review_layer(plugin, qgis_iface, layer)
    assert len(again.waiting) == 5
    key(qgis_canvas, Qt.Key.Key_Escape)
    layer.selectByExpression("name in ('roof 4', 'roof 5')")
    assert len(review_layer(plugin, qgis_iface, layer).waiting) == 2


def test_a_feature_of_a_layer_is_corrected_with_clicks(plugin, qgis_iface, qgis_canvas, project):
    review = review_layer(plugin, qgis_iface, drawn(project))
    shape = review.current.polygon
    key(qgis_canvas, Qt.Key.Key_F)
    assert qgis_canvas.mapTool() is plugin.tool
    assert plugin.digitizer.polygon.equals(shape)  # as it was drawn, until something is said of it
    plugin.digitizer.click(middle(5), True)
    wait_until(lambda: plugin.digitizer.progress is None, 60)
    corrected = plugin.digitizer.polygon
    assert not corrected.equals(shape)
    plugin.digitizer.accept()
    [feature] = plugin.digitizer.target.layer.getFeatures()
    assert feature.geometry().area() == pytest.approx(corrected.area(), rel=1e-3)
    assert qgis_canvas.mapTool() is plugin.desk.tool
    assert len(review.waiting) == 5


def test_what_can_not_be_looked_through_is_said(plugin, qgis_iface, project, roofs):
    told = []
    plugin.desk.message.connect(lambda text, level: told.append(text))
    points = QgsVectorLayer("Point?crs=EPSG:32613", "points", "memory")
    project.addMapLayer(points)
    target = polygon_layer(project, SQUARE)
    plugin.digitizer.target.choose(target)
    far = polygon_layer(project, "Polygon ((0 0, 1 0, 1 1, 0 0))")
    for layer in (points, target, far, roofs):
        review_layer(plugin, qgis_iface, layer)
    assert len(told) == 4
    assert all("nothing to look through" in text for text in told)
    assert not plugin.desk.review.waiting


def test_a_right_click_rejects_the_proposal_under_it(plugin, qgis_canvas):
    accept_roofs(plugin, 0, 5)
    review = search(plugin)
    other = review.waiting[2]
    click(qgis_canvas, other.polygon.pointOnSurface().asPoint(), Qt.MouseButton.RightButton)
    assert other not in review.waiting
    assert review.counts == (0, 1)
    count = len(review.waiting)
    click(qgis_canvas, QgsPointXY(500_001, 4_499_999), Qt.MouseButton.RightButton)  # there is none
    assert len(review.waiting) == count


def test_a_counter_example_is_pointed_at_without_touching_the_draft(plugin, qgis_canvas):
    plugin.dock.class_name.setEditText("roof")
    accept_roofs(plugin, 0, 5)
    assert any(each.polygon.contains(middle(4)) for each in search(plugin).waiting)
    plugin.desk.leave()
    told = []
    plugin.desk.message.connect(lambda text, level: told.append(text))
    click(qgis_canvas, middle(4), Qt.MouseButton.RightButton, Qt.KeyboardModifier.ControlModifier)
    wait_until(lambda: told, 60)
    assert told == ["Kept as a counter-example of roof. Similar features are searched without what looks like it."]
    assert plugin.digitizer.draft.is_empty
    assert not any(each.polygon.contains(middle(4)) for each in search(plugin).waiting)


def test_unsure_proposals_are_asked_first_where_that_is_wished(plugin):
    accept_roofs(plugin, 0, 5)
    review, panel = search(plugin), plugin.desk.panel
    panel.filters.least.setValue(0)
    assert review.current is review.waiting[0]
    panel.unsure.click()
    unsure = min(review.waiting, key=lambda each: abs(each.likeness - 0.5))
    assert abs(review.current.likeness - 0.5) == abs(unsure.likeness - 0.5)
    panel.unsure.click()
    assert review.current is review.waiting[0]


def test_proposals_are_filtered_by_area_shape_and_class(plugin, project):
    shapes = {
        "roof": "Polygon ((500010 4499990, 500020 4499990, 500020 4499980, 500010 4499980, 500010 4499990))",
        "road": "Polygon ((500030 4499990, 500130 4499990, 500130 4499989, 500030 4499989, 500030 4499990))",
        "shed": "Polygon ((500030 4499960, 500032 4499960, 500032 4499958, 500030 4499958, 500030 4499960))",
    }
    layer = polygon_layer(project, crs="EPSG:32613", fields="&field=class:string")
    features = []
    for name, wkt in shapes.items():
        feature = QgsFeature(layer.fields())
        feature.setGeometry(QgsGeometry.fromWkt(wkt))
        feature["class"] = name
        features.append(feature)
    layer.dataProvider().addFeatures(features)
    plugin.desk.begin_with(layer)
    review, filters = plugin.desk.review, plugin.desk.panel.filters

    def shown():
        return {each.proposal.class_name for each in review.waiting}

    assert shown() == set(shapes)
    filters.compactness.setValue(50)
    assert shown() == {"roof", "shed"}
    filters.least_area.setValue(10)
    assert shown() == {"roof"}
    filters.compactness.setValue(0)
    filters.most_area.setValue(50)
    assert shown() == set()
    assert review.current is None
    filters.least_area.setValue(0)
    filters.most_area.setValue(filters.most_area.maximum())
    filters.class_name.setCurrentText("road")
    assert shown() == {"road"}
    assert plugin.desk.panel.list.topLevelItemCount() == 1
    key(plugin.desk.tool.canvas(), Qt.Key.Key_Y)
    assert next(plugin.digitizer.target.layer.getFeatures())["class"] == "road"  # none was chosen in the panel
