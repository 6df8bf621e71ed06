"""The dialog of models, against a server of the test's own."""

import subprocess
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from qgis.PyQt.QtWidgets import QMessageBox

from helpers import CHECKPOINTS, wait_until
from rasterlasso.contract.requests import ModelInfo
from rasterlasso.plugin.panel.model_words import advice, best_for_text, speed_text, state_text
from rasterlasso.plugin.panel.models_dialog import ModelsDialog
from rasterlasso.plugin.runtime.engine_command import EngineCommand
from rasterlasso.plugin.runtime.environment import python_in
from rasterlasso.plugin.runtime.installing import LibraryInstaller


class Hub(SimpleHTTPRequestHandler):
    """Sends files; where the server is told to stall, half of the weights and then nothing."""

    def copyfile(self, source, target):
        if self.server.stalls.is_set() and self.path.endswith(".safetensors"):
            target.write(source.read(100_000))
            target.flush()
            self.server.released.wait(60)
            return
        super().copyfile(source, target)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def hub(tmp_path, engine_python, monkeypatch):
    """A hub that has SAM with a narrow random checkpoint."""
    folder = tmp_path / "hub" / "facebook" / "sam-vit-base" / "resolve" / "main"
    folder.mkdir(parents=True)
    subprocess.run([engine_python, CHECKPOINTS, "sam", folder], check=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, directory=tmp_path / "hub"))
    server.stalls, server.released = threading.Event(), threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("RASTERLASSO_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def dialog(qgis_app, engine_python, hub):
    """Shown, its list filled."""
    made = ModelsDialog(EngineCommand.of(engine_python))
    made.show()
    wait_until(lambda: made.table.topLevelItemCount() > 5)
    yield made
    made.reject()


def answer(monkeypatch, button):
    asked = []
    monkeypatch.setattr(QMessageBox, "question", lambda parent, title, text: asked.append(text) or button)
    return asked


def names(tmp_path):
    return [path.name for path in (tmp_path / "models").iterdir()]


def idle(dialog):
    wait_until(lambda: not dialog._busy)


def test_a_model_is_downloaded_confirmed_and_removed(dialog, monkeypatch, tmp_path):
    asked = answer(monkeypatch, QMessageBox.StandardButton.Yes)
    assert not dialog.cancel_button.isVisible()
    dialog.get_button("sam-base").click()
    assert dialog.cancel_button.isVisible()
    assert not dialog.get_button("sam-large").isEnabled()
    wait_until(lambda: dialog.selected is not None and dialog.selected.state == "added")
    idle(dialog)
    assert "SHA-256" in asked[0]
    assert names(tmp_path) == ["sam-base"]
    dialog.remove_button.click()
    wait_until(lambda: dialog.selected is not None and dialog.selected.state == "published")
    assert names(tmp_path) == []


def test_what_is_not_confirmed_is_not_kept(dialog, monkeypatch, tmp_path):
    answer(monkeypatch, QMessageBox.StandardButton.No)
    dialog.get_button("sam-base").click()
    wait_until(lambda: not dialog._busy and dialog._downloading is None)
    assert names(tmp_path) == []
    assert dialog.selected.state == "published"


def test_a_download_from_a_server_that_stalls_can_be_cancelled_and_taken_up(dialog, hub, monkeypatch, tmp_path):
    answer(monkeypatch, QMessageBox.StandardButton.Yes)
    hub.stalls.set()
    dialog.get_button("sam-base").click()
    part = tmp_path / "models" / ".fetching-sam-base" / "model.safetensors.part"
    wait_until(lambda: part.exists() and part.stat().st_size > 0)
    dialog.cancel_button.click()
    assert dialog.status.text() == "Stopped. It can be resumed."
    assert part.stat().st_size == 100_000
    hub.stalls.clear()
    hub.released.set()
    dialog.get_button("sam-base").click()
    wait_until(lambda: dialog.selected is not None and dialog.selected.state == "added")


def test_what_fails_is_said_and_the_dialog_goes_on(dialog, tmp_path):
    dialog.get_button("sam-huge").click()
    idle(dialog)
    assert "404" in dialog.status.text()
    (tmp_path / "bad.pth").write_text("nothing")
    dialog.add(tmp_path / "bad.pth")
    idle(dialog)
    assert "bad.pth: not a usable model" in dialog.status.text()
    dialog.add(tmp_path / "hub" / "facebook" / "sam-vit-base" / "resolve" / "main" / "model.safetensors")
    wait_until(lambda: "main" in dialog._models)


def test_words_tell_speed_and_size():
    tiny = ModelInfo("sam2.1-tiny", "sam2.1-tiny", "SAM 2", "Apache-2.0", 39_000_000, "published", 3.1)
    assert speed_text(tiny) == "about 3 s for a new place, then fast"
    assert state_text(tiny) == "to download, 0.2 GB"
    assert "GPU" in speed_text(ModelInfo("a", "a", "SAM", "", 90_000_000, "added", None))
    built_in = ModelInfo("builtin", "Built-in", "", "", 3_200_000, "built-in", 0.3)
    assert "instant" in speed_text(built_in)
    assert "fields" in best_for_text(built_in)
    assert "sam2.1-tiny is the quickest, with about 3 s" in advice([built_in, tiny])
    assert "The others take 51 s and more" in advice([built_in, replace(tiny, tile_seconds=51.0)])
    assert "has a GPU" in advice([built_in, replace(tiny, tile_seconds=None)])
    assert "only one" in advice([built_in])


@pytest.fixture
def mobile_sam(engine_python, tmp_path):
    """Named as MobileSAM's tensors are, whose library the engine lacks."""
    file = tmp_path / "mobile.pt"
    code = "import sys, torch; torch.save({'image_encoder.patch_embed.seq.0.c.weight': torch.zeros(1)}, sys.argv[1])"
    subprocess.run([engine_python, "-c", code, file], check=True)
    return file


def test_a_librarys_licence_is_shown_before_it_is_installed(dialog, mobile_sam, monkeypatch):
    asked = answer(monkeypatch, QMessageBox.StandardButton.No)
    dialog.add(mobile_sam)
    wait_until(lambda: asked)
    assert "AGPL-3.0" in asked[0]
    assert "ultralytics" in dialog.status.text()
    assert dialog.add_button.isEnabled()


def test_a_library_that_can_not_be_installed_is_told(dialog, mobile_sam, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    answer(monkeypatch, QMessageBox.StandardButton.Yes)
    dialog.add(mobile_sam)
    wait_until(lambda: "installation failed" in dialog.status.text(), 120)
    assert dialog.add_button.isEnabled()


def test_what_an_earlier_library_brought_stays_when_another_can_not_be_installed(engine_python, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    subprocess.run([engine_python, "-m", "venv", tmp_path / "own"], check=True)
    python = python_in(tmp_path / "own")
    [packages] = (tmp_path / "own").rglob("site-packages")
    (packages / "torchvision.py").touch()
    (packages / "torchvision-0.1.dist-info").mkdir()
    (packages / "torchvision-0.1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: torchvision\nVersion: 0.1\n")
    (packages / "torchvision-0.1.dist-info" / "RECORD").write_text("torchvision.py,,\n")
    installer, ends = LibraryInstaller(python, "ultralytics"), []
    installer.finished.connect(ends.append)
    installer.start()
    wait_until(lambda: ends, 120)
    assert ends[0] is not None
    with pytest.raises(AssertionError):  # whatever is taken away is so in another process
        wait_until(lambda: not (packages / "torchvision.py").exists(), 5)


def test_speeding_up_needs_a_library_and_says_so(dialog, tmp_path, monkeypatch):
    asked = answer(monkeypatch, QMessageBox.StandardButton.No)
    dialog.add(tmp_path / "hub" / "facebook" / "sam-vit-base" / "resolve" / "main" / "model.safetensors")
    idle(dialog)
    dialog.select("main")
    assert dialog.accelerate_button.isEnabled()
    dialog.accelerate_button.click()
    wait_until(lambda: asked, 60)
    assert "openvino" in asked[0]
    assert "Apache-2.0" in asked[0]
    idle(dialog)
    dialog.select("builtin")
    assert not dialog.accelerate_button.isEnabled()
    assert "built-in one stays" in dialog.accelerate_button.toolTip()
