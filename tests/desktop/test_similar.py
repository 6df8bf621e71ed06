"""Roofs of a real drone scene: three are clicked, the rest is proposed, ten proposals are answered with keys, and saved."""

import os
from pathlib import Path

import geopandas
import pytest
import rasterio
import shapely

from demo.desktop import Desktop

ROOT = Path(__file__).resolve().parents[2]
SCENE = ROOT.parent / "shared" / "data" / "scenes" / "buildings_tanzania_rural_7cm"
VIEW_PX = 1500
EXAMPLES, ANSWERS = 3, 10
RIGHT_IOU = 0.5
REVIEW = "__import__('qgis').utils.plugins['rasterlasso'].desk.review"
IDLE = "lasso.digitizer.progress is None"


@pytest.fixture(scope="module")
def view_and_roofs():
    """Where most roofs lie within a square, and they."""
    if not SCENE.is_dir():
        pytest.skip(f"no labelled imagery at {SCENE}")
    labels = geopandas.read_file(SCENE / "labels.gpkg")
    labels = labels[labels.inside_frac > 0.99]
    with rasterio.open(SCENE / "image.tif") as image:
        side, (left, _, right, top) = VIEW_PX * image.res[0], image.bounds
    starts = [left + share * (right - left - side) for share in (0, 0.25, 0.5, 0.75, 1)]
    boxes = [shapely.box(x, top - side, x + side, top) for x in starts]
    view = max(boxes, key=lambda box: labels.geometry.within(box).sum())
    roofs = labels.geometry[labels.geometry.within(view)]
    return view.bounds, roofs[roofs.area > roofs.area.median() / 2].to_list()


@pytest.fixture(scope="module")
def desktop(view_and_roofs, engine_python):
    os.environ.pop("DISPLAY", None)  # the tests never take the user's own mouse
    with Desktop(ROOT / os.environ["RASTERLASSO_PACKAGE"], engine_python) as running:
        running.open_raster(SCENE / "image.tif", view_and_roofs[0])
        running.press_toolbar_button()
        running.until("lasso.engine.state.value == 'ready'")
        yield running


def iou(a, b):
    return a.intersection(b).area / a.union(b).area


def accept_by_clicks(desktop, roof, count):
    desktop.press(*desktop.screen_xy(*shapely.maximum_inscribed_circle(roof).coords[0]))
    desktop.until(f"{IDLE} and lasso.digitizer.polygon is not None", 60)
    desktop.key("Return")
    desktop.until(f"lasso.digitizer.draft.is_empty and lasso.digitizer.target.layer.featureCount() == {count}", 60)


def test_similar_roofs_are_found_from_three_clicks_and_reviewed_with_keys(desktop, view_and_roofs, tmp_path):
    _, roofs = view_and_roofs
    output, shots = tmp_path / "roofs.gpkg", Path(os.environ.get("RASTERLASSO_SHOTS", tmp_path))
    desktop.new_geopackage(output)
    desktop.run("from qgis.utils import plugins\nplugins['rasterlasso'].dock.class_name.setEditText('roof')")
    for number in range(EXAMPLES):
        accept_by_clicks(desktop, roofs[number * len(roofs) // EXAMPLES], number + 1)
    desktop.run("from qgis.utils import plugins\nplugins['rasterlasso'].dock.target_row.similar_requested.emit()")
    desktop.until(f"not {REVIEW}.is_searching and {REVIEW}.current is not None", 300)
    desktop.screenshot(shots / "similar.png")
    accepted = 0
    for number in range(ANSWERS):
        proposed = shapely.from_wkt(desktop.run(f"result = {REVIEW}.current.polygon.asWkt()"))
        is_roof = any(iou(proposed, roof) >= RIGHT_IOU for roof in roofs)
        accepted += is_roof
        desktop.key("y" if is_roof else "n")
        desktop.until(f"sum({REVIEW}.counts) == {number + 1}")
    desktop.screenshot(shots / "review.png")
    assert accepted >= 3
    desktop.key("Escape")
    desktop.until("iface.mapCanvas().mapTool() is lasso.tool")
    desktop.save_edits()
    assert "Traceback" not in desktop.log
    found = geopandas.read_file(output, layer="features")
    assert len(found) == EXAMPLES + accepted
    assert set(found["class"]) == {"roof"}
    assert found["prompts"].str.contains("points").all()
