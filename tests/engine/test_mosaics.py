"""Mosaics of which a source is missing: the rest is worked on, what is missing is no data, and the user is told."""

import threading
import warnings

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from rasterlasso.contract.errors import MosaicIncomplete, PromptOnNodata, RasterUnsupported
from rasterlasso.contract.prompts import Point, Prompts
from rasterlasso.engine import cli
from rasterlasso.engine.rasters.quiet import collected
from rasterlasso.engine.rasters.source import RasterSource
from rasterlasso.engine.segmenting.session import Segmenter
from rasterlasso.engine.tiles.disk_store import TileStore
from rasterlasso.engine.tiles.grid import Window

LEFT, RIGHT = Prompts((Point(500_240, 4_499_720),)), Prompts((Point(501_040, 4_499_720),))


@pytest.fixture
def mosaic(make_raster, field_image, tmp_path):
    """The field twice, side by side; options of the VRT's bands."""

    def made(nodata="", kind="SimpleSource"):
        for name in ("left.tif", "right.tif"):
            make_raster(field_image, name)
        bands = "".join(
            f'<VRTRasterBand dataType="Byte" band="{band}">{nodata}'
            + "".join(
                f'<{kind}><SourceFilename relativeToVRT="1">{name}</SourceFilename><SourceBand>{band}</SourceBand>'
                f'<SrcRect xOff="0" yOff="0" xSize="400" ySize="300"/>'
                f'<DstRect xOff="{x}" yOff="0" xSize="400" ySize="300"/></{kind}>'
                for name, x in (("left.tif", 0), ("right.tif", 400))
            )
            + "</VRTRasterBand>"
            for band in (1, 2, 3)
        )
        path = tmp_path / "mosaic.vrt"
        path.write_text(
            '<VRTDataset rasterXSize="800" rasterYSize="300"><SRS>EPSG:32613</SRS>'
            f"<GeoTransform>500000, 2, 0, 4500000, 0, -2</GeoTransform>{bands}</VRTDataset>"
        )
        return path

    return made


@pytest.mark.parametrize("nodata", ["", "<NoDataValue>0</NoDataValue>"])
@pytest.mark.parametrize("kind", ["SimpleSource", "ComplexSource"])
@pytest.mark.parametrize("level", [0, 1])
def test_the_rest_of_a_mosaic_is_worked_on(mosaic, nodata, kind, level):
    path, told = mosaic(nodata, kind), []
    segmenter = Segmenter(notify=told.append)
    whole = segmenter.segment(str(path), RIGHT, level=level).polygon
    assert not told
    gone = path.with_name("right.tif")
    gone.rename(path.with_name("elsewhere.tif"))
    found = segmenter.segment(str(path), LEFT, level=level)
    assert found.polygon.bounds == pytest.approx((500_120, 4_499_640, 500_360, 4_499_800), abs=6)
    [error] = told
    assert isinstance(error, MosaicIncomplete)
    assert str(gone) in str(error)
    with pytest.raises(PromptOnNodata):
        segmenter.segment(str(path), RIGHT, level=level)
    path.with_name("elsewhere.tif").rename(gone)
    assert segmenter.segment(str(path), RIGHT, level=level).polygon.equals(whole)
    segmenter.close()


def test_what_is_missing_is_no_data_and_what_is_there_is_as_it_was(mosaic):
    path = mosaic()
    everything = Window(0, 0, 800, 300, 800, 300)
    with RasterSource(path) as source:
        before = source.read((1, 2, 3), everything)
    path.with_name("right.tif").unlink()
    with RasterSource(path) as source:
        after, valid = source.read((1, 2, 3), everything), source.read_valid((1, 2, 3), everything)
    assert valid[:, :400].all()
    assert not valid[:, 400:].any()
    assert (after[..., :400] == before[..., :400]).all()


def test_what_is_left_of_mosaics_shares_no_tiles_on_disk(mosaic, tmp_path):
    """Their frames differ, whatever their sources have in common."""
    path = mosaic()
    path.with_name("right.tif").unlink()
    segmenter = Segmenter(store=TileStore(tmp_path / "tiles", 10**9), notify=lambda error: None)
    assert segmenter.scene(str(path)).content is None
    assert segmenter.scene(str(path.with_name("left.tif"))).content is not None
    segmenter.close()


def test_a_mosaic_with_a_mask_of_its_own_is_worked_on(mosaic):
    path = mosaic()
    text = path.read_text()
    sources = "".join(
        f'<SimpleSource><SourceFilename relativeToVRT="1">{name}</SourceFilename><SourceBand>mask,1</SourceBand>'
        f'<SrcRect xOff="0" yOff="0" xSize="400" ySize="300"/>'
        f'<DstRect xOff="{x}" yOff="0" xSize="400" ySize="300"/></SimpleSource>'
        for name, x in (("left.tif", 0), ("right.tif", 400))
    )
    mask = f'<MaskBand><VRTRasterBand dataType="Byte">{sources}</VRTRasterBand></MaskBand>'
    path.write_text(text.replace("</VRTDataset>", f"{mask}</VRTDataset>"))
    path.with_name("right.tif").unlink()
    with RasterSource(path) as source:
        valid = source.read_valid((1, 2, 3), Window(0, 0, 800, 300, 800, 300))
    assert valid[:, :400].all()
    assert not valid[:, 400:].any()


def test_a_mosaic_of_which_nothing_is_left_is_refused_by_name(mosaic):
    path = mosaic()
    for name in ("left.tif", "right.tif"):
        path.with_name(name).unlink()
    with pytest.raises(RasterUnsupported, match=r"tif is missing; put it back"):
        RasterSource(path)


def test_the_command_line_tells_it_in_one_line(mosaic, tmp_path, capsys):
    path = mosaic()
    path.with_name("right.tif").unlink()
    out = tmp_path / "out.gpkg"
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        assert cli.main(["segment", str(path), "--point", "500240,4499720", "-o", str(out)]) == 0
    [line] = capsys.readouterr().err.splitlines()
    assert "1 of its sources are missing" in line


@pytest.mark.filterwarnings("error")
def test_threads_collect_their_own_warnings(tmp_path):
    """One that opens what lies nowhere does not make another believe that of its own."""
    plain = tmp_path / "plain.tif"
    with (
        collected(NotGeoreferencedWarning),
        rasterio.open(plain, "w", driver="GTiff", width=4, height=4, count=1, dtype="uint8") as dataset,
    ):
        dataset.write(np.zeros((1, 4, 4), np.uint8))
    both, found = threading.Barrier(2), {}

    def look(name, warn):
        with collected(NotGeoreferencedWarning) as told:
            both.wait()
            if warn:
                rasterio.open(plain).close()
            both.wait()
            found[name] = len(told)

    threads = [threading.Thread(target=look, args=each) for each in (("plain", True), ("placed", False))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found["plain"] >= 1
    assert found["placed"] == 0
    with pytest.raises(NotGeoreferencedWarning):
        rasterio.open(plain)
