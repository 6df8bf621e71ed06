"""What `make gpu` runs on an NVIDIA card, on this machine's device with tiny sizes."""

import json
import shutil

import numpy as np
import pytest
from safetensors.torch import load_file

from rasterlasso.benchmarks import gpu
from rasterlasso.models.builtin.model import WEIGHTS, BuiltinModel
from rasterlasso.models.builtin.training import scenes
from rasterlasso.models.builtin.training.packing import pack, unpack
from rasterlasso.models.builtin.training.scenes import Origin, Scene, Shape, halved


@pytest.fixture
def prepared(tmp_path):
    """A scene to learn from and one that is held apart, with a square each."""
    square = Shape.of([np.array([(100.0, 100), (260, 100), (260, 260), (100, 260)])])
    found = []
    for name, source in (("square", "made"), ("held", "nairobi")):
        image = np.full((400, 500, 3), 60, np.uint8)
        image[100:260, 100:260] = (200, 120, 40)
        folder = tmp_path / "prepared" / name
        folder.mkdir(parents=True)
        scenes.save(Scene(name, Origin(source, "roof", 1.0, 1.0, True, 10.0), halved(image), (square,), ()), folder)
        found.append(folder)
    return found


def test_packed_scenes_are_the_same_but_for_compression(prepared, tmp_path):
    assert pack(prepared, tmp_path / "scenes.zip") == (tmp_path / "scenes.zip").stat().st_size
    again = sorted(unpack(tmp_path / "scenes.zip", tmp_path / "again"))
    for before, after in zip(map(scenes.load, sorted(prepared)), map(scenes.load, again), strict=True):
        assert (before.name, before.origin) == (after.name, after.origin)
        assert before.objects[0].bounds == after.objects[0].bounds
        assert np.abs(before.mipmaps[0].astype(int) - after.mipmaps[0]).mean() < 2


def test_scenes_too_large_are_halved_with_their_outlines(tmp_path):
    wide = np.zeros((40, 5000, 3), np.uint8)
    shape = Shape.of([np.array([(1000.0, 10), (3000, 10), (3000, 30), (1000, 30)])])
    tall = np.concatenate([wide] * 10)
    (tmp_path / "wide").mkdir()
    scenes.save(Scene("wide", Origin("made", "water", 1.0, 2.0, False, 6.0), halved(tall), (shape,), ()), tmp_path / "wide")
    pack([tmp_path / "wide"], tmp_path / "scenes.zip")
    [again] = unpack(tmp_path / "scenes.zip", tmp_path / "again")
    scene = scenes.load(again)
    assert scene.size_wh_px == (2500, 200)
    assert scene.objects[0].bounds == (500, 5, 1500, 15)
    assert scene.origin.uncertain_px == 1.0


def test_all_parts_run_and_write_what_they_found(prepared, tmp_path, capfd):
    pack(prepared, tmp_path / "scenes.zip")
    shutil.copyfile(WEIGHTS, tmp_path / "start.safetensors")
    out = tmp_path / "out"
    gpu.run(
        gpu.Plan(out, 240, tmp_path / "scenes.zip", small=True, images=1), [name for name in gpu.PARTS if name != "training"]
    )
    gpu.run(gpu.Plan(out, 25, tmp_path / "scenes.zip", small=True, images=1), ["training"])
    found = {name: json.loads((out / f"{name}.json").read_text()) for name in gpu.PARTS}
    assert not [name for name, result in found.items() if "failed" in result or "not run" in result], found
    assert min(found["card"]["tera_operations_per_second"].values()) > 0
    assert found["agreement"]["found"]["builtin"]["least_iou"] >= gpu.AGREEMENT
    assert found["agreement"]["found"]["sam2 float32"]["least_iou"] >= gpu.AGREEMENT
    assert found["memory"]["tiles"] == found["memory"]["asked"]
    assert found["memory"]["features_apart"] < 0.05
    assert found["ahead"]["share"] > 0
    assert found["training"]["steps"] > 0
    assert set(found["training"]["after"]) == set(found["training"]["before"])
    BuiltinModel(out / "trained.safetensors")
    assert load_file(out / "trained.safetensors").keys() == load_file(WEIGHTS).keys()


def test_a_part_that_fails_says_why_and_the_next_one_runs(tmp_path, capfd):
    broken = tmp_path / "scenes.zip"
    broken.write_bytes(b"no archive")
    gpu.run(gpu.Plan(tmp_path / "out", 60, broken, small=True, images=1), ["training", "card"])
    assert "BadZipFile" in json.loads((tmp_path / "out" / "training.json").read_text())["failed"]
    assert (tmp_path / "out" / "card.json").exists()
    assert "training: {" in capfd.readouterr().out
