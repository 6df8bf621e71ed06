"""Layers of which QGIS knows more than the engine's GDAL: formats, placement, what is valid. QGIS draws them for the engine."""

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsContrastEnhancement, QgsGeometry, QgsRasterLayer, QgsRasterRange, QgsRectangle
from qgis.PyQt.QtCore import Qt

from helpers import FIELD, MIDDLE, iou, wait_until
from rasterlasso.plugin.imagery.stretch import set_as_shown, stretch_of
from rasterlasso.tests.placed_by_sensor import RPC

BOX = QgsGeometry.fromRect(QgsRectangle(*FIELD))
COLLAR = (500_050.0, 4_499_960.0)


def use(bench, project, source):
    layer = QgsRasterLayer(str(source), "shown")
    assert layer.isValid()
    project.addMapLayer(layer)
    bench.digitizer.set_imagery(layer)
    bench.canvas.setDestinationCrs(layer.crs())
    bench.canvas.setExtent(layer.extent())
    return layer


def click_field(bench, layer):
    """Where QGIS shows the field's middle; whether what is found is the field as QGIS shows it."""
    extent = layer.extent()
    width, height, left, top = extent.width(), extent.height(), extent.xMinimum(), extent.yMaximum()
    bench.click(left + 0.3 * width, top - 0.4667 * height)
    polygon = bench.answered()
    if polygon is None:
        return False
    shown = QgsRectangle(left + 0.15 * width, top - 0.6 * height, left + 0.45 * width, top - 0.3333 * height)
    return iou(polygon, QgsGeometry.fromRect(shown)) > 0.9


@pytest.mark.parametrize(("driver", "bands"), [("FITS", [1]), ("PDF", [1, 2, 3])])
def test_formats_that_the_engine_can_not_open(bench, project, make_image, tmp_path, driver, bands):
    path = tmp_path / f"image.{driver.lower()}"
    gdal.Translate(str(path), str(make_image()), format=driver, bandList=bands)
    layer = use(bench, project, path)
    assert click_field(bench, layer)
    assert not bench.messages
    bench.key(Qt.Key.Key_Return)
    [feature] = bench.digitizer.target.layer.getFeatures()
    assert feature["prompts"]


def test_enter_before_the_answer_holds_where_qgis_has_to_draw(bench, project, make_image, tmp_path):
    path = tmp_path / "image.fits"
    gdal.Translate(str(path), str(make_image()), format="FITS", bandList=[1])
    layer = use(bench, project, path)
    extent = layer.extent()
    bench.click(extent.xMinimum() + 0.3 * extent.width(), extent.yMaximum() - 0.4667 * extent.height())
    bench.key(Qt.Key.Key_Return)
    wait_until(lambda: bench.digitizer.target.layer is not None and bench.digitizer.target.layer.featureCount() == 1)


def test_a_raster_that_rational_polynomials_place(bench, project, make_image):
    path = make_image("rpc.tif", epsg=None, geotransform=None)
    dataset = gdal.Open(str(path), gdal.GA_Update)
    dataset.SetMetadata(RPC, "RPC")
    dataset = None
    assert click_field(bench, use(bench, project, path))


@pytest.fixture
def collared(make_image):
    """Black at the left and at the top, and nothing that says so."""
    path = make_image("collar.tif")
    dataset = gdal.Open(str(path), gdal.GA_Update)
    for number in (1, 2, 3):
        values = dataset.GetRasterBand(number).ReadAsArray()
        values[:, :50] = values[:90] = 0
        dataset.GetRasterBand(number).WriteArray(values)
    dataset = None
    return path


def test_values_that_the_layer_says_are_no_data(bench, project, collared):
    layer = use(bench, project, collared)
    for band in (1, 2, 3):
        layer.dataProvider().setUserNoDataValue(band, [QgsRasterRange(0, 0)])
    bench.look_at(500_000, 4_499_400, 500_800, 4_500_000)
    bench.click(*MIDDLE)
    assert iou(bench.answered(), BOX) > 0.95
    bench.key(Qt.Key.Key_Escape)
    bench.click(*COLLAR)
    assert bench.answered() is None


def test_no_data_of_the_file_that_the_layer_takes_for_values(bench, project, make_image):
    path = make_image("lake.tif", nodata_corner=True)
    layer = use(bench, project, path)
    bench.look_at(500_000, 4_499_400, 500_800, 4_500_000)
    bench.click(500_040, 4_499_960)
    assert bench.answered() is None
    bench.digitizer.clear()
    for band in (1, 2, 3):
        layer.dataProvider().setUseSourceNoDataValue(band, False)
    bench.click(500_040, 4_499_960)
    assert iou(bench.answered(), QgsGeometry.fromRect(QgsRectangle(500_000, 4_499_920, 500_080, 4_500_000))) > 0.8


def test_limits_of_a_band_with_scale_and_offset_are_told_as_the_file_has_its_values(bench, project, make_image):
    path = make_image("scaled.tif")
    dataset = gdal.Open(str(path), gdal.GA_Update)
    for number in (1, 2, 3):
        dataset.GetRasterBand(number).SetScale(0.01)
        dataset.GetRasterBand(number).SetOffset(-1.0)
    dataset = None
    layer = use(bench, project, path)
    renderer = layer.renderer().clone()
    for name in ("Red", "Green", "Blue"):
        enhancement = QgsContrastEnhancement(layer.dataProvider().dataType(1))
        enhancement.setContrastEnhancementAlgorithm(QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum)
        enhancement.setMinimumValue(-0.6)
        enhancement.setMaximumValue(0.9)
        getattr(renderer, f"set{name}ContrastEnhancement")(enhancement)
    layer.setRenderer(renderer)
    set_as_shown(layer, True)
    shown = stretch_of(layer)
    assert np.allclose(shown.low, 40)
    assert np.allclose(shown.high, 190)
    bench.look_at(500_000, 4_499_400, 500_800, 4_500_000)
    bench.click(*MIDDLE)
    assert iou(bench.answered(), BOX) > 0.9


def test_a_layer_with_options_for_opening_is_seen_as_they_make_it(bench, project, make_image):
    source = f"{make_image()}|option:NUM_THREADS=2"
    layer = use(bench, project, source)
    set_as_shown(layer, True)
    assert bench.digitizer.lens.stretch is None, "what QGIS draws is stretched already"
    assert click_field(bench, layer)
