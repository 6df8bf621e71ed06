"""Imagery from servers: QGIS's own layers, GDAL's drivers behind them, a server that fails."""

import math

import pytest
from osgeo import gdal
from qgis.core import QgsPointXY, QgsRasterLayer

from helpers import wait_until
from rasterlasso.plugin.imagery import raster_path
from tile_server import LAKE, TileServer

LAKE_M2 = math.pi * LAKE[2] ** 2


@pytest.fixture
def server(tmp_path):
    with TileServer(tmp_path).running() as running:
        yield running


def use(bench, project, layer):
    assert layer.isValid(), layer.error().message()
    project.addMapLayer(layer)
    bench.digitizer.set_imagery(layer)
    x, y, radius = LAKE
    bench.look_at(x - 4 * radius, y - 3 * radius, x + 4 * radius, y + 3 * radius, crs="EPSG:3857")


def xyz(server):
    return QgsRasterLayer(f"type=xyz&url={server.url}/xyz/%7Bz%7D/%7Bx%7D/%7By%7D.png&zmax=15&zmin=2", "tiles", "wms")


def wms(server):
    uri = f"crs=EPSG:3857&format=image/png&layers=photo&styles=&url={server.url}/wms"
    return QgsRasterLayer(uri, "map", "wms")


def arcgis(server):
    uri = f"crs='EPSG:3857' format='PNG32' layer='0' url='{server.url}/arcgis/rest/services/photo/MapServer'"
    return QgsRasterLayer(uri, "map service", "arcgismapserver")


@pytest.mark.parametrize("kind", [xyz, wms, arcgis])
def test_a_click_on_a_basemap_gives_the_lake(bench, project, server, kind):
    use(bench, project, kind(server))
    bench.click(*LAKE[:2])
    wait_until(lambda: bench.digitizer.progress is None, 60)
    assert bench.messages == []
    assert bench.digitizer.polygon.area() == pytest.approx(LAKE_M2, rel=0.1)
    assert bench.digitizer.polygon.contains(QgsPointXY(*LAKE[:2]))


def test_zoom_limits_are_kept(bench, project, server):
    use(bench, project, xyz(server))
    x, y, _ = LAKE
    bench.look_at(x - 4, y - 3, x + 4, y + 3, crs="EPSG:3857")
    bench.click(x, y)
    wait_until(lambda: bench.digitizer.progress is None, 60)
    levels = {int(path.split("/")[2]) for path in server.paths if path.startswith("/xyz/")}
    assert levels
    assert levels <= set(range(2, 16))


def test_missing_and_slow_tiles_are_nodata_and_waited_for(bench, project, server):
    server.troubles |= {"missing", "slow"}
    use(bench, project, xyz(server))
    bench.click(*LAKE[:2])
    wait_until(lambda: bench.digitizer.progress is None, 120)
    if bench.messages:
        assert "nodata" in bench.messages[0]
    else:
        assert 0 < bench.digitizer.polygon.area() < LAKE_M2


def test_a_server_that_fails_is_named(bench, project, server):
    use(bench, project, xyz(server))
    server.troubles.add("broken")
    bench.click(*LAKE[:2])
    wait_until(lambda: bench.messages, 120)
    assert server.url in bench.messages[0]
    assert "GDAL_WMS" not in bench.messages[0]
    server.troubles.clear()
    bench.digitizer.ask_again()
    wait_until(lambda: bench.digitizer.progress is None, 60)
    assert len(bench.messages) == 1
    assert bench.digitizer.polygon.area() == pytest.approx(LAKE_M2, rel=0.1)


def test_a_cog_on_a_server_is_read_by_ranges(bench, project, server, make_image, tmp_path):
    gdal.Translate(str(tmp_path / "cog.tif"), str(make_image("plain.tif")), options="-of COG -co BLOCKSIZE=128")
    layer = QgsRasterLayer(f"/vsicurl/{server.url}/cog.tif", "cog")
    assert raster_path(layer) == f"/vsicurl/{server.url}/cog.tif"
    assert layer.isValid()
    project.addMapLayer(layer)
    bench.digitizer.set_imagery(layer)
    bench.click(500_240, 4_499_720)
    wait_until(lambda: bench.digitizer.progress is None, 60)
    assert bench.digitizer.polygon.area() == pytest.approx(240 * 160, rel=0.05)


def test_what_gdal_can_not_sign_in_to_is_refused(bench, project, server):
    layer = QgsRasterLayer(
        f"type=xyz&url={server.url}/xyz/%7Bz%7D/%7Bx%7D/%7By%7D.png&zmax=15&authcfg=abc1234", "private", "wms"
    )
    project.addMapLayer(layer)
    bench.digitizer.set_imagery(layer)
    bench.click(500_240, 4_499_720)
    assert "private" in bench.messages[0]
    assert "sign-in" in bench.messages[0]
