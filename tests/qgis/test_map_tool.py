"""Mouse and keys on a real canvas, answered by the real engine."""

import pytest
from qgis.core import QgsGeometry, QgsPointXY, QgsRectangle
from qgis.PyQt.QtCore import QEvent, QPoint, Qt
from qgis.PyQt.QtGui import QKeyEvent
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QApplication

from helpers import BESIDE, FIELD, MIDDLE, iou
from rasterlasso.contract.prompts import Box, Point
from rasterlasso.plugin.digitizing.draft import Outline
from rasterlasso.plugin.geo.wkb import from_hex

SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
FIELD_GEOMETRY = QgsGeometry.fromRect(QgsRectangle(*FIELD))


def items(canvas):
    return len(canvas.scene().items())


def test_a_left_click_is_foreground_and_finds_the_field(bench):
    bench.click(*MIDDLE)
    [point] = bench.digitizer.draft.points
    assert point.foreground
    assert (point.x, point.y) == pytest.approx(MIDDLE, abs=bench.canvas.mapUnitsPerPixel())
    assert iou(bench.answered(), FIELD_GEOMETRY) > 0.95
    assert bench.messages == []


@pytest.mark.parametrize(
    ("button", "modifier"), [(Qt.MouseButton.RightButton, Qt.KeyboardModifier.NoModifier), (Qt.MouseButton.LeftButton, SHIFT)]
)
def test_right_and_shift_clicks_are_background(bench, button, modifier):
    bench.click(*MIDDLE)
    whole = bench.answered()
    bench.click(500_330, 4_499_720, button, modifier)
    part = bench.answered()
    assert [point.foreground for point in bench.digitizer.draft.points] == [True, False]
    assert part.area() < whole.area()
    assert not part.contains(QgsPointXY(500_330, 4_499_720))


def test_a_background_click_alone_asks_nothing_and_says_what_to_do(bench):
    bench.click(*BESIDE, Qt.MouseButton.RightButton)
    assert bench.digitizer.progress is None
    assert bench.digitizer.draft.is_empty
    assert bench.messages == ["Click a feature first. A right click then says what does not belong to it."]


def test_a_drag_is_a_box(bench):
    bench.drag((500_100, 4_499_620), (500_380, 4_499_820))
    [box] = bench.digitizer.draft.steps
    assert isinstance(box, Box)
    assert (box.x0, box.y0, box.x1, box.y1) == pytest.approx((500_100, 4_499_620, 500_380, 4_499_820), abs=4)
    assert iou(bench.answered(), FIELD_GEOMETRY) > 0.9


@pytest.mark.parametrize(("key", "modifier"), [(Qt.Key.Key_Backspace, Qt.KeyboardModifier.NoModifier), (Qt.Key.Key_Z, CTRL)])
def test_the_last_prompt_is_taken_back(bench, key, modifier):
    bench.click(*MIDDLE)
    first = bench.answered()
    bench.click(500_330, 4_499_720, Qt.MouseButton.RightButton)
    bench.answered()
    bench.key(key, modifier)
    assert bench.answered().equals(first)
    bench.key(key, modifier)
    assert bench.digitizer.draft.is_empty
    assert bench.digitizer.polygon is None


def test_escape_clears_and_a_late_answer_is_not_shown(bench):
    before = items(bench.canvas)
    bench.click(*MIDDLE)
    bench.key(Qt.Key.Key_Escape)
    assert bench.digitizer.draft.is_empty
    assert bench.answered() is None
    bench.click(*MIDDLE)
    bench.answered()
    assert items(bench.canvas) == before + 1
    bench.key(Qt.Key.Key_Escape)
    assert items(bench.canvas) == before


def test_enter_accepts_at_once_or_as_soon_as_the_answer_is_there(bench):
    bench.click(*MIDDLE)
    bench.answered()
    bench.key(Qt.Key.Key_Return)
    assert bench.digitizer.target.layer.featureCount() == 1
    bench.click(*MIDDLE)
    bench.key(Qt.Key.Key_Enter)
    bench.answered()
    assert bench.digitizer.target.layer.featureCount() == 2
    assert bench.digitizer.draft.is_empty


def overridden(canvas, key, modifier=Qt.KeyboardModifier.NoModifier):
    """Whether a key is claimed before QGIS's own shortcuts see it."""
    event = QKeyEvent(QEvent.Type.ShortcutOverride, key, modifier)
    event.ignore()
    QApplication.sendEvent(canvas, event)
    return event.isAccepted()


def test_keys_are_claimed_only_while_there_is_a_draft_and_the_tool_is_on(bench):
    own = [(Qt.Key.Key_Z, CTRL), (Qt.Key.Key_Return,), (Qt.Key.Key_Escape,)]
    assert not any(overridden(bench.canvas, *key) for key in own)
    own.append((Qt.Key.Key_Backspace,))
    assert overridden(bench.canvas, Qt.Key.Key_Backspace)  # QGIS would delete selected features
    bench.click(*MIDDLE)
    assert all(overridden(bench.canvas, *key) for key in own)
    assert not overridden(bench.canvas, Qt.Key.Key_S, CTRL)
    assert not overridden(bench.canvas, Qt.Key.Key_Space)
    bench.canvas.unsetMapTool(bench.tool)
    assert not any(overridden(bench.canvas, *key) for key in own)
    assert len(bench.digitizer.draft.points) == 1


def test_arrow_keys_pan_as_everywhere_in_qgis(bench):
    bench.click(*MIDDLE)
    bench.answered()
    center = bench.canvas.center()
    bench.key(Qt.Key.Key_Right)
    assert bench.canvas.center().x() > center.x()
    assert len(bench.digitizer.draft.points) == 1


def test_clicks_arrive_in_the_rasters_crs_from_any_project_crs(bench):
    bench.look_at(-105.0, 40.640, -104.99, 40.650, crs="EPSG:4326")
    lonlat = (
        bench.canvas.mapSettings().layerExtentToOutputExtent(bench.digitizer.imagery, QgsRectangle(*MIDDLE, *MIDDLE)).center()
    )
    bench.look_at(lonlat.x() - 0.004, lonlat.y() - 0.003, lonlat.x() + 0.004, lonlat.y() + 0.003, crs="EPSG:4326")
    bench.click(lonlat.x(), lonlat.y())
    [point] = bench.digitizer.draft.points
    assert (point.x, point.y) == pytest.approx(MIDDLE, abs=3)
    assert iou(bench.answered(), FIELD_GEOMETRY) > 0.95


def test_the_level_follows_the_maps_scale_and_stays_for_the_draft(bench):
    bench.look_at(*(MIDDLE[0] - 200, MIDDLE[1] - 150, MIDDLE[0] + 200, MIDDLE[1] + 150))
    bench.click(*MIDDLE)
    bench.answered()
    assert bench.digitizer.answer.level == -2
    bench.look_at(500_000, 4_499_400, 500_800, 4_500_000)
    bench.click(*BESIDE, Qt.MouseButton.RightButton)
    bench.answered()
    assert bench.digitizer.answer.level == -2


@pytest.mark.parametrize("gap_m", [0, 4, 8, 12])
def test_a_line_around_the_field_that_ends_where_it_began_is_an_outline(bench, gap_m):
    """Whoever closes a loop lets the button go near to where it went down."""
    left, bottom, right, top = FIELD
    corners = [(left - 3, top + 3), (right + 3, top + 3), (right + 3, bottom - 3), (left - 3, bottom - 3)]
    bench.draw(*corners, (left - 3, top + 3 - gap_m))
    [step] = bench.digitizer.draft.steps
    assert isinstance(step, Outline)
    assert iou(bench.answered(), FIELD_GEOMETRY) > 0.9


def test_a_hand_that_trembles_with_ctrl_down_clicks(bench):
    bench.draw(MIDDLE, (MIDDLE[0] + bench.canvas.mapUnitsPerPixel(), MIDDLE[1]))
    [step] = bench.digitizer.draft.steps
    assert isinstance(step, Point)


@pytest.mark.parametrize("angle", [30, 45, 90, 135])
def test_a_box_on_a_turned_map_holds_all_that_the_screens_rectangle_did(bench, angle):
    bench.canvas.setRotation(angle)
    bench.look_at(500_000, 4_499_400, 500_800, 4_500_000)
    middle = bench.screen(*MIDDLE)
    start, end = QPoint(middle.x() - 140, middle.y() - 140), QPoint(middle.x() + 140, middle.y() + 140)
    screen = (start, QPoint(end.x(), start.y()), end, QPoint(start.x(), end.y()))
    corners = [bench.tool.toMapCoordinates(each) for each in screen]
    viewport, left = bench.canvas.viewport(), Qt.MouseButton.LeftButton
    QTest.mousePress(viewport, left, Qt.KeyboardModifier.NoModifier, start)
    QTest.mouseMove(viewport, end)
    QTest.qWait(10)
    QTest.mouseRelease(viewport, left, Qt.KeyboardModifier.NoModifier, end)
    found = bench.answered()
    bench.canvas.setRotation(0)
    [step] = bench.digitizer.draft.steps
    assert isinstance(step, Box if angle == 90 else Outline)
    told = QgsGeometry.fromRect(QgsRectangle(step.x0, step.y0, step.x1, step.y1)) if angle == 90 else from_hex(step.wkb_hex)
    assert iou(told, QgsGeometry.fromPolygonXY([corners])) > 0.95
    assert iou(found, FIELD_GEOMETRY) > 0.9
    assert bench.messages == []
