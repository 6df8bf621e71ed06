"""The panel by real mouse and keys: its buttons, what a prompt does, which imagery is meant, and who has the keyboard."""

import os
from pathlib import Path

import pytest
import rasterio
import shapely
from rasterio.transform import Affine

from demo.desktop import Desktop

ROOT = Path(__file__).resolve().parents[2]
LAKE = (-105.865, 40.155)
LAKE_VIEW = (-105.96, 40.08, -105.72, 40.24)
BOX = ((-105.90, 40.18), (-105.85, 40.12))
"""Around the lake's western half."""

IDLE = "lasso.digitizer.progress is None"
ACTIVATE = (
    "from qgis.core import QgsProject\n"
    "from qgis.utils import iface\n"
    "named = QgsProject.instance().mapLayersByName('rmnp-rgb')\n"  # a scratch layer bears the imagery's name, too
    "iface.setActiveLayer(next(layer for layer in named if hasattr(layer, 'bandCount')))\n"
)
TOLD = "(lambda item: item.text() if item else '')(iface.messageBar().currentItem())"


@pytest.fixture(scope="module")
def desktop(sample_image, engine_python):
    os.environ.pop("DISPLAY", None)  # the tests never take the user's own mouse
    with Desktop(ROOT / os.environ["RASTERLASSO_PACKAGE"], engine_python) as running:
        running.open_raster(sample_image, LAKE_VIEW)
        assert running.until("[lasso.dock.isVisible()]") == [False]  # it opens with the tool, not with QGIS
        running.press_toolbar_button()
        running.until("lasso.engine.state.value == 'ready' and lasso.dock.isVisible()")
        yield running


@pytest.fixture
def clean(desktop):
    """The lake in view, no draft, no messages, a new scratch layer as target."""
    desktop.run(
        "from qgis.utils import plugins\n"
        "lasso = plugins['rasterlasso']\n"
        "lasso.digitizer.clear()\n"
        "lasso.dock.target.setLayer(None)\n"
        "iface.messageBar().clearWidgets()\n"
        "iface.mapCanvas().setFocus()\n"
    )
    desktop.look_at(LAKE_VIEW)
    return desktop


def click_lake(desktop):
    desktop.press(*desktop.screen_xy(*LAKE))
    return shapely.from_wkt(desktop.until(f"{IDLE} and lasso.digitizer.polygon and lasso.digitizer.polygon.asWkt(9)"))


def steps(desktop):
    return desktop.until(f"{IDLE} and [len(lasso.digitizer.draft.steps)]")[0]


def test_the_buttons_do_what_they_say_and_the_map_has_the_keyboard_again(clean):
    whole = click_lake(clean)
    clean.press(*clean.screen_xy(-105.83, 40.14), button=3)
    assert steps(clean) == 2
    clean.press_widget("lasso.dock.buttons.undo")
    assert clean.until("[iface.mapCanvas().hasFocus()]") == [True]
    assert steps(clean) == 1
    clean.press_widget("lasso.dock.buttons.redo")
    assert steps(clean) == 2
    clean.press_widget("lasso.dock.buttons.discard")
    assert steps(clean) == 0
    assert shapely.equals_exact(click_lake(clean), whole, 1e-6)
    clean.press_widget("lasso.dock.buttons.accept")
    clean.until("lasso.digitizer.draft.is_empty and lasso.digitizer.target.layer.featureCount() == 1")
    clean.key("F1")
    page = "[w for w in QApplication.topLevelWidgets() if w.objectName() == 'RasterLassoHelp']"
    close = f"[b for w in {page} for b in w.findChildren(QPushButton)]"
    clean.until(f"len({close}) == 1 and {close}[0].isVisible()")
    clean.press_widget(f"{close}[0]")
    clean.until(f"[len({close})]")


def test_a_box_is_a_limit_until_a_click_says_otherwise(clean):
    clean.drag(*(clean.screen_xy(*corner) for corner in BOX))
    assert steps(clean) == 1
    (west, north), (east, south) = BOX
    half = shapely.from_wkt(clean.until(f"{IDLE} and lasso.digitizer.polygon.asWkt(9)"))
    assert shapely.box(west, south, east, north).buffer(0.004).contains(half)
    clean.press(*clean.screen_xy(-105.83, 40.14))
    assert steps(clean) == 2
    assert shapely.from_wkt(clean.until(f"{IDLE} and lasso.digitizer.polygon.asWkt(9)")).area > 1.2 * half.area


def test_prompts_are_done_again_and_a_right_click_alone_says_what_to_do(clean):
    clean.press(*clean.screen_xy(*LAKE), button=3)
    clean.until(f"'Click a feature first' in {TOLD}")
    click_lake(clean)
    clean.press(*clean.screen_xy(-105.83, 40.14), button=3)
    assert steps(clean) == 2
    clean.key("ctrl+z")
    assert steps(clean) == 1
    clean.key("ctrl+shift+z")
    assert steps(clean) == 2


def test_a_counter_example_is_given_by_the_mouse(clean):
    clean.press(*clean.screen_xy(*LAKE), button=3, keys="ctrl")
    clean.until(f"'Kept as a counter-example' in {TOLD}")
    assert steps(clean) == 0


def test_the_imagery_follows_what_the_user_turns_to(clean, sample_image, tmp_path):
    """East of the sample lies another raster: a click there offers it, and the active layer is the imagery again."""
    east = tmp_path / "east.tif"
    with rasterio.open(sample_image) as here:
        profile, bands = dict(here.profile), here.read()
        profile["transform"] = Affine.translation(here.bounds.right - here.bounds.left, 0) @ here.transform
        middle = (here.bounds.right + (here.bounds.right - here.bounds.left) / 2, (here.bounds.top + here.bounds.bottom) / 2)
    with rasterio.open(east, "w", **profile) as there:
        there.write(bands)
    clean.run(
        "from qgis.core import QgsProject, QgsRasterLayer\n"
        f"QgsProject.instance().addMapLayer(QgsRasterLayer({str(east)!r}, 'east'))\n"
    )
    clean.until("lasso.digitizer.imagery.name() == 'east'")
    clean.run(ACTIVATE)
    clean.until("lasso.digitizer.imagery.name() == 'rmnp-rgb'")
    x, y = middle
    clean.look_at((x - 0.1, y - 0.1, x + 0.1, y + 0.1))
    clean.press(*clean.screen_xy(x, y))
    offer = "[b for b in iface.messageBar().findChildren(QPushButton) if b.text() == 'Use east']"
    clean.until(f"len({offer}) == 1")
    assert steps(clean) == 0
    clean.press_widget(f"{offer}[0]")
    clean.until("lasso.digitizer.imagery.name() == 'east'")
    assert steps(clean) == 1
    clean.key("Escape")
    assert steps(clean) == 0
    clean.run(
        "from qgis.utils import plugins\nlasso = plugins['rasterlasso']\nlasso.dock.imagery.setLayer(iface.activeLayer())"
    )
    clean.until("lasso.digitizer.imagery.name() == 'rmnp-rgb'")


def test_the_keyboard_goes_where_it_is_meant_to(clean):
    clean.press_widget("lasso.dock.class_name")
    clean.type("lake")
    clean.key("Return")
    assert clean.until("[iface.mapCanvas().hasFocus()]") == [True]
    click_lake(clean)
    clean.key("Tab")
    assert clean.until("[iface.mapCanvas().hasFocus()]") == [True]  # the next candidate
    clean.key("Return")
    clean.until("lasso.digitizer.draft.is_empty and lasso.digitizer.target.layer.featureCount() == 1")
    assert clean.until("[f['class'] for f in lasso.digitizer.target.layer.getFeatures()]") == ["lake"]
    clean.key("Tab")
    assert clean.until("[iface.mapCanvas().hasFocus()]") == [False]  # without a draft Tab is QGIS's


def test_nothing_went_wrong_in_qgis(desktop):
    assert "Traceback" not in desktop.log
