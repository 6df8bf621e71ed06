"""What others wrote among the user's models, what is no model, and prompts without size: refused in words, each alone."""

import http.server
import threading
import zipfile

import numpy as np
import pytest
import rasterio
from safetensors.torch import load_file, save_file

from rasterlasso.contract.errors import BoxWithoutSize, RasterUnsupported
from rasterlasso.contract.model_errors import ModelFileUnusable
from rasterlasso.contract.prompts import Box, Prompts
from rasterlasso.engine import cli
from rasterlasso.engine.rasters.source import RasterSource
from rasterlasso.engine.segmenting.session import Segmenter
from rasterlasso.models import registry
from rasterlasso.models.base import PixelPrompts
from rasterlasso.models.library import weights
from rasterlasso.models.library.download import fetch
from rasterlasso.models.prompted import answer_before
from rasterlasso.models.recently_used import RecentlyUsed

FOREIGN = [
    "[]",
    "7",
    '{"kind": "sam"}',
    '{"kind": "sam", "parameters": "many", "sha256": {}}',
    '{"kind": 3, "parameters": 1, "sha256": {"model.safetensors": "a"}}',
    '{"kind": "sam", "parameters": 1, "sha256": {"model.safetensors": 5}}',
    '{"kind": "sam", "parameters": 1, "sha256": ["model.safetensors"]}',
    "[" * 100_000,
    "\x00",
]


@pytest.mark.parametrize("text", FOREIGN)
def test_a_foreign_record_hides_no_other_model(store, sam_folder, capsys, text):
    registry.tried(weights.add(sam_folder("sam"), "mine"))
    (store / "foreign").mkdir()
    (store / "foreign" / weights.RECORD).write_text(text)
    assert cli.main(["models", "list"]) == 0
    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()] == ["builtin", "mine"]


@pytest.mark.parametrize("config", ["[" * 100_000, '{"model_type": ["sam"]}', '{"model_type": {"a": 1}}', "null"])
def test_an_odd_configuration_is_refused(store, sam_folder, tmp_path, config):
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "config.json").write_text(config)
    (folder / "model.safetensors").write_bytes((sam_folder("sam") / "model.safetensors").read_bytes())
    with pytest.raises(ModelFileUnusable, match=r"no readable config\.json"):
        weights.add(folder)


def test_weights_of_another_shape_are_not_kept(store, sam_folder, tmp_path, capsys):
    """They used to be added, and failed at the first click."""
    folder = tmp_path / "thin"
    folder.mkdir()
    (folder / "config.json").write_text((sam_folder("sam") / "config.json").read_text())
    kept = {
        name: tensor for name, tensor in load_file(sam_folder("sam") / "model.safetensors").items() if "decoder" not in name
    }
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    assert cli.main(["models", "add", str(folder)]) == 2
    assert "weights are missing" in capsys.readouterr().err
    assert list(weights.installed()) == []


def test_a_checkpoint_that_is_packed_tightly_is_refused_before_it_fills_the_memory(store, tmp_path):
    bomb = tmp_path / "bomb.pth"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}.")
        archive.writestr("archive/data/0", bytes(50_000_000))
    with pytest.raises(ModelFileUnusable, match="packed into it"):
        weights.add(bomb)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_raster_whose_blocks_fill_the_memory_is_refused_with_the_cure(tmp_path):
    path = tmp_path / "one-block.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=40_000,
        height=40_000,
        count=1,
        dtype="uint16",
        tiled=True,
        blockxsize=32_768,
        blockysize=32_768,
        sparse_ok=True,
    ):
        pass
    with pytest.raises(RasterUnsupported, match=r"blocks of 2\.1 GB.*TILED=YES"):
        RasterSource(path)


@pytest.mark.parametrize("box", [(500_240, 4_499_720, 500_240, 4_499_720), (500_240, 4_499_720, 500_300, 4_499_720)])
def test_a_box_of_no_size_is_called_that(make_raster, field_image, box):
    segmenter = Segmenter()
    with pytest.raises(BoxWithoutSize, match="has no size"):
        segmenter.segment(str(make_raster(field_image)), Prompts(box=Box(*map(float, box))))
    segmenter.close()


def test_many_clicks_on_one_object_need_no_deep_stack():
    """A fresh engine finds out about all of them first."""
    count = 3000
    asked, kept = [], RecentlyUsed(8)
    prompts = PixelPrompts(np.zeros((count, 2)), np.ones(count, np.bool_))
    answer_before(kept, prompts, 0, lambda earlier: asked.append(len(earlier.points_xy)))
    assert asked == list(range(1, count))


def test_a_bad_length_of_a_download_is_passed_over(tmp_path):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "some")
            self.end_headers()
            self.wfile.write(b"weights")

        def log_message(self, *arguments):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    told = []
    fetch(f"http://127.0.0.1:{server.server_port}/a", tmp_path / "a", lambda done, total: told.append(total), 0)
    server.shutdown()
    server.server_close()
    assert (tmp_path / "a").read_bytes() == b"weights"
    assert set(told) == {None}


def test_a_model_whose_files_are_in_use_is_whole_after_all(store, sam_folder, monkeypatch, capsys):
    """As Windows has it; here a folder that may not be renamed."""
    registry.tried(weights.add(sam_folder("sam"), "mine"))

    def in_use(path, target):
        raise PermissionError(13, "The process cannot access the file", str(path))

    with monkeypatch.context() as windows:
        windows.setattr("pathlib.Path.rename", in_use)
        assert cli.main(["models", "remove", "mine"]) == 2
    assert "can't be removed" in capsys.readouterr().err
    weights.verify("mine")
    assert cli.main(["models", "remove", "mine"]) == 0
    assert list(store.iterdir()) == []
