"""Rasters on web servers: read by ranges, and known again by what the server tells of them."""

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from rasterlasso.contract.prompts import Point, Prompts
from rasterlasso.engine.rasters.fingerprint import remote_content
from rasterlasso.engine.segmenting.session import Segmenter
from rasterlasso.engine.tiles.disk_store import TileStore
from rasterlasso.models.builtin.model import BuiltinModel

SERVER = Path(__file__).with_name("range_server.py")


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Starts a server of the test's folder; gives its address."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    @contextmanager
    def running(*options):
        with subprocess.Popen([sys.executable, SERVER, tmp_path, *options], stdout=subprocess.PIPE, text=True) as process:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
            process.terminate()

    return running


def segment(folder, path):
    segmenter = Segmenter(store=TileStore(folder, 10**9))
    found = segmenter.segment(path, Prompts((Point(500_240, 4_499_720),)))
    segmenter.close()
    assert found.polygon.area == pytest.approx(240 * 160, rel=0.05)


def test_tiles_of_a_remote_raster_are_found_again(served, make_raster, field_image, tmp_path, monkeypatch):
    make_raster(field_image)
    with served() as address:
        path = f"/vsicurl/{address}/image.tif"
        segment(tmp_path / "tiles", path)
        monkeypatch.delattr(BuiltinModel, "encode")
        segment(tmp_path / "tiles", path)


def test_a_changed_file_is_another(served, make_raster, field_image):
    make_raster(field_image)
    with served() as address:
        url = f"{address}/image.tif"
        before = remote_content(url)
        assert before == remote_content(f"{url}?key=of-today")
        make_raster(field_image[:, :200])
        assert remote_content(url) not in (None, before)


def test_what_can_not_be_told_apart_is_not_kept(served, make_raster, field_image, tmp_path):
    make_raster(field_image)
    with served("--secretive") as address:
        assert remote_content(f"{address}/image.tif") is None
        assert remote_content(f"{address}/missing.tif") is None
        segment(tmp_path / "tiles", f"/vsicurl/{address}/image.tif")
        assert not (tmp_path / "tiles").exists()
    assert remote_content(f"{address}/closed.tif") is None
