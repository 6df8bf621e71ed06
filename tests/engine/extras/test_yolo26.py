"""YOLO26 with the user's weights: what its library finds, on rasters of any size, once each."""

import sys

import numpy as np
import pytest
import torch

from rasterlasso.contract.model_errors import ModelFileUnusable
from rasterlasso.contract.proposals import DetectParams
from rasterlasso.engine.proposing.distinct import OVERLAP
from rasterlasso.engine.tasks.table import TASKS
from rasterlasso.models import registry
from rasterlasso.models.devices import CPU
from rasterlasso.models.library import weights
from rasterlasso.models.ultralytics import fastsam as fastsam_module
from rasterlasso.models.ultralytics import yolo26 as yolo26_module
from rasterlasso.models.ultralytics.library import library
from rasterlasso.models.ultralytics.yolo26 import Yolo26Model
from rasterlasso.tests.checkpoints import write_fastsam, write_yolo26


@pytest.fixture(autouse=True)
def own_suppression(monkeypatch):
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)


@pytest.fixture
def file(tmp_path):
    write_yolo26(tmp_path / "mine.pt")
    return tmp_path / "mine.pt"


@pytest.fixture
def image(make_raster):
    picture = 70 + np.random.default_rng(3).integers(0, 14, (3, 90, 120))
    picture[:, 20:60, 30:80] = 200
    return str(make_raster(picture.astype(np.uint8)))


def test_its_detections_are_the_librarys(file, store, monkeypatch):
    monkeypatch.setattr(yolo26_module, "LEAST_CONFIDENCE", 0.0)
    monkeypatch.setattr(fastsam_module, "best_hardware", lambda: CPU)  # bfloat16, where it pays, moves boxes by pixels
    weights.add(file, "mine")
    model = registry.entry("mine").load()
    assert isinstance(model, Yolo26Model)
    assert model.classes == ("field", "barn", "lake")
    picture = np.random.default_rng(4).integers(0, 255, (1024, 1024, 3)).astype(np.uint8)
    theirs = torch.load(file, weights_only=False)["model"].float().eval()
    theirs.end2end = True
    theirs.fuse(verbose=False)
    with torch.inference_mode():
        rows, _ = theirs(torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255)[0]
    found = model.encode(picture, np.ones((1024, 1024), np.bool_))
    assert torch.allclose(found.boxes, rows[0, :, :4], atol=0.05)
    assert torch.allclose(found.confidence, rows[0, :, 4], atol=1e-3)
    assert torch.equal(found.classes, rows[0, :, 5])
    assert [each.class_name for each in model.detections(found, 0.0)][:3] == [
        model.classes[int(number)] for number in rows[0, :3, 5]
    ]
    again = model.restored(found.features(), found.valid)
    assert torch.equal(again.classes, found.classes)


def test_what_is_no_segmenting_yolo26_is_refused(tmp_path, store):
    net = library("nn.tasks").DetectionModel("yolo26n.yaml", ch=3, nc=2, verbose=False).eval()
    torch.save({"model": net.half(), "ema": None}, tmp_path / "boxes.pt")
    with pytest.raises(ModelFileUnusable):
        weights.add(tmp_path / "boxes.pt", "boxes")
    write_fastsam(tmp_path / "fast.pt")
    assert not yolo26_module.is_one(tmp_path / "fast.pt")
    write_yolo26(tmp_path / "cut.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "cut.pt").read_bytes()[:-50_000])
    with pytest.raises(ModelFileUnusable):
        weights.add(tmp_path / "cut.pt", "cut")


def test_fastsam_finds_anything(segmenter, tmp_path, store, image):
    write_fastsam(tmp_path / "fast.pt")
    weights.add(tmp_path / "fast.pt", "fast")
    found = list(
        TASKS["detect_classes"].run(segmenter, DetectParams(image, "fast", least_score=0.5), lambda stage, fraction: None)
    )
    polygons = [each.found.polygon for each in found]
    for index, polygon in enumerate(polygons):
        assert polygon.is_valid
        near = [each for each in polygons[:index] if each.intersects(polygon)]
        assert all(polygon.intersection(each).area <= OVERLAP * min(polygon.area, each.area) + 1e-6 for each in near)
