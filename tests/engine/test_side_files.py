"""What says where a raster lies and what is valid, beside its pixels: side files, models of the sensor, odd values."""

import numpy as np
import pytest
import rasterio

from rasterlasso.contract.errors import RasterPlacedBySensor
from rasterlasso.contract.prompts import Point, Prompts
from rasterlasso.engine.rasters.source import RasterSource
from rasterlasso.engine.tiles.grid import Window
from rasterlasso.tests.placed_by_sensor import RPC

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

CLICK = Prompts((Point(500_240, 4_499_720),))
SHIFTED = Prompts((Point(500_340, 4_499_720),))


@pytest.fixture
def plain(field_image, tmp_path):
    """A PNG: all that tells where it lies is beside it."""
    path = tmp_path / "image.png"
    with rasterio.open(path, "w", driver="PNG", count=3, height=300, width=400, dtype="uint8") as dataset:
        dataset.write(field_image)
    for left in tmp_path.glob("*.aux.xml"):
        left.unlink()
    return path


def world_file(path, left, suffix=".pgw"):
    path.with_suffix(suffix).write_text(f"2\n0\n0\n-2\n{left + 1}\n{4_499_999}\n")


@pytest.mark.parametrize("suffix", [".pgw", ".wld"])
def test_a_world_file_corrected_meanwhile_moves_the_raster(segmenter, plain, suffix):
    world_file(plain, 500_000, suffix)
    first = segmenter.segment(str(plain), CLICK).polygon
    world_file(plain, 500_100, suffix)
    moved = segmenter.segment(str(plain), SHIFTED).polygon
    assert moved.bounds[0] - first.bounds[0] == pytest.approx(100, abs=1e-6)


def test_a_crs_that_comes_beside_a_raster_is_taken(segmenter, plain):
    world_file(plain, 500_000)
    segmenter.segment(str(plain), CLICK)
    assert segmenter.scene(str(plain)).source.crs_wkt is None
    (plain.parent / "image.png.aux.xml").write_text("<PAMDataset><SRS>EPSG:32613</SRS></PAMDataset>")
    segmenter.segment(str(plain), CLICK)
    assert "UTM zone 13N" in segmenter.scene(str(plain)).source.crs_wkt


def test_a_mask_that_comes_beside_a_raster_is_heeded(segmenter, make_raster, field_image):
    path = make_raster(field_image)
    assert segmenter.segment(str(path), CLICK).polygon.bounds[0] == pytest.approx(500_120, abs=3)
    mask = np.full((1, 300, 400), 255, np.uint8)
    mask[:, :, :100] = 0
    with rasterio.open(f"{path}.msk", "w", driver="GTiff", count=1, height=300, width=400, dtype="uint8") as dataset:
        dataset.write(mask)
        dataset.update_tags(**{f"INTERNAL_MASK_FLAGS_{band}": "2" for band in (1, 2, 3)})
    assert segmenter.segment(str(path), CLICK).polygon.bounds[0] == pytest.approx(500_200, abs=3)


def test_rational_polynomials_alone_are_named_with_the_cure(make_raster, field_image):
    path = make_raster(field_image, transform=None, crs=None)
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns="RPC", **RPC)
    with pytest.raises(RasterPlacedBySensor, match=r"image\.tif: only rational polynomials.*gdalwarp -rpc"):
        RasterSource(path)
    placed = make_raster(field_image, "placed.tif")
    with rasterio.open(placed, "r+") as dataset:
        dataset.update_tags(ns="RPC", **RPC)
    with RasterSource(placed) as source:
        assert source.transform.c == 500_000, "what the file states is stronger"


def test_arrays_of_coordinates_alone_are_named_with_the_cure(make_raster, field_image, tmp_path):
    path = make_raster(field_image, transform=None, crs=None)
    arrays = {"X_DATASET": "lon.tif", "Y_DATASET": "lat.tif", "SRS": "EPSG:4326", "PIXEL_STEP": "1", "LINE_STEP": "1"}
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns="GEOLOCATION", **arrays)
    with pytest.raises(RasterPlacedBySensor, match=r"gdalwarp -geoloc"):
        RasterSource(path)


@pytest.mark.parametrize("value", [-3.4028234663852886e38, 3.4028234663852886e38, -3.4e38])
def test_the_largest_numbers_are_no_data_where_nothing_is_declared(make_raster, field_image, segmenter, value):
    data = field_image.astype(np.float32)
    data[:, :, :100] = value
    path = make_raster(data)
    with RasterSource(path) as source:
        valid = source.read_valid((1, 2, 3), Window(0, 0, 400, 300, 400, 300))
    assert not valid[:, :100].any()
    assert valid[:, 100:].all()
    found = segmenter.segment(str(path), CLICK).polygon
    assert found.bounds == pytest.approx((500_200, 4_499_640, 500_360, 4_499_800), abs=5)
