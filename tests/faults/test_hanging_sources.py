"""Sources that never give what they promise: refused, or waited for without holding up anything else."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from affine import Affine

from rasterlasso.contract.errors import RasterServerFailed, RasterUnsupported
from rasterlasso.contract.prompts import Point, Prompts
from rasterlasso.contract.protocol import PULSE_S, Cancelled, Progress, Request, Result
from rasterlasso.contract.requests import PrefetchParams, SegmentParams
from rasterlasso.engine.rasters import source
from rasterlasso.engine.rasters.waiting import Waiting
from rasterlasso.engine.segmenting.session import Segmenter
from rasterlasso.tests.engine.test_worker import Engine

SERVER = Path(__file__).with_name("drip_server.py")
MIDDLE = (500_240.0, 4_499_720.0)
QUICK_S = 5.0
"""The dripping server is given up after twice as long."""


@pytest.fixture
def image(make_raster, field_image):
    return make_raster(field_image)


@pytest.fixture
def dripping(image, monkeypatch):
    """Address of a raster of which one byte comes a second."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with subprocess.Popen([sys.executable, SERVER, image, "1"], stdout=subprocess.PIPE, text=True) as process:
        yield f"/vsicurl/http://127.0.0.1:{process.stdout.readline().strip()}/image.tif"
        process.terminate()


@pytest.fixture
def engine(monkeypatch):
    running = Engine()
    running.receive()
    running.send(Request(1, "models"))
    running.final(1)  # it is warm
    yield running
    running.close()


def click(number, path, revision):
    params = SegmentParams(str(path), Prompts((Point(*MIDDLE),)), "builtin", 0)
    return Request(number, "segment", params.to_wire(), "draft", revision)


def test_a_click_elsewhere_does_not_wait_for_a_server_that_drips(engine, dripping, image):
    engine.send(click(2, dripping, 1))
    time.sleep(0.5)
    start = time.monotonic()
    engine.send(click(3, image, 2))
    assert isinstance(engine.final(2), Cancelled)
    assert isinstance(engine.final(3), Result)
    assert time.monotonic() - start < QUICK_S


def test_what_is_prefetched_from_a_server_that_drips_holds_up_no_click(engine, dripping, image):
    view = (500_000.0, 4_499_400.0, 500_800.0, 4_500_000.0)
    engine.send(Request(2, "prefetch", PrefetchParams(dripping, "builtin", 0, MIDDLE, view).to_wire()))
    engine.final(2)
    time.sleep(0.5)
    start = time.monotonic()
    engine.send(click(3, image, 1))
    assert isinstance(engine.final(3), Result)
    assert time.monotonic() - start < QUICK_S


def test_while_a_server_drips_the_engine_says_that_it_lives_and_then_what_is_wrong(engine, dripping):
    engine.send(click(2, dripping, 1))
    heard, messages = time.monotonic(), []
    while not messages or isinstance(messages[-1], Progress):
        messages.append(engine.receive())
        assert time.monotonic() - heard < 2 * PULSE_S
        heard = time.monotonic()
    assert messages[-1].code == "RasterServerFailed"
    assert {message.stage for message in messages[:-1]} <= {"wait", "read"}


def test_a_server_that_drips_is_given_up_with_a_reason(dripping, monkeypatch):
    monkeypatch.setitem(source.HTTP, "GDAL_HTTP_LOW_SPEED_TIME", "1")
    segmenter = Segmenter()
    with pytest.raises(RasterServerFailed, match="server did not give"):
        segmenter.segment(dripping, Prompts((Point(*MIDDLE),)))
    segmenter.close()


VRT = """<VRTDataset rasterXSize="400" rasterYSize="300"><SRS>EPSG:32613</SRS>
<GeoTransform>500000, 2, 0, 4500000, 0, -2</GeoTransform><VRTRasterBand dataType="Byte" band="1"><SimpleSource>
<SourceFilename relativeToVRT="{relative}">{name}</SourceFilename><SourceBand>1</SourceBand>
<SrcRect xOff="0" yOff="0" xSize="400" ySize="300"/><DstRect xOff="0" yOff="0" xSize="400" ySize="300"/>
</SimpleSource></VRTRasterBand></VRTDataset>"""


@pytest.fixture
def opened():
    """Tries to open a source; what the user is told."""
    segmenter = Segmenter()

    def told(path):
        with pytest.raises(RasterUnsupported) as refused:
            segmenter.segment(str(path), Prompts((Point(*MIDDLE),)))
        return str(refused.value)

    yield told
    segmenter.close()


def test_pipes_and_standard_input_are_refused(opened, tmp_path):
    os.mkfifo(tmp_path / "pipe.tif")
    assert "is a pipe" in opened(tmp_path / "pipe.tif")
    assert "standard input" in opened("/vsistdin/")
    assert "standard input" in opened("/vsigzip//vsistdin/")
    (tmp_path / "of-a-pipe.vrt").write_text(VRT.format(relative=1, name="pipe.tif"))
    assert "its source" in opened(tmp_path / "of-a-pipe.vrt")
    (tmp_path / "of-standard-input.vrt").write_text(VRT.format(relative=0, name="/vsistdin/"))
    assert "standard input" in opened(tmp_path / "of-standard-input.vrt")


@pytest.mark.parametrize("nested", [False, True])
def test_a_source_of_a_vrt_that_is_missing_is_named_at_the_next_click(make_raster, field_image, opened, tmp_path, nested):
    """Reduced reads of it give zeros without an error, which would be a plain surface."""
    image = make_raster(field_image, transform=Affine(2, 0, 500_000, 0, -2, 4_500_000))
    path = tmp_path / "one.vrt"
    path.write_text(VRT.format(relative=1, name=image.name))
    if nested:
        (tmp_path / "outer.vrt").write_text(VRT.format(relative=1, name=path.name))
        path = tmp_path / "outer.vrt"
    segmenter = Segmenter()
    assert segmenter.segment(str(path), Prompts((Point(*MIDDLE),))).score > 0.5
    image.rename(tmp_path / "elsewhere.tif")
    for level in (0, 2):
        with pytest.raises(RasterUnsupported, match=r"image\.tif is missing; put it back"):
            segmenter.segment(str(path), Prompts((Point(*MIDDLE),)), level=level)
    (tmp_path / "elsewhere.tif").rename(image)
    assert segmenter.segment(str(path), Prompts((Point(*MIDDLE),))).score > 0.5
    segmenter.close()


def test_what_failed_while_nobody_waited_is_tried_again():
    waiting, release, tries = Waiting(), threading.Event(), []

    def fails_once():
        tries.append(len(tries))
        release.wait(10)
        if len(tries) == 1:
            raise OSError("the server was away")
        return "here"

    def leave():
        raise TimeoutError("a click elsewhere")

    with pytest.raises(TimeoutError):
        waiting.get("raster", fails_once, leave)
    release.set()
    time.sleep(0.2)
    assert waiting.get("raster", fails_once, lambda: None) == "here"
