"""Imagery from servers: QGIS's own layers, GDAL's drivers behind them, a server that fails."""

import gc
import math
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from osgeo import gdal
from qgis.core import (
    QgsApplication,
    QgsAuthMethodConfig,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsGeometry,
    QgsNetworkAccessManager,
    QgsPointXY,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QUrl
from qgis.PyQt.QtNetwork import QNetworkRequest, QTcpSocket
from qgis.PyQt.QtTest import QTest

from helpers import FIELD, MIDDLE, iou, wait_until
from rasterlasso.plugin.errors import ImageryInvalid
from rasterlasso.plugin.imagery.drawn import DrawnLayers
from rasterlasso.plugin.imagery.source import pixel_size, raster_path
from tile_server import LAKE, WORLD_M, TileServer

LAKE_M2 = math.pi * LAKE[2] ** 2


@pytest.fixture
def server(tmp_path, qgis_canvas):
    with TileServer(tmp_path).running() as running:
        yield running
        wait_until(lambda: not qgis_canvas.isDrawing(), 60)  # a map that is stopped may wait for the server forever


def use(bench, project, layer):
    assert layer.isValid(), layer.error().message()
    project.addMapLayer(layer)
    bench.digitizer.set_imagery(layer)
    x, y, radius = LAKE
    bench.look_at(x - 4 * radius, y - 3 * radius, x + 4 * radius, y + 3 * radius, crs="EPSG:3857")


def click_the_lake(bench, seconds=60, off=0.1):
    """One click, no trouble, and the lake's area but for a share."""
    bench.click(*LAKE[:2])
    wait_until(lambda: bench.digitizer.progress is None, seconds)
    assert bench.messages == []
    assert bench.digitizer.polygon.area() == pytest.approx(LAKE_M2, rel=off)


def xyz(server):
    return QgsRasterLayer(f"type=xyz&url={server.url}/xyz/%7Bz%7D/%7Bx%7D/%7By%7D.png&zmax=15&zmin=2", "tiles", "wms")


def wms(server):
    uri = f"crs=EPSG:3857&format=image/png&layers=photo&styles=&url={server.url}/wms"
    return QgsRasterLayer(uri, "map", "wms")


def arcgis(server):
    uri = f"crs='EPSG:3857' format='PNG32' layer='0' url='{server.url}/arcgis/rest/services/photo/MapServer'"
    return QgsRasterLayer(uri, "map service", "arcgismapserver")


def wmts(server):
    uri = f"crs=EPSG:3857&format=image/png&layers=photo&styles=default&tileMatrixSet=mercator&url={server.url}/wmts"
    return QgsRasterLayer(uri, "tile service", "wms")


@pytest.mark.parametrize("kind", [xyz, wms, wmts, arcgis])
def test_a_click_on_a_basemap_gives_the_lake(bench, project, server, kind):
    use(bench, project, kind(server))
    click_the_lake(bench)
    assert bench.digitizer.polygon.contains(QgsPointXY(*LAKE[:2]))


def test_a_lake_larger_than_a_tile_on_a_basemap_is_one_polygon(bench, project, server):
    use(bench, project, xyz(server))
    x, y, radius = LAKE
    bench.look_at(x - radius / 2, y - radius / 2, x + radius / 2, y + radius / 2, crs="EPSG:3857")
    click_the_lake(bench, 120, off=0.03)
    assert bench.digitizer.answer.level == 0


def test_tiles_of_512_pixels_are_drawn_by_qgis(bench, project, server):
    server.troubles.add("sharp")
    uri = f"type=xyz&url={server.url}/xyz/%7Bz%7D/%7Bx%7D/%7By%7D.png&zmax=15&tilePixelRatio=2"
    use(bench, project, QgsRasterLayer(uri, "sharp", "wms"))
    click_the_lake(bench)


def test_qgis_never_waits_for_a_tile_service_to_describe_itself(bench, project, server):
    layer = wmts(server)
    use(bench, project, layer)
    asked = len(server.paths)
    assert pixel_size(layer, raster_path(layer)) == pytest.approx((2 * WORLD_M / (256 * 2**15),) * 2)
    assert server.paths[asked:] == []


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


def test_what_only_qgis_can_sign_in_to_is_drawn_by_qgis(bench, project, server):
    manager = QgsApplication.authManager()
    assert manager.setMasterPassword("password of the test", True)
    sign_in = QgsAuthMethodConfig("Basic")
    sign_in.setName("tiles")
    sign_in.setConfigMap({"username": "me", "password": "secret"})
    manager.storeAuthenticationConfig(sign_in)
    server.troubles.add("private")
    uri = f"type=xyz&url={server.url}/xyz/%7Bz%7D/%7Bx%7D/%7By%7D.png&zmax=15&authcfg={sign_in.id()}"
    use(bench, project, QgsRasterLayer(uri, "private", "wms"))
    click_the_lake(bench)


def computed(make_image, formula='"plain@1" * 1.0'):
    uri = (
        "?crs=EPSG:32613&extent=500000,4499400,500800,4500000&width=400&height=300"
        f"&formula={quote(formula)}&plain:provider=gdal&plain:uri={make_image('plain.tif')}"
    )
    layer = QgsRasterLayer(uri, "computed", "virtualraster")
    assert layer.isValid(), layer.error().message()
    return layer


def test_what_gdal_can_not_read_is_drawn_by_qgis(bench, project, make_image):
    layer = computed(make_image)
    project.addMapLayer(layer)
    bench.digitizer.set_imagery(layer)
    bench.click(*MIDDLE)
    wait_until(lambda: bench.digitizer.progress is None, 60)
    assert bench.messages == []
    assert iou(bench.digitizer.polygon, QgsGeometry.fromRect(QgsRectangle(*FIELD))) > 0.95
    assert bench.digitizer.answer.level == -1
    bench.digitizer.accept()
    [feature] = bench.digitizer.target.layer.getFeatures()
    assert feature["source"]


def test_a_layer_that_looks_otherwise_is_drawn_again(project, make_image):
    drawn = DrawnLayers(project)
    layer = computed(make_image)
    project.addMapLayer(layer)
    before = drawn.source(layer)
    assert drawn.source(layer) == before
    layer.setRenderer(layer.renderer().clone())
    assert drawn.source(layer) != before
    drawn.close()


def test_pictures_are_for_the_engine_alone(project, make_image):
    drawn = DrawnLayers(project)
    layer = computed(make_image)
    project.addMapLayer(layer)
    address = ElementTree.fromstring(drawn.source(layer)).findtext(".//ServerUrl")
    frame = "bbox=500000,4499400,500800,4500000"
    _, _, port, secret, *_ = address.replace(":", "/").split("/")[2:]
    for asked, code in (
        (f"{address}{frame}&width=40&height=30", 200),
        (f"{address}{frame}&width=40&height=30".replace(secret, "guess"), 410),
        (f"{address}{frame}&width=40000&height=30", 501),
        (f"{address}width=40&height=30", 501),
    ):
        assert status_of(asked) == code
    socket = QTcpSocket()
    socket.connectToHost("127.0.0.1", int(port))
    socket.connected.connect(lambda: socket.write(b"nonsense\r\n\r\n"))
    wait_until(lambda: socket.state() == QTcpSocket.SocketState.UnconnectedState and socket.bytesAvailable())
    assert b"410" in bytes(socket.readAll())
    drawn.close()


def test_a_request_that_comes_late_is_answered_though_python_cleared_up_meanwhile(project, make_image):
    drawn = DrawnLayers(project)
    layer = computed(make_image)
    project.addMapLayer(layer)
    address = QUrl(ElementTree.fromstring(drawn.source(layer)).findtext(".//ServerUrl"))
    socket = QTcpSocket()
    socket.connectToHost(address.host(), address.port())
    wait_until(lambda: socket.state() == QTcpSocket.SocketState.ConnectedState)
    QTest.qWait(50)  # it is accepted
    gc.collect()
    socket.write(b"GET /guess HTTP/1.1\r\n\r\n")
    wait_until(socket.bytesAvailable, 5)
    assert b"410" in bytes(socket.readAll())
    drawn.close()


def status_of(address):
    """Of an HTTP request that QGIS's own event loop answers."""
    reply = QgsNetworkAccessManager.instance().get(QNetworkRequest(QUrl(address)))
    wait_until(reply.isFinished)
    return reply.attribute(QNetworkRequest.Attribute.HttpStatusCodeAttribute)


def test_offline_tiles_in_one_file_are_read(bench, project, make_image, tmp_path):
    path = tmp_path / "offline.mbtiles"
    gdal.Translate(str(path), str(make_image("plain.tif")), options="-of MBTILES")
    layer = QgsRasterLayer(f"type=mbtiles&url={QUrl.fromLocalFile(str(path)).toString()}", "offline", "wms")
    assert layer.isValid(), layer.error().message()
    project.addMapLayer(layer)
    bench.digitizer.set_imagery(layer)
    bench.click(*MIDDLE)
    wait_until(lambda: bench.digitizer.progress is None, 60)
    assert bench.messages == []
    to_utm = QgsCoordinateTransform(layer.crs(), QgsCoordinateReferenceSystem("EPSG:32613"), project)
    found = QgsGeometry(bench.digitizer.polygon)
    found.transform(to_utm)
    assert iou(found, QgsGeometry.fromRect(QgsRectangle(*FIELD))) > 0.9


def test_what_could_not_be_opened_once_is_tried_again(project, server, make_image, tmp_path):
    layer, path = xyz(server), tmp_path / "later.tif"
    with pytest.raises(ImageryInvalid, match="tiles"):
        pixel_size(layer, str(path))
    make_image("later.tif")
    assert pixel_size(layer, str(path)) == (2.0, 2.0)
