"""Encoders with OpenVINO: the same embeddings, used where a measurement says so, and where it was made."""

from dataclasses import replace

import numpy as np
import pytest

from rasterlasso.engine import cli
from rasterlasso.models import registry
from rasterlasso.models.devices import CPU
from rasterlasso.models.library import measured as verdict
from rasterlasso.models.library import weights
from rasterlasso.models.sam.accelerators import accelerated
from rasterlasso.models.sam.model import SamModel


@pytest.fixture(scope="module", params=["sam", "sam_hq", "sam2"])
def measured(request, sam_folder, tmp_path_factory):
    """A folder whose encoder was converted, and what was measured."""
    folder = tmp_path_factory.mktemp("models") / request.param
    folder.mkdir()
    for file in sam_folder(request.param).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder, SamModel("mine", folder, CPU).accelerate()


def decide(folder, **changes):
    """As if the measurement had come out otherwise."""
    told = verdict.measured(folder)
    assert told is not None
    verdict.note(replace(told, **changes), folder)


def test_embeddings_are_the_same_but_for_the_precision(measured):
    folder, found = measured
    assert min(found.torch_seconds, found.openvino_seconds) > 0
    decide(folder, torch_seconds=2.0, openvino_seconds=1.0)
    image, valid = np.random.default_rng(0).integers(0, 255, (1024, 1024, 3)).astype(np.uint8), np.ones((1024, 1024), np.bool_)
    fast = SamModel("mine", folder, CPU)
    assert not hasattr(fast._encoder, "net")
    decide(folder, torch_seconds=1.0, openvino_seconds=1.0)
    plain = SamModel("mine", folder, CPU)
    assert hasattr(plain._encoder, "net")
    for ours, theirs in zip(*(model.encode(image, valid).features().values() for model in (fast, plain)), strict=True):
        assert np.abs(ours - theirs).mean() < 0.02 * np.abs(theirs).mean()


def test_what_was_measured_elsewhere_does_not_count(measured):
    folder, _ = measured
    decide(folder, torch_seconds=2.0, openvino_seconds=1.0)
    assert accelerated(folder) is not None
    decide(folder, torch_seconds=2.0, openvino_seconds=1.0, processor="another")
    assert accelerated(folder) is None
    assert accelerated(folder.parent) is None


def test_the_command_line_tells_what_came_of_it(sam_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RASTERLASSO_MODELS", str(tmp_path / "models"))
    weights.add(sam_folder("sam"), "mine")
    assert cli.main(["models", "accelerate", "mine"]) == 0
    told = capsys.readouterr().out
    assert "torch" in told
    assert "OpenVINO" in told
    assert cli.main(["models", "verify", "mine"]) == 0
    decide(tmp_path / "models" / "mine", torch_seconds=2.0, openvino_seconds=1.0)
    assert registry.entry("mine").version.endswith("+openvino")  # tiles of the two are kept apart
    assert cli.main(["models", "accelerate", "builtin"]) == 2
    assert "only encoders" in capsys.readouterr().err
