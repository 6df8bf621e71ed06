"""The draft's outline changed by hand, with mouse and keys on a real canvas."""

import pytest
from qgis.core import (
    QgsFeature,
    QgsGeometry,
    QgsPointXY,
    QgsProject,
    QgsRectangle,
    QgsSnappingConfig,
    QgsTolerance,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import Qt

from helpers import FIELD, MIDDLE, iou
from rasterlasso.contract.edits import Edit
from rasterlasso.contract.looks import Finish
from rasterlasso.contract.recipe import Recipe
from rasterlasso.plugin.canvas.hand_tool import HandTool
from rasterlasso.plugin.journal.entries import DraftEntry

CTRL, SHIFT, NONE = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.NoModifier
FIELD_GEOMETRY = QgsGeometry.fromRect(QgsRectangle(*FIELD))


@pytest.fixture
def hand(bench, cad_dock):
    """The field found, with straight sides, and the tool on it."""
    bench.digitizer.lens.set_finish(Finish(tolerance_px=1.0, straight_sides=True))
    bench.click(*MIDDLE)
    bench.answered()
    tool = HandTool(bench.canvas, cad_dock, bench.digitizer, bench.preview)
    tool.left.connect(lambda: bench.canvas.setMapTool(bench.tool))
    bench.canvas.setMapTool(tool)
    bench.hand = tool
    yield bench
    bench.canvas.unsetMapTool(tool)
    tool.remove()


def vertices(bench):
    return [QgsPointXY(each) for each in bench.digitizer.polygon.vertices()][:-1]


def nearest(bench, x, y):
    return min(vertices(bench), key=lambda vertex: vertex.distance(x, y))


def middle_of(one, other):
    return (one.x() + other.x()) / 2, (one.y() + other.y()) / 2


def test_a_vertex_goes_where_it_is_dragged_and_back(hand):
    before = QgsGeometry(hand.digitizer.polygon)
    corner = nearest(hand, FIELD[2], FIELD[3])
    hand.drag((corner.x(), corner.y()), (corner.x() + 60, corner.y() + 40))
    assert nearest(hand, corner.x() + 60, corner.y() + 40).distance(corner.x() + 60, corner.y() + 40) < 4
    assert len(vertices(hand)) == before.constGet().nCoordinates() - 1
    hand.key(Qt.Key.Key_Z, CTRL)
    assert hand.digitizer.progress is None  # nothing was asked
    assert hand.digitizer.polygon.equals(before)
    hand.key(Qt.Key.Key_Z, CTRL | SHIFT)
    assert nearest(hand, corner.x() + 60, corner.y() + 40).distance(corner.x() + 60, corner.y() + 40) < 4
    assert hand.messages == []


def test_a_click_grips_a_vertex_and_the_next_one_lets_go(hand):
    corner = nearest(hand, FIELD[2], FIELD[3])
    hand.click(corner.x(), corner.y())
    hand.move(corner.x() + 30, corner.y() + 30)
    hand.click(corner.x() + 50, corner.y() + 50)
    assert nearest(hand, corner.x() + 50, corner.y() + 50).distance(corner.x() + 50, corner.y() + 50) < 4
    hand.click(corner.x() + 50, corner.y() + 50)
    hand.key(Qt.Key.Key_Escape)
    hand.click(corner.x() + 90, corner.y() + 90)
    assert len(hand.digitizer.draft.edits) == 1


def test_the_middle_of_an_edge_makes_a_vertex_and_delete_takes_it(hand):
    count = len(vertices(hand))
    one, other = nearest(hand, FIELD[0], FIELD[3]), nearest(hand, FIELD[2], FIELD[3])
    x, y = middle_of(one, other)
    hand.drag((x, y), (x, y + 60))
    assert len(vertices(hand)) == count + 1
    hand.move(*nearest(hand, x, y + 60))
    hand.key(Qt.Key.Key_Delete)
    assert len(vertices(hand)) == count
    assert iou(hand.digitizer.polygon, FIELD_GEOMETRY) > 0.95


def test_an_edge_moves_with_both_ends(hand):
    one, other = nearest(hand, FIELD[0], FIELD[3]), nearest(hand, FIELD[2], FIELD[3])
    x, y = one.x() + 0.2 * (other.x() - one.x()), one.y() + 0.2 * (other.y() - one.y())
    count, area = len(vertices(hand)), hand.digitizer.polygon.area()
    hand.drag((x, y), (x, y + 50))
    assert len(vertices(hand)) == count
    assert hand.digitizer.polygon.area() - area == pytest.approx(50 * one.distance(other), rel=0.1)


def test_a_line_across_the_outline_reshapes_it(hand):
    x0, y0, _, y1 = FIELD
    area = hand.digitizer.polygon.area()
    hand.draw((x0 + 60, y1 - 40), (x0 + 60, y1 + 60), (x0 + 120, y1 + 60), (x0 + 120, y1 - 40), modifier=NONE)
    assert hand.digitizer.polygon.area() - area == pytest.approx(60 * 60, rel=0.2)
    hand.draw((x0 + 60, y0 + 60), (x0 + 90, y0 + 60), modifier=NONE)
    assert hand.messages == ["The line does not cross the outline twice. Begin and end it on the same side of the outline."]


def test_what_would_cross_itself_is_refused(hand):
    before = QgsGeometry(hand.digitizer.polygon)
    corner = nearest(hand, FIELD[2], FIELD[3])
    hand.drag((corner.x(), corner.y()), (FIELD[0] - 60, FIELD[1] + 20))
    assert hand.digitizer.polygon.equals(before)
    assert hand.messages == ["The outline would cross itself, or nothing would be left of it. Move it somewhere else."]


def test_what_was_changed_stays_when_a_click_alters_another_side(hand):
    x0, y0, x1, y1 = FIELD
    hand.draw((x0 + 30, y1 - 30), (x0 + 30, y1 + 50), (x0 + 90, y1 + 50), (x0 + 90, y1 - 30), modifier=NONE)
    beyond = QgsPointXY(x0 + 60, y1 + 30)
    assert hand.digitizer.polygon.contains(beyond)
    hand.key(Qt.Key.Key_V)
    assert hand.canvas.mapTool() is hand.tool
    hand.click(x1 - 30, y0 + 80, Qt.MouseButton.RightButton)
    found = hand.answered()
    assert found.contains(beyond)
    assert not found.contains(QgsPointXY(x1 - 30, y0 + 80))
    hand.click(beyond.x(), beyond.y(), Qt.MouseButton.RightButton)  # the opposite is said: now the model rules there
    assert not hand.answered().contains(beyond)


def test_it_is_kept_with_the_feature_and_comes_back_with_it(hand):
    x0, y0, x1, y1 = FIELD
    hand.draw((x0 + 30, y1 - 30), (x0 + 30, y1 + 50), (x0 + 90, y1 + 50), (x0 + 90, y1 - 30), modifier=NONE)
    shape = QgsGeometry(hand.digitizer.polygon)
    hand.key(Qt.Key.Key_Return)
    assert hand.canvas.mapTool() is hand.tool
    layer = hand.digitizer.target.layer
    [feature] = layer.getFeatures()
    recipe = Recipe.of(feature["prompts"])
    assert len(recipe.edits) == 1
    hand.click(*MIDDLE, modifier=Qt.KeyboardModifier.AltModifier)
    assert iou(hand.digitizer.polygon, shape) > 0.9999
    assert hand.digitizer.draft.unchanged is not None
    hand.click(x1 - 30, y0 + 80, Qt.MouseButton.RightButton)
    assert hand.answered().contains(QgsPointXY(x0 + 60, y1 + 30))


def test_a_reopened_feature_changed_by_hand_alone_keeps_its_prompts(hand):
    hand.key(Qt.Key.Key_Return)
    hand.click(*MIDDLE, modifier=Qt.KeyboardModifier.AltModifier)
    hand.canvas.setMapTool(hand.hand)
    corner = nearest(hand, FIELD[2], FIELD[3])
    hand.drag((corner.x(), corner.y()), (corner.x() + 60, corner.y() + 40))
    hand.key(Qt.Key.Key_Return)
    [feature] = hand.digitizer.target.layer.getFeatures()
    recipe = Recipe.of(feature["prompts"])
    assert len(recipe.prompts.points) == len(recipe.edits) == 1
    assert nearest_of(feature.geometry(), corner.x() + 60, corner.y() + 40) < 4


def nearest_of(geometry, x, y):
    return min(QgsPointXY(each).distance(x, y) for each in geometry.vertices())


def test_snapping_is_qgis_own(hand):
    """A vertex dragged near a corner of another layer lies on it, by the project's snapping settings."""
    layer = QgsVectorLayer("Polygon?crs=EPSG:32613", "neighbour", "memory")
    feature = QgsFeature()
    corner = nearest(hand, FIELD[2], FIELD[3])
    place = (corner.x() + 60, corner.y() + 60)
    feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(*place, place[0] + 90, place[1] + 90)))
    layer.dataProvider().addFeature(feature)
    QgsProject.instance().addMapLayer(layer)
    hand.canvas.setLayers([layer, hand.digitizer.imagery])
    config = QgsSnappingConfig(QgsProject.instance())
    config.setEnabled(True)
    config.setMode(QgsSnappingConfig.SnappingMode.AllLayers)
    config.setTypeFlag(QgsSnappingConfig.SnappingTypes.VertexFlag)
    config.setTolerance(12)
    config.setUnits(QgsTolerance.UnitType.Pixels)
    hand.canvas.snappingUtils().setMapSettings(hand.canvas.mapSettings())
    hand.canvas.snappingUtils().setConfig(config)
    hand.drag((corner.x(), corner.y()), (place[0] - 5, place[1] - 4))
    assert nearest(hand, *place).distance(*place) < 1e-6


def test_a_journal_holds_it(hand):
    corner = nearest(hand, FIELD[2], FIELD[3])
    hand.drag((corner.x(), corner.y()), (corner.x() + 60, corner.y() + 40))
    draft = hand.digitizer.draft
    entry = DraftEntry.of(draft, hand.digitizer.imagery, 0, QgsProject.instance())
    again = DraftEntry.from_wire(entry.to_wire()).draft
    assert again.steps == draft.steps
    assert isinstance(again.steps[-1], Edit)
