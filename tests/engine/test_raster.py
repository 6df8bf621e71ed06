import json

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.control import GroundControlPoint

from rasterlasso.contract.errors import RasterError, RasterNotFound, RasterUnreadable, RasterUnsupported
from rasterlasso.contract.looks import Stretch
from rasterlasso.engine.rasters import radiometry
from rasterlasso.engine.rasters import source as raster
from rasterlasso.engine.rasters.radiometry import Radiometry
from rasterlasso.engine.rasters.source import RasterSource
from rasterlasso.engine.tiles.grid import Tile, Window

transforms = st.one_of(
    st.builds(
        lambda x, y, px, angle: Affine.translation(x, y) @ Affine.rotation(angle) @ Affine.scale(px, -px),
        st.floats(-2e7, 2e7),
        st.floats(-2e7, 2e7),
        st.floats(0.01, 1000),
        st.floats(-180, 180),
    ),
    st.builds(lambda x, y, px: Affine(px, 0, x, 0, px, y), st.floats(-180, 170), st.floats(-80, 80), st.floats(1e-6, 1)),
    st.builds(lambda x, y, px: Affine(px, 0, x, 0, -px, y), st.floats(-180, 170), st.floats(-80, 80), st.floats(1e-6, 1)),
)


@given(transforms, st.floats(0, 50_000), st.floats(0, 50_000))
def test_pixel_to_map_and_back(transform, x, y):
    """Rotated, south-up and geographic rasters: the inverse gives the pixel back to a thousandth."""
    there = raster._affine(transform, np.array([[x, y]]))
    back = raster._affine(~transform, there)
    precision = 1e-9 * np.abs(there).max() / abs(transform.determinant) ** 0.5  # what doubles hold of the map coordinate
    assert np.allclose(back, [[x, y]], atol=1e-3 + precision)
    assert np.allclose(there, [transform @ (x, y)])


def whole(source, shrink=1):
    return Window(0, 0, source.width_px, source.height_px, source.width_px // shrink, source.height_px // shrink)


@pytest.mark.parametrize(
    "transform",
    [Affine(2, 0, 1000, 0, 2, 2000), Affine.translation(1000, 2000) @ Affine.rotation(30) @ Affine.scale(2, -2)],
    ids=["south-up", "rotated"],
)
def test_odd_georeferences_are_read_as_they_are(make_raster, field_image, transform):
    with RasterSource(make_raster(field_image, transform=transform)) as source:
        assert np.allclose(source.to_map(np.array([[60.0, 100.0]])), [transform @ (60, 100)])
        assert (source.read((1,), whole(source))[0] == field_image[0]).all()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(
    ("transform", "place"), [(None, [10.0, -20.0]), (Affine.identity(), [10.0, 20.0])], ids=["none", "identity"]
)
def test_rasters_in_pixels_lie_where_qgis_shows_them(make_raster, field_image, transform, place):
    """The same is asserted of QGIS in tests/qgis."""
    with RasterSource(make_raster(field_image, transform=transform, crs=None)) as source:
        assert source.crs_wkt is None
        assert source.to_map(np.array([[10.0, 20.0]])).tolist() == [place]


def test_ground_control_points_place_a_raster(tmp_path, field_image):
    path = tmp_path / "gcps.tif"
    corners = [(0, 0), (0, 400), (300, 0), (300, 400)]
    points = [GroundControlPoint(row, col, 10 + col * 0.001, 50 - row * 0.001) for row, col in corners]
    with rasterio.open(
        path, "w", driver="GTiff", count=3, height=300, width=400, dtype="uint8", gcps=points, crs="EPSG:4326"
    ) as file:
        file.write(field_image)
    with RasterSource(path) as source:
        assert "4326" in source.crs_wkt
        x, y = source.to_map(np.array([[source.width_px / 2, source.height_px / 2]]))[0]
        assert (x, y) == pytest.approx((10.2, 49.85), abs=0.002)


def test_nodata_alpha_masks_and_nan_are_invalid(make_raster, field_image):
    hole = np.s_[20:40, 30:50]
    nodata = field_image.copy()
    nodata[:, *hole] = 0
    alpha = np.concatenate([field_image, np.full((1, 300, 400), 255, np.uint8)])
    alpha[3][hole] = 0
    not_a_number = field_image.astype(np.float32)
    not_a_number[1][hole] = np.nan
    mask = np.full((300, 400), 255, np.uint8)
    mask[hole] = 0
    expected = mask > 0
    for number, path in enumerate(
        [
            make_raster(nodata, "nodata.tif", nodata=0),
            make_raster(alpha, "alpha.tif", photometric="RGB", alpha="YES"),
            make_raster(alpha, "alpha-and-nodata.tif", photometric="RGB", alpha="YES", nodata=1),
            make_raster(not_a_number, "nan.tif"),
            make_raster(field_image, "mask.tif", mask=mask),
        ]
    ):
        with RasterSource(path) as source:
            image, valid = Radiometry.of(source).render(source, whole(source))
        assert (valid == expected).all(), number
        assert (image[~valid] == 0).all()


def test_oversampled_neighbours_of_nan_are_dark_and_without_a_warning(make_raster, field_image):
    image = field_image.astype(np.float32)
    image[:, 20:40, 30:50] = np.nan
    with RasterSource(make_raster(image)) as source:
        rendered, valid = Radiometry.of(source).render(source, Window(10, 10, 60, 60, 200, 200))
    assert valid.any()
    assert not valid.all()
    assert (rendered[~valid] == 0).all()


def test_a_band_that_holds_nodata_by_chance_stays_valid(make_raster, field_image):
    field_image[0, :50] = 0
    with RasterSource(make_raster(field_image, nodata=0)) as source:
        assert source.read_valid((1, 2, 3), whole(source)).all()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_the_stretch_is_alike_for_all_types(make_raster, field_image, dtype):
    gain = 1 if dtype == "uint8" else 37
    with RasterSource(make_raster(field_image.astype(dtype) * gain, nodata=None)) as source:
        image, _ = Radiometry.of(source).render(source, whole(source))
    assert int(image[140, 120].min()) > int(image[10, 10].max()) + 90


def test_the_stretch_is_the_rasters_not_the_tiles(make_raster, field_image):
    with RasterSource(make_raster(field_image.astype(np.uint16) * 50)) as source:
        radiometry = Radiometry.of(source)
        image, _ = radiometry.render(source, whole(source))
        part, _ = radiometry.render(source, Window(100, 50, 200, 150, 100, 100))
    assert (part == image[50:150, 100:200]).all()


def test_bands_follow_their_meaning(make_raster, field_image):
    blue_green_red = field_image[::-1].copy()
    blue_green_red[0], blue_green_red[2] = 10, 200
    path = make_raster(blue_green_red)
    with rasterio.open(path, "r+") as dataset:
        dataset.colorinterp = [rasterio.enums.ColorInterp[name] for name in ("blue", "green", "red")]
    with RasterSource(path) as source:
        assert Radiometry.of(source).bands == (3, 2, 1)


@pytest.mark.parametrize("dtype", ["int32", "int16"])
def test_a_palette_of_a_wide_type_takes_no_memory_for_values_without_colours(tmp_path, dtype):
    """A table for each value of 32 bits took 6 GiB, and negative values took colours from its end."""
    path = tmp_path / "classes.vrt"
    classes = np.full((1, 40, 40), 2, dtype)
    classes[0, :10] = -1
    classes[0, 10:20] = 7
    with rasterio.open(
        tmp_path / "classes.tif", "w", "GTiff", 40, 40, 1, "EPSG:32613", Affine(2, 0, 500_000, 0, -2, 4_500_000), dtype
    ) as dataset:
        dataset.write(classes)
    kind = {"int32": "Int32", "int16": "Int16"}[dtype]
    path.write_text(
        f"""<VRTDataset rasterXSize="40" rasterYSize="40"><SRS>EPSG:32613</SRS>
        <GeoTransform>500000, 2, 0, 4500000, 0, -2</GeoTransform>
        <VRTRasterBand dataType="{kind}" band="1"><ColorInterp>Palette</ColorInterp>
        <ColorTable><Entry c1="9" c2="9" c3="9" c4="255"/><Entry c1="250" c2="10" c3="20" c4="255"/>
        <Entry c1="5" c2="6" c3="7" c4="255"/></ColorTable>
        <SimpleSource><SourceFilename relativeToVRT="1">classes.tif</SourceFilename><SourceBand>1</SourceBand>
        </SimpleSource></VRTRasterBand></VRTDataset>"""
    )
    with RasterSource(str(path)) as source:
        assert source.palette().shape == (3, 3)
        radiometry = Radiometry.of(source)
        image, _ = radiometry.render(source, Window(0, 0, 40, 40, 40, 40))
    assert image[30, 5].tolist() == [5, 6, 7]
    assert image[5, 5].tolist() == [0, 0, 0]
    assert image[15, 5].tolist() == [0, 0, 0]


def test_a_palette_is_looked_up(make_raster):
    classes = np.repeat(np.array([[[1, 2]]], np.uint8), 8, axis=1).repeat(8, axis=2)
    path = make_raster(classes, photometric="palette")
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {1: (250, 10, 20, 255), 2: (5, 6, 7, 255)})
    with RasterSource(path) as source:
        image, _ = Radiometry.of(source).render(source, whole(source))
    assert image[0, 0].tolist() == [250, 10, 20]
    assert image[0, -1].tolist() == [5, 6, 7]


def test_files_that_are_no_rasters_are_refused_by_name(tmp_path, make_raster, field_image):
    text = tmp_path / "text.tif"
    text.write_text("not a raster")
    empty = tmp_path / "empty.tif"
    empty.touch()
    for path, error in ((tmp_path / "none.tif", RasterNotFound), (text, RasterUnreadable), (empty, RasterUnreadable)):
        with pytest.raises(error, match=path.name):
            RasterSource(path)


def test_a_truncated_file_is_refused_when_its_pixels_are_missed(make_raster, field_image):
    path = make_raster(field_image)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(RasterUnreadable, match=r"image\.tif.*truncated"), RasterSource(path) as source:
        Radiometry.of(source)


def test_complex_numbers_and_rasters_without_valid_pixels_are_refused(make_raster):
    with pytest.raises(RasterUnsupported, match="complex"):
        RasterSource(make_raster(np.zeros((1, 8, 8), np.complex64)))
    with (
        pytest.raises(RasterUnsupported, match="no valid pixel"),
        RasterSource(make_raster(np.zeros((1, 8, 8), np.uint8), nodata=0)) as source,
    ):
        Radiometry.of(source)


def test_real_odd_rasters_open_or_are_refused(data):
    catalog = json.loads((data / "odd" / "CATALOG.json").read_text())
    opened, refusals = 0, {}
    for path in sorted((data / "odd").glob("*.tif")):
        try:
            with RasterSource(path) as source:
                image, valid = Radiometry.of(source).render(source, whole(source))
                opened += 1
                assert image.shape[:2] == valid.shape
                assert valid.any()
        except RasterError as error:
            refusals[path.name] = str(error)
    assert all(name in refusal for name, refusal in refusals.items())
    assert opened >= len(catalog) - 2


def test_a_chosen_stretch_is_what_is_seen(make_raster):
    data = np.tile(np.linspace(0, 1000, 64).astype(np.uint16), (4, 8, 1))
    data[3] = 7
    with RasterSource(make_raster(data)) as source:
        chosen = Radiometry.chosen(source, Stretch((1, 4, 1), (0.0, 0.0, 500.0), (1000.0, 14.0, 1000.0), 2.0))
        image, _ = chosen.render(source, whole(source))
        plain = Radiometry.chosen(source, Stretch((1,), (0.0,), (1000.0,)))
        keys = {chosen.key, plain.key, Radiometry.of(source).key}
        with pytest.raises(RasterUnsupported, match="4 bands"):
            Radiometry.chosen(source, Stretch((5,), (0.0,), (1.0,)))
    assert image[0, :, 0] == pytest.approx(255 * np.sqrt(data[0, 0] / 1000), abs=1)
    assert (image[..., 1] == 180).all()
    assert (image[0, :32, 2] == 0).all()
    assert len(keys) == 3


def test_statistics_of_a_giant_without_overviews_come_from_patches(make_raster, monkeypatch):
    monkeypatch.setattr(radiometry, "MOST_READ_PX", 1000)
    rng = np.random.default_rng(0)
    with RasterSource(make_raster(rng.integers(100, 900, (1, 1500, 1500)).astype(np.uint16))) as source:
        found = Radiometry.of(source)
    assert (found.low[0], found.high[0]) == pytest.approx((116, 884), abs=5)
    nearly_empty = np.zeros((1, 1500, 1500), np.uint16)
    nearly_empty[:, 70:80, 70:80] = 500
    with RasterSource(make_raster(nearly_empty, "empty.tif", nodata=0)) as source:
        assert Radiometry.of(source).low[0] == 500


def test_a_few_nan_do_not_darken_what_is_reduced(make_raster):
    rng = np.random.default_rng(0)
    data = rng.uniform(80, 90, (1, 512, 512)).astype(np.float32)
    data[0, rng.random((512, 512)) < 0.02] = np.nan
    with RasterSource(make_raster(data)) as source:
        window = source.grid.window(Tile(3, 0, 0))
        image, valid = Radiometry.of(source).render(source, window)
    assert valid.mean() > 0.9
    assert (image[valid] == 0).mean() < 0.1


@pytest.mark.parametrize(("dtype", "middle", "spread"), [("float64", 1.7e9, 30), ("uint32", 4e9, 40), ("int64", 2.0**60, 1e6)])
def test_large_values_keep_their_contrast(make_raster, dtype, middle, spread):
    data = (middle + spread * np.linspace(-1, 1, 300 * 400)).reshape(1, 300, 400).astype(dtype)
    with RasterSource(make_raster(data)) as source:
        image, _ = Radiometry.of(source).render(source, source.grid.window(Tile(0, 0, 0)))
    assert image[0, 0, 0] < 20 < 235 < image[-1, -1, 0]


def test_ground_control_points_that_place_nothing_are_refused(tmp_path, field_image):
    points = [GroundControlPoint(place, place, 500_000, 4_500_000) for place in (0.0, 10.0, 20.0)]
    path = tmp_path / "gcps.tif"
    options = {"count": 3, "height": 300, "width": 400, "dtype": "uint8", "crs": "EPSG:32613", "gcps": points}
    with rasterio.open(path, "w", driver="GTiff", **options) as dataset:
        dataset.write(field_image)
    with pytest.raises(RasterUnreadable, match=r"gcps\.tif"):
        RasterSource(path)


def test_bands_of_different_types_are_read_in_their_common_type(make_raster, field_image, tmp_path):
    """As gdalbuildvrt -separate puts them together."""
    make_raster(field_image[:1], "1.tif")
    make_raster(field_image[1:2].astype(np.float32) / 255, "2.tif")
    make_raster(field_image[2:].astype(np.uint16) * 10, "3.tif")
    bands = "".join(
        f'<VRTRasterBand dataType="{kind}" band="{number}"><SimpleSource><SourceFilename relativeToVRT="1">{number}.tif'
        "</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>"
        for number, kind in ((1, "Byte"), (2, "Float32"), (3, "UInt16"))
    )
    path = tmp_path / "mixed.vrt"
    path.write_text(
        '<VRTDataset rasterXSize="400" rasterYSize="300"><SRS>EPSG:32613</SRS>'
        f"<GeoTransform>500000, 2, 0, 4500000, 0, -2</GeoTransform>{bands}</VRTDataset>"
    )
    with RasterSource(str(path)) as source:
        assert source.read((1, 2, 3), whole(source)).dtype == np.float32
        image, valid = Radiometry.of(source).render(source, whole(source))
    assert valid.all()
    inside, outside = image[120:160, 80:160].mean(axis=(0, 1)), image[200:, 200:].mean(axis=(0, 1))
    assert (inside - outside > 60).all()


def test_ground_control_points_need_no_crs(make_raster, field_image, tmp_path):
    """QGIS places a raster by them all the same."""
    make_raster(field_image, "plain.tif")
    points = "".join(
        f'<GCP Id="" Pixel="{col}" Line="{row}" X="{500_000 + 2 * col}" Y="{4_500_000 - 2 * row}"/>'
        for col, row in ((0, 0), (400, 0), (0, 300), (400, 300))
    )
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}"><SimpleSource><SourceFilename relativeToVRT="1">plain.tif'
        f"</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
        for band in (1, 2, 3)
    )
    path = tmp_path / "gcps.vrt"
    path.write_text(f'<VRTDataset rasterXSize="400" rasterYSize="300"><GCPList>{points}</GCPList>{bands}</VRTDataset>')
    with RasterSource(str(path)) as source:
        assert source.crs_wkt is None
        middle = source.to_map(np.array([[source.width_px / 2, source.height_px / 2]]))[0]
        image, _ = Radiometry.of(source).render(source, whole(source))
    assert middle == pytest.approx((500_400, 4_499_700), abs=2)
    assert image[140, 120].astype(int).mean() > image[250, 300].astype(int).mean() + 60


def test_a_name_that_is_no_utf_8_is_refused_in_words(make_raster, field_image):
    with pytest.raises(RasterUnsupported, match="rename it"):
        RasterSource("/somewhere/gr\udcfcn.tif")
