"""QGIS is killed with an object under way and others that are accepted and not saved: the next one gives them back."""

import os
from pathlib import Path

import geopandas
import pytest

from demo.desktop import Desktop

ROOT = Path(__file__).resolve().parents[2]
LAKE = (-105.865, 40.155)
LAKE_VIEW = (-105.96, 40.08, -105.72, 40.24)
OTHER_LAKE = (-105.845, 40.11)
IDLE = "lasso.digitizer.progress is None"
OFFER = "[b for b in iface.messageBar().findChildren(QPushButton) if b.objectName() == 'RasterLassoRestore']"
OFFERED = f"from qgis.PyQt.QtWidgets import QPushButton\nfrom qgis.utils import iface\nresult = len({OFFER})"
ADD = "from qgis.core import QgsProject, QgsVectorLayer\nQgsProject.instance().addMapLayer(QgsVectorLayer({!r}, 'mine'))"


@pytest.fixture
def desktop(engine_python):
    os.environ.pop("DISPLAY", None)  # the tests never take the user's own mouse
    with Desktop(ROOT / os.environ["RASTERLASSO_PACKAGE"], engine_python) as running:
        yield running


def begin(desktop, image):
    desktop.open_raster(image, LAKE_VIEW)
    desktop.press_toolbar_button()
    desktop.until("lasso.engine.state.value == 'ready'")


def test_nothing_is_lost_where_qgis_is_killed(desktop, sample_image, tmp_path):
    begin(desktop, sample_image)
    desktop.new_geopackage(tmp_path / "lakes.gpkg")
    desktop.press(*desktop.screen_xy(*LAKE))
    lake = desktop.until(f"{IDLE} and lasso.digitizer.polygon.asWkt(9)")
    desktop.key("Return")
    desktop.until("lasso.digitizer.draft.is_empty and lasso.digitizer.target.layer.featureCount() == 1")
    desktop.press(*desktop.screen_xy(*OTHER_LAKE))
    under_way = desktop.until(f"{IDLE} and lasso.digitizer.polygon.asWkt(9)")
    desktop.kill()

    desktop.start_again()
    assert desktop.run(OFFERED) == 1
    desktop.open_raster(sample_image, LAKE_VIEW)
    desktop.run(ADD.format(str(tmp_path / "lakes.gpkg")))
    desktop.press_toolbar_button()
    desktop.until("not iface.mapCanvas().isDrawing()")
    desktop.screenshot(Path(os.environ.get("RASTERLASSO_SHOTS", tmp_path)) / "restore.png")
    desktop.press(
        *desktop.run(
            f"from qgis.PyQt.QtWidgets import QPushButton\nfrom qgis.utils import iface\nb = {OFFER}[0]\n"
            "at = b.mapToGlobal(b.rect().center())\nresult = [at.x(), at.y()]"
        )
    )
    assert desktop.until(f"{IDLE} and lasso.digitizer.polygon and lasso.digitizer.polygon.asWkt(9)") == under_way
    layer = "[l for l in QgsProject.instance().mapLayers().values() if l.name() == 'mine'][0]"
    [back] = desktop.run(f"from qgis.core import QgsProject\nresult = [f.geometry().asWkt(9) for f in {layer}.getFeatures()]")
    assert back.replace("Multi", "").replace("(((", "((").replace(")))", "))") == lake
    desktop.screenshot(Path(os.environ.get("RASTERLASSO_SHOTS", tmp_path)) / "restored.png")
    assert desktop.run(OFFERED) == 0
    desktop.run(f"from qgis.core import QgsProject\nassert {layer}.commitChanges()")
    assert len(geopandas.read_file(tmp_path / "lakes.gpkg", layer="features")) == 1

    desktop.end()
    desktop.start_again()
    assert desktop.run(OFFERED) == 0, "QGIS ended well: it asked about what was not saved"
