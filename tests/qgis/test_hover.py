"""What a click would give, before it is made."""

from qgis.core import QgsGeometry, QgsPointXY, QgsRasterLayer, QgsRectangle
from qgis.PyQt.QtCore import QEvent, Qt
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QApplication

from helpers import BESIDE, FIELD, MIDDLE, wait_until
from rasterlasso.plugin.imagery import lens
from rasterlasso.plugin.imagery.source import raster_path


def encode(bench):
    """Let the engine look at the tile, and be through with it."""
    bench.click(*MIDDLE)
    answer = bench.answered()
    bench.key(Qt.Key.Key_Escape)
    return answer


def test_where_nothing_is_encoded_nothing_is_shown(bench):
    bench.prefetch.stop()
    shown = []
    bench.hover.changed.connect(lambda: shown.append(bench.hover.polygon))
    bench.move(*MIDDLE)
    QTest.qWait(300)
    assert shown == []


def test_the_field_under_the_mouse_is_shown_as_a_click_would_give_it(bench):
    clicked = encode(bench)
    bench.move(*BESIDE)  # a mouse that stays where it is moves nothing
    bench.move(*MIDDLE)
    wait_until(lambda: bench.hover.polygon is not None and bench.hover.polygon.contains(QgsPointXY(*MIDDLE)))
    field = QgsGeometry.fromRect(QgsRectangle(*FIELD))
    shown = bench.hover.polygon
    assert shown.intersection(field).area() / shown.combine(field).area() > 0.85
    assert shown.symDifference(clicked).area() < 0.1 * clicked.area()
    assert bench.digitizer.draft.is_empty


def test_a_press_and_the_leaving_mouse_take_it_away(bench):
    encode(bench)
    for leave in (
        lambda: bench.click(*BESIDE),
        lambda: QApplication.sendEvent(bench.canvas, QEvent(QEvent.Type.Leave)),
        lambda: bench.canvas.unsetMapTool(bench.tool),
    ):
        bench.move(*BESIDE)
        bench.move(*MIDDLE)
        wait_until(lambda: bench.hover.polygon is not None)
        leave()
        assert bench.hover.polygon is None
        bench.digitizer.clear()


def test_with_a_draft_or_switched_off_nothing_is_asked(bench):
    encode(bench)
    shown = []
    bench.hover.changed.connect(lambda: shown.append(bench.hover.polygon))
    bench.click(*MIDDLE)
    bench.answered()
    bench.move(*BESIDE)
    bench.key(Qt.Key.Key_Escape)
    bench.hover.enabled = False
    bench.move(*MIDDLE)
    QTest.qWait(300)
    assert [polygon for polygon in shown if polygon is not None] == []


def test_the_layers_source_is_worked_out_once(bench, imagery, project, monkeypatch):
    """It was worked out five times for each move of the mouse, for some servers with a request to them."""
    asked = []
    monkeypatch.setattr(lens, "raster_path", lambda layer: (asked.append(layer), raster_path(layer))[1])
    encode(bench)
    for _ in range(3):
        bench.move(*BESIDE)
        bench.move(*MIDDLE)
    wait_until(lambda: bench.hover.polygon is not None)
    assert len(asked) <= 1
    other = QgsRasterLayer(imagery.source(), "the same file")
    project.addMapLayer(other)
    bench.digitizer.set_imagery(other)
    bench.digitizer.lens.checked()
    assert len(asked) <= 2
    project.removeMapLayer(other.id())
