"""Real QGIS in pytest, with the real engine and rasters that GDAL writes."""

import os
import subprocess
import tempfile

import numpy as np
import own_profile  # before QGIS reads any settings
import pytest
from osgeo import gdal, osr
from qgis.core import QgsCoordinateReferenceSystem, QgsProject, QgsRasterLayer, QgsRectangle
from qgis.gui import QgsAdvancedDigitizingDockWidget
from qgis.PyQt.QtCore import QEvent, Qt
from qgis.PyQt.QtGui import QMouseEvent
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QApplication

from helpers import CHECKPOINTS, SAMPLE, VIEW, wait_until
from lost_drawing import drawing_ends, pytest_sessionfinish, pytest_unconfigure
from rasterlasso.plugin.canvas.map_tool import LassoTool
from rasterlasso.plugin.canvas.preview import Preview
from rasterlasso.plugin.digitizing.digitizer import Digitizer
from rasterlasso.plugin.digitizing.hover import Hover
from rasterlasso.plugin.digitizing.prefetch import Prefetch
from rasterlasso.plugin.runtime.engine_process import EngineProcess
from rasterlasso.plugin.target.layer_jobs import LayerJobs

__all__ = ["drawing_ends", "own_profile", "pytest_sessionfinish", "pytest_unconfigure"]

gdal.UseExceptions()
os.environ["RASTERLASSO_MODELS"] = tempfile.mkdtemp()  # the user's own models are no part of the tests
os.environ["RASTERLASSO_CACHE"] = "off"


@pytest.fixture(scope="session", autouse=True)
def cad_dock(qgis_iface, qgis_canvas):
    """QGIS's panel for advanced digitizing, which pytest-qgis leaves out."""
    dock = QgsAdvancedDigitizingDockWidget(qgis_canvas)  # in no window, where it would lie over the canvas
    qgis_iface.cadDockWidget = lambda: dock
    return dock


@pytest.fixture(autouse=True)
def view(qgis_canvas):
    """Whatever the test before looked at."""
    qgis_canvas.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:32613"))
    qgis_canvas.setExtent(QgsRectangle(*VIEW))


@pytest.fixture
def project():
    QgsProject.instance().clear()
    yield QgsProject.instance()
    QgsProject.instance().clear()


@pytest.fixture
def make_image(tmp_path):
    """A field (FIELD in UTM 13 N) on a plain, as a GeoTIFF; the options change one thing at a time."""

    def make(name="image.tif", *, epsg=32613, geotransform=(500_000, 2, 0, 4_500_000, 0, -2), nodata_corner=False):
        bands = 50 + np.random.default_rng(7).integers(0, 8, (3, 300, 400))
        bands[:, 100:180, 60:180] += 110
        if nodata_corner:
            bands[:, :40, :40] = 0
        path = tmp_path / name
        dataset = gdal.GetDriverByName("GTiff").Create(str(path), 400, 300, 3, gdal.GDT_Byte)
        if epsg:
            crs = osr.SpatialReference()
            crs.ImportFromEPSG(epsg)
            crs.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
            dataset.SetProjection(crs.ExportToWkt())
        if geotransform:
            dataset.SetGeoTransform(geotransform)
        for number, band in enumerate(bands.astype(np.uint8), 1):
            dataset.GetRasterBand(number).WriteArray(band)
            if nodata_corner:
                dataset.GetRasterBand(number).SetNoDataValue(0)
        dataset = None
        return path

    return make


@pytest.fixture
def imagery(project, make_image):
    layer = QgsRasterLayer(str(make_image()), "image")
    project.addMapLayer(layer)
    return layer


@pytest.fixture
def sample(project):
    """Real imagery, with a lake at LAKE."""
    layer = QgsRasterLayer(str(SAMPLE), "sample")
    project.addMapLayer(layer)
    return layer


@pytest.fixture(scope="session")
def session_engine(qgis_app, engine_python):
    engine = EngineProcess(engine_python)
    yield engine
    engine.shut_down()


@pytest.fixture
def added_model(engine_python, tmp_path):
    """Name of a random SAM that was added as a user adds one."""
    command = engine_python.with_name("rasterlasso")
    subprocess.run([engine_python, CHECKPOINTS, "sam", tmp_path / "checkpoint"], check=True)
    subprocess.run([command, "models", "add", tmp_path / "checkpoint", "--name", "mine"], check=True)
    yield "mine"
    subprocess.run([command, "models", "remove", "mine"], check=True)


@pytest.fixture
def engine(session_engine):
    yield session_engine
    session_engine.cancel_channel("draft")


class Bench:
    """A canvas with the tool on it, and what the user was told."""

    def __init__(self, canvas, digitizer, preview, tool, hover, prefetch, jobs):
        self.canvas, self.digitizer, self.preview, self.tool = canvas, digitizer, preview, tool
        self.hover, self.prefetch = hover, prefetch
        self.jobs = jobs
        self.messages = []
        for source in (digitizer, jobs):
            source.message.connect(lambda text, level: self.messages.append(text))

    def look_at(self, *extent, crs="EPSG:32613"):
        self.canvas.setDestinationCrs(QgsCoordinateReferenceSystem(crs))
        self.canvas.setExtent(QgsRectangle(*extent))

    def screen(self, x, y):
        return self.canvas.getCoordinateTransform().transform(x, y).toQPointF().toPoint()

    def click(self, x, y, button=Qt.MouseButton.LeftButton, modifier=Qt.KeyboardModifier.NoModifier):
        QTest.mouseClick(self.canvas.viewport(), button, modifier, self.screen(x, y))

    def move(self, x, y):
        QTest.mouseMove(self.canvas.viewport(), self.screen(x, y))
        QTest.qWait(10)

    def drag(self, start, end):
        QTest.mousePress(self.canvas.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, self.screen(*start))
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        for place in (middle, end):
            QTest.mouseMove(self.canvas.viewport(), self.screen(*place))
            QTest.qWait(10)
        QTest.mouseRelease(self.canvas.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, self.screen(*end))

    def draw(self, *places, modifier=Qt.KeyboardModifier.ControlModifier):
        """A line drawn by hand, corners joined by many small movements."""
        viewport, left = self.canvas.viewport(), Qt.MouseButton.LeftButton
        QTest.mousePress(viewport, left, modifier, self.screen(*places[0]))
        for (x0, y0), (x1, y1) in zip(places, places[1:]):
            for step in range(1, 9):
                at = self.screen(x0 + (x1 - x0) * step / 8, y0 + (y1 - y0) * step / 8)
                move = QMouseEvent(QEvent.Type.MouseMove, at, left, left, modifier)  # QTest's moves carry no modifiers
                QApplication.sendEvent(viewport, move)
        QTest.mouseRelease(viewport, left, modifier, self.screen(*places[-1]))

    def key(self, key, modifier=Qt.KeyboardModifier.NoModifier):
        QTest.keyClick(self.canvas, key, modifier)

    def answered(self):
        wait_until(lambda: self.digitizer.progress is None)
        return self.digitizer.polygon


@pytest.fixture
def bench(qgis_canvas, engine, imagery, project):
    qgis_canvas.resize(800, 600)
    qgis_canvas.window().show()  # the canvas takes its size over only when shown
    wait_until(lambda: qgis_canvas.mapSettings().outputSize().width() > 700, 5)
    digitizer = Digitizer(qgis_canvas, engine, project, "builtin")
    digitizer.set_imagery(imagery)
    preview = Preview(qgis_canvas, project)
    for signal in (digitizer.draft_changed, digitizer.answered, digitizer.progressed):
        signal.connect(lambda: preview.show(digitizer.draft, digitizer.polygon, digitizer.crs, digitizer.candidates.others))
    hover = Hover(digitizer, engine)
    hover.changed.connect(lambda: preview.show_hint(hover.polygon, digitizer.crs))
    prefetch = Prefetch(qgis_canvas, digitizer, engine)
    tool = LassoTool(qgis_canvas, digitizer, preview, hover, prefetch)
    qgis_canvas.setMapTool(tool)
    jobs = LayerJobs(engine, project)
    made = Bench(qgis_canvas, digitizer, preview, tool, hover, prefetch, jobs)
    made.look_at(*VIEW)
    yield made
    qgis_canvas.unsetMapTool(tool)
    prefetch.detach()
    digitizer.acceptance.set_learning(False)
    digitizer.detach()
    preview.remove()
