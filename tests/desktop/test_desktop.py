"""The whole QGIS on a virtual screen, with the plugin from its zip, driven by mouse and keyboard."""

import os
from pathlib import Path

import geopandas
import pytest
import rasterio.warp
import shapely
from shapely import Point

from demo.desktop import Desktop
from rasterlasso.contract.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]
LAKE = (-105.865, 40.155)
LAKE_VIEW = (-105.96, 40.08, -105.72, 40.24)
CLOSE_VIEW = (-105.885, 40.142, -105.845, 40.168)
IDLE = "lasso.digitizer.progress is None"


@pytest.fixture(scope="module")
def desktop(sample_image, engine_python):
    package = ROOT / os.environ["RASTERLASSO_PACKAGE"]
    os.environ.pop("DISPLAY", None)  # the tests never take the user's own mouse
    with Desktop(package, engine_python) as running:
        running.open_raster(sample_image, LAKE_VIEW)
        running.press_toolbar_button()
        running.until("lasso.engine.state.value == 'ready'")
        yield running


@pytest.fixture
def clean(desktop):
    """The lake in view, no draft, no messages."""
    desktop.run(
        "from qgis.utils import plugins\n"
        "plugins['rasterlasso'].digitizer.clear()\n"
        "iface.messageBar().clearWidgets()\n"
        "iface.mapCanvas().setFocus()\n"
    )
    return desktop


def steps(desktop):
    return desktop.until(f"{IDLE} and [len(lasso.digitizer.draft.steps)]")[0]


def area(desktop):
    return desktop.until(f"{IDLE} and lasso.digitizer.polygon.area()")


def test_click_background_undo_and_clear_by_mouse_and_keyboard(clean):
    clean.press(*clean.screen_xy(*LAKE))
    whole = area(clean)
    clean.press(*clean.screen_xy(-105.83, 40.14), keys="shift")
    assert steps(clean) == 2
    assert area(clean) < whole
    clean.key("ctrl+z")
    assert steps(clean) == 1
    assert area(clean) == whole
    clean.press(*clean.screen_xy(-105.83, 40.14), button=3)
    assert steps(clean) == 2
    clean.key("BackSpace")
    assert steps(clean) == 1
    clean.key("Escape")
    assert steps(clean) == 0


def test_the_outline_is_changed_by_hand_with_the_real_mouse(clean, tmp_path):
    """The northernmost vertex of the lake is dragged away and the lake accepted: what was done is kept with it."""
    clean.look_at(LAKE_VIEW)
    clean.press(*clean.screen_xy(*LAKE))
    before = area(clean)
    clean.key("v")
    clean.until("iface.mapCanvas().mapTool() is lasso.hand")
    highest = "max(lasso.digitizer.polygon.vertices(), key=lambda vertex: vertex.y())"
    to_map = "lasso.digitizer.lens.to_map()"
    x, y = clean.until(f"(lambda place: [place.x(), place.y()])({to_map}.transform({highest}.x(), {highest}.y()))")
    clean.drag(clean.screen_xy(x, y), clean.screen_xy(x, y + 0.01))
    shots = Path(os.environ.get("RASTERLASSO_SHOTS", tmp_path))
    clean.until("len(lasso.digitizer.draft.edits) == 1")
    clean.screenshot(shots / "by-hand.png")
    assert area(clean) > before
    clean.key("ctrl+z")
    clean.until(f"abs(lasso.digitizer.polygon.area() - {before}) < 1")
    clean.key("ctrl+shift+z", "Return")
    clean.until("lasso.digitizer.draft.is_empty and iface.mapCanvas().mapTool() is lasso.tool")
    kept = clean.until("[each['prompts'] for each in lasso.digitizer.target.layer.getFeatures()][-1]")
    assert len(Recipe.of(kept).edits) == 1
    assert "Traceback" not in clean.log


def test_a_dragged_box_finds_the_lake(clean):
    clean.drag(clean.screen_xy(-105.90, 40.18), clean.screen_xy(-105.765, 40.12))
    assert steps(clean) == 1
    assert clean.until("lasso.digitizer.draft.box is not None and lasso.digitizer.answer is not None")
    assert area(clean) * 85.1 * 111.0 == pytest.approx(29.4, rel=0.25)


def test_space_pans_and_the_draft_stays(clean):
    clean.press(*clean.screen_xy(*LAKE))
    before = area(clean)
    center = clean.run("c = iface.mapCanvas().center()\nresult = [c.x(), c.y()]")
    x, y = clean.screen_xy(*LAKE)
    clean.pan_with_space((x, y), (x - 90, y))
    moved = clean.run("c = iface.mapCanvas().center()\nresult = [c.x(), c.y()]")
    assert moved[0] > center[0]
    assert steps(clean) == 1
    assert area(clean) == before
    clean.look_at(LAKE_VIEW)


def test_a_lake_across_many_tiles_is_one_polygon_after_panning(clean, tmp_path):
    """At this scale the lake spans some ten tiles: one click in a corner of it, after panning there."""
    whole = geopandas.GeoSeries([Point(LAKE).buffer(0.12)], crs="EPSG:4326").total_bounds
    clean.look_at(CLOSE_VIEW)
    clean.until("not iface.mapCanvas().isDrawing()")
    x, y = clean.screen_xy(*LAKE)
    clean.pan_with_space((x, y), (x + 150, y))
    clean.press(*clean.screen_xy(*LAKE))
    found = clean.until(f"{IDLE} and lasso.digitizer.polygon.asWkt()", 120)
    assert clean.until("[lasso.digitizer.answer.level]")[0] == -4
    shape = shapely.from_wkt(found)
    shape = max(shapely.get_parts(shape), key=lambda part: part.area)
    assert shape.contains(Point(LAKE))
    assert shapely.box(*whole).contains(shape)
    assert shape.area * 85.1 * 111.0 == pytest.approx(29.4, rel=0.25)
    clean.look_at(LAKE_VIEW)
    clean.run("iface.mapCanvas().refreshAllLayers()")
    clean.until("not iface.mapCanvas().isDrawing()")
    clean.screenshot(Path(os.environ.get("RASTERLASSO_SHOTS", tmp_path)) / "large.png")


def test_the_engine_is_killed_while_it_segments(clean):
    clean.press(*clean.screen_xy(*LAKE))
    expected = area(clean)
    clean.run("iface.messageBar().clearWidgets()")
    first = clean.until("lasso.engine.process_id")
    clean.run(
        "import os, signal\n"
        "from qgis.utils import plugins\n"
        "lasso = plugins['rasterlasso']\n"
        "lasso.digitizer.clear()\n"
        "from qgis.core import QgsPointXY\n"
        f"lasso.digitizer.click(QgsPointXY(*{LAKE!r}), True)\n"
        "os.kill(lasso.engine.process_id, signal.SIGKILL)\n"
    )
    assert clean.until("lasso.digitizer.answer is not None and lasso.engine.process_id") != first
    assert area(clean) == pytest.approx(expected, rel=0.02)  # the screen's pixels are coarser than the coordinates
    messages = clean.run("result = [item.text() for item in iface.messageBar().items()]")
    assert len(messages) == 1
    assert "clicks are kept" in messages[0]


def test_accepting_in_another_project_crs_and_qgis_own_undo(clean, tmp_path):
    output = tmp_path / "lake.gpkg"
    clean.new_geopackage(output)
    clean.run(
        "from qgis.core import QgsCoordinateReferenceSystem, QgsProject, QgsRectangle, QgsCoordinateTransform\n"
        "project = QgsProject.instance()\n"
        "utm = QgsCoordinateReferenceSystem('EPSG:32613')\n"
        "project.setCrs(utm)\n"
        f"view = QgsRectangle(*{LAKE_VIEW!r})\n"
        "to_utm = QgsCoordinateTransform(QgsCoordinateReferenceSystem('EPSG:4326'), utm, project)\n"
        "iface.mapCanvas().setExtent(to_utm.transformBoundingBox(view))\n"
    )
    clean.until("not iface.mapCanvas().isDrawing()")
    [x], [y] = rasterio.warp.transform("EPSG:4326", "EPSG:32613", [LAKE[0]], [LAKE[1]])
    clean.press(*clean.screen_xy(x, y))
    area(clean)
    clean.key("Return")
    clean.until("lasso.digitizer.target.layer.featureCount() == 1")
    clean.run(
        "from qgis.utils import plugins\n"
        "iface.setActiveLayer(plugins['rasterlasso'].digitizer.target.layer)\n"
        "iface.mapCanvas().setFocus()"
    )
    clean.key("ctrl+z")
    clean.until("lasso.digitizer.target.layer.featureCount() == 0")
    clean.key("ctrl+shift+z")
    clean.until("lasso.digitizer.target.layer.featureCount() == 1")
    clean.save_edits()
    [shape] = geopandas.read_file(output, layer="features").geometry
    assert shape.is_valid
    assert shape.contains(Point(LAKE))
    assert geopandas.read_file(output, layer="features").area_m2[0] / 1e6 == pytest.approx(29.4, rel=0.15)


def test_a_key_of_the_users_own_from_qgis_list_of_shortcuts(clean):
    clean.run(
        "from qgis.gui import QgsGui\n"
        "manager = QgsGui.shortcutsManager()\n"
        "ours = {a.objectName(): a for a in manager.listActions() if a.objectName().startswith('RasterLasso')}\n"
        "assert {'RasterLassoAction', 'RasterLassoAccept', 'RasterLassoSplit', 'RasterLassoShareBorders'} <= set(ours), ours\n"
        "assert manager.setKeySequence(ours['RasterLassoClear'], 'F9')\n"
        "iface.mapCanvas().setFocus()"
    )
    x, y = clean.run("c = iface.mapCanvas().center()\nresult = [c.x(), c.y()]")
    clean.press(*clean.screen_xy(x, y))
    clean.until("not lasso.digitizer.draft.is_empty")
    clean.key("F9")
    clean.until("lasso.digitizer.draft.is_empty")


def test_nothing_went_wrong_in_qgis(desktop):
    assert "Traceback" not in desktop.log
