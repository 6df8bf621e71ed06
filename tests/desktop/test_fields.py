"""Ten adjoining fields of a real scene with shared borders: digitized, undone, redone, reopened, saved, read by others."""

import json
import os
import subprocess
from pathlib import Path

import geopandas
import pytest
import rasterio
import shapely

from demo.desktop import Desktop

ROOT = Path(__file__).resolve().parents[2]
SCENE = ROOT.parent / "shared" / "data" / "scenes" / "fields_naip_us_05"
COUNT = 10
IDLE = "lasso.digitizer.progress is None"
SLIVER_M = 6.0
"""Three pixels: borders nearer than this are shared."""


def adjoining(labels, near):
    """Rows of fields that hang together, spreading from one of them."""
    best = []
    for first in range(len(labels)):
        found = [first]
        for row in found:
            for other in sorted(labels.sindex.query(labels.geometry[row].buffer(near))):
                if other not in found and len(found) < COUNT:
                    found.append(int(other))
        best = max(best, found, key=len)
    return labels.geometry.iloc[best].reset_index(drop=True)


@pytest.fixture(scope="module")
def fields():
    if not SCENE.is_dir():
        pytest.skip(f"no labelled imagery at {SCENE}")
    labels = geopandas.read_file(SCENE / "labels.gpkg")
    whole = labels[(labels.inside_frac > 0.99) & (labels.area_px >= 400)].reset_index(drop=True)
    return adjoining(whole, near=8)


@pytest.fixture(scope="module")
def desktop(fields, engine_python):
    os.environ.pop("DISPLAY", None)  # the tests never take the user's own mouse
    with rasterio.open(SCENE / "image.tif") as image:
        view = tuple(image.bounds)
    with Desktop(ROOT / os.environ["RASTERLASSO_PACKAGE"], engine_python) as running:
        running.open_raster(SCENE / "image.tif", view)
        running.press_toolbar_button()
        running.until("lasso.engine.state.value == 'ready'")
        yield running


def accepted(desktop, count):
    desktop.until(f"lasso.digitizer.draft.is_empty and lasso.digitizer.target.layer.featureCount() == {count}")


def choose_how_fields_are_made(desktop):
    desktop.run(
        "from qgis.utils import plugins\n"
        "dock = plugins['rasterlasso'].dock\n"
        "dock.options.share_borders.setChecked(True)\n"
        "dock.class_name.setEditText('field')\n"
        "dock.finish.preset.setCurrentIndex(dock.finish.preset.findData('field'))\n"
    )


def digitize(desktop, clicks):
    for number, click in enumerate(clicks, 1):
        desktop.press(*desktop.screen_xy(*click))
        desktop.until(f"{IDLE} and lasso.digitizer.polygon is not None")
        desktop.key("Return")
        accepted(desktop, number)


def undo_two_and_redo_one(desktop):
    desktop.run("from qgis.utils import plugins\niface.setActiveLayer(plugins['rasterlasso'].digitizer.target.layer)")
    desktop.key("ctrl+z", "ctrl+z")
    accepted(desktop, COUNT - 2)
    desktop.key("ctrl+shift+z")
    accepted(desktop, COUNT - 1)


def reopen_and_correct(desktop, field):
    circle = shapely.maximum_inscribed_circle(field)
    desktop.press(*desktop.screen_xy(*circle.coords[0]), keys="alt")
    desktop.until(f"{IDLE} and lasso.digitizer.draft.reopened is not None and lasso.digitizer.polygon is not None")
    beside = shapely.line_interpolate_point(circle, 0.4 * circle.length).coords[0]
    desktop.press(*desktop.screen_xy(*beside))
    desktop.until(f"{IDLE} and len(lasso.digitizer.draft.points) == 2")


def assert_borders_are_shared(found):
    parts = found.geometry.explode(ignore_index=True).to_numpy()
    assert found.geometry.is_valid.all()
    assert shapely.coverage_is_valid(parts)
    holes = [hole for part in shapely.get_parts(shapely.union_all(parts)) for hole in part.interiors]
    assert all(shapely.Polygon(hole).area > SLIVER_M * hole.length / 2 for hole in holes)


def test_ten_adjoining_fields_share_their_borders(desktop, fields, tmp_path):
    output = tmp_path / "fields.gpkg"
    shots = Path(os.environ.get("RASTERLASSO_SHOTS", tmp_path))
    clicks = [shapely.maximum_inscribed_circle(shape).coords[0] for shape in fields]
    desktop.new_geopackage(output)
    choose_how_fields_are_made(desktop)
    digitize(desktop, clicks)
    desktop.screenshot(shots / "ten-fields.png")
    undo_two_and_redo_one(desktop)
    reopen_and_correct(desktop, fields[2])
    desktop.screenshot(shots / "reopened.png")
    desktop.key("Return")
    accepted(desktop, COUNT - 1)
    desktop.save_edits()
    assert "Traceback" not in desktop.log

    found = geopandas.read_file(output, layer="features")
    assert len(found) == COUNT - 1
    assert_borders_are_shared(found)
    assert set(found["class"]) == {"field"}
    [reopened] = found[found.contains(shapely.Point(clicks[2]))].itertuples()
    assert len(json.loads(reopened.prompts)["points"]) == 2
    told = subprocess.run(["ogrinfo", "-so", str(output), "features"], capture_output=True, text=True, check=True).stdout
    assert f"Feature Count: {COUNT - 1}" in told
