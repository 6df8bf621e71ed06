"""Objects larger than a tile, the size dial, and looking ahead, on a real canvas."""

import numpy as np
import pytest
from osgeo import gdal, osr
from qgis.core import QgsPointXY, QgsRasterLayer
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtTest import QTest

from helpers import MIDDLE, wait_until
from rasterlasso.plugin.digitizing.state import DraftState
from rasterlasso.plugin.panel.dock import LassoDock

WIDTH, HEIGHT = 9000, 2400


@pytest.fixture
def river(bench, project, tmp_path):
    """A river of many tiles as the bench's imagery; gives the (x, y) of its middle at a share of its length."""
    x = np.arange(WIDTH) + 0.5
    middle = HEIGHT / 2 + 600 * np.sin(x / 1200)
    inside = np.abs(np.arange(HEIGHT)[:, None] + 0.5 - middle) < 260
    inside[:, :200] = inside[:, -200:] = False
    rng = np.random.default_rng(3)
    pixels = np.where(inside, 40 + rng.integers(0, 12, inside.shape), 130 + rng.integers(0, 40, inside.shape))
    path = tmp_path / "river.tif"
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), WIDTH, HEIGHT, 1, gdal.GDT_Byte, ["TILED=YES"])
    crs = osr.SpatialReference()
    crs.ImportFromEPSG(32613)
    dataset.SetProjection(crs.ExportToWkt())
    dataset.SetGeoTransform((500_000, 1, 0, 4_500_000, 0, -1))
    dataset.GetRasterBand(1).WriteArray(pixels.astype(np.uint8))
    dataset = None
    layer = QgsRasterLayer(str(path), "river")
    project.addMapLayer(layer)
    bench.digitizer.set_imagery(layer)

    def at(share):
        return 500_000 + share * WIDTH, 4_500_000 - middle[int(share * WIDTH)]

    x, y = at(0.5)
    bench.look_at(x - 400, y - 300, x + 400, y + 300)
    yield at
    project.removeMapLayer(layer.id())


def test_what_is_larger_than_a_click_may_cost_is_asked_about(bench, engine, river):
    bench.digitizer.lens.most_tiles = 3
    imagery = bench.digitizer.imagery
    dock = LassoDock(bench.digitizer, bench.hover, engine)
    dock.imagery.setLayer(imagery)
    dock.show()
    bench.click(*river(0.5))
    wait_until(lambda: bench.digitizer.progress is None, 60)
    part = bench.digitizer.polygon.area()
    assert bench.digitizer.answer.tiles_left > 0
    assert "larger than one click looks at" in dock.status.text()
    assert dock.go_on_button.isVisible()
    assert f"about {bench.digitizer.answer.tiles_left} more tiles" in dock.go_on_button.text()
    dock.go_on_button.click()
    assert bench.digitizer.polygon.area() == part, "what is found stays in view"
    wait_until(lambda: bench.digitizer.progress is None, 120)
    assert bench.digitizer.answer.tiles_left == 0
    assert not dock.go_on_button.isVisible()
    assert bench.digitizer.polygon.area() == pytest.approx((WIDTH - 400) * 520, rel=0.04)
    dock.deleteLater()


def test_a_part_that_is_taken_as_it_is_claims_no_prompts(bench, river):
    bench.digitizer.lens.most_tiles = 3
    bench.click(*river(0.5))
    wait_until(lambda: bench.digitizer.progress is None, 60)
    shown = bench.digitizer.polygon.area()
    bench.key(Qt.Key.Key_Return)
    [feature] = bench.digitizer.target.layer.getFeatures()
    assert feature.geometry().area() == pytest.approx(shown)
    assert not feature["prompts"], "they would give all of it"


def test_one_click_gives_the_whole_river_while_a_part_is_shown_first(bench, river):
    areas = []

    def note():
        if bench.digitizer.state is DraftState.GROWING:
            areas.append(bench.digitizer.polygon.area())

    bench.digitizer.progressed.connect(note)
    bench.click(*river(0.5))
    wait_until(lambda: bench.digitizer.progress is None, 120)
    polygon = bench.digitizer.polygon
    assert not polygon.isMultipart() or polygon.constGet().numGeometries() == 1
    assert polygon.area() == pytest.approx((WIDTH - 400) * 520, rel=0.04)
    assert areas
    assert areas[0] < polygon.area()
    assert bench.messages == []


def test_escape_stops_and_keeps_what_is_found_then_clears(bench, river):
    bench.click(*river(0.5))
    wait_until(lambda: bench.digitizer.state is DraftState.GROWING, 60)
    bench.key(Qt.Key.Key_Escape)
    assert bench.digitizer.progress is None
    part = bench.digitizer.polygon
    assert part.contains(QgsPointXY(*river(0.5)))
    assert "as far as it was found" in bench.messages[0]
    QTest.qWait(500)
    assert bench.digitizer.polygon.equals(part)
    bench.digitizer.accept()
    assert bench.digitizer.target.layer.featureCount() == 1


def test_after_enter_and_escape_clicks_correct_what_was_found(bench, river):
    bench.click(*river(0.5))
    wait_until(lambda: bench.digitizer.state is DraftState.GROWING, 60)
    bench.key(Qt.Key.Key_Return)
    bench.key(Qt.Key.Key_Escape)
    bench.click(*river(0.5)[:1], river(0.5)[1] + 1, Qt.MouseButton.RightButton)
    assert len(bench.digitizer.draft.points) == 2
    bench.digitizer.clear()


def test_the_size_dial_looks_at_another_level_and_asks_again(bench):
    bench.click(*MIDDLE)
    bench.answered()
    level = bench.digitizer.answer.level
    bench.key(Qt.Key.Key_Minus)
    bench.answered()
    assert bench.digitizer.answer.level == level - 1
    bench.key(Qt.Key.Key_Plus)
    bench.answered()
    assert bench.digitizer.answer.level == level
    bench.digitizer.lens.set_size(99)
    assert bench.digitizer.lens.size == 4
    bench.digitizer.lens.set_size(0)


def test_what_is_in_view_is_encoded_before_the_first_click(bench, engine):
    bench.click(*MIDDLE)  # the engine is up
    bench.answered()
    bench.key(Qt.Key.Key_Escape)
    bench.look_at(500_100, 4_499_600, 500_400, 4_499_825)
    QTest.qWait(400)
    wait_until(lambda: not engine.is_busy)
    QTest.qWait(2500)
    bench.move(500_220, 4_499_700)
    bench.move(*MIDDLE)
    wait_until(lambda: bench.hover.polygon is not None, 10)
    assert bench.digitizer.draft.is_empty
