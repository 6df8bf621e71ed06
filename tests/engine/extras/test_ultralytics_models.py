"""MobileSAM and FastSAM give what their library gives, from checkpoints as users have them."""

import os
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
import transformers

from rasterlasso.contract.model_errors import ModelFileUnusable
from rasterlasso.contract.prompts import Box, Prompts
from rasterlasso.engine.segmenting.session import Segmenter
from rasterlasso.engine.tiles.disk_store import TileStore
from rasterlasso.engine.tiles.grid import Tile
from rasterlasso.engine.tiles.packing import StoredTile, pack
from rasterlasso.models import registry
from rasterlasso.models.base import PixelPrompts
from rasterlasso.models.devices import CPU
from rasterlasso.models.library import weights
from rasterlasso.models.library.original import convert
from rasterlasso.models.places import XY
from rasterlasso.models.ultralytics import fastsam as fastsam_module
from rasterlasso.models.ultralytics.fastsam import FastSamModel, Fit, Segmented
from rasterlasso.models.ultralytics.library import library
from rasterlasso.models.ultralytics.mobile_sam import mobile_sam_model
from rasterlasso.tests.checkpoints import write_fastsam, write_mobile_sam
from rasterlasso.tests.engine.test_model_contract import check

AROUND_ALL = Prompts((), Box(500_000, 4_499_400, 500_800, 4_500_000))
WRITERS = {"mobile_sam": write_mobile_sam, "fastsam": write_fastsam}


@pytest.fixture(autouse=True)
def own_suppression(monkeypatch):
    """The library's own suppression of overlaps; it takes torchvision's where that is imported, which may not work here."""
    assert transformers.SamModel is not None  # loaded while torchvision is there
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)


@pytest.fixture
def added(store, tmp_path):
    """Adds the library's own kind of checkpoint, as a user does; gives file and folder."""

    def add(kind):
        file = tmp_path / f"{kind}.pt"
        WRITERS[kind](file)
        return file, weights.add(file, "mine").folder

    return add


@pytest.fixture
def picture():
    rng = np.random.default_rng(4)
    image = 90 + rng.integers(0, 12, (1024, 1024, 3))
    image[300:700, 200:600] += (60, 90, 20)
    return image.astype(np.uint8)


def test_mobile_sams_embedding_and_logits_are_the_librarys(added, picture):
    file, folder = added("mobile_sam")
    theirs = library("models.sam.build").build_mobile_sam()
    theirs.load_state_dict(torch.load(file, weights_only=True))
    theirs.eval()
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)))
    pixels = (torch.from_numpy(picture).permute(2, 0, 1)[None].float() - mean) / std
    with torch.inference_mode():
        features = theirs.image_encoder(pixels)
        sparse, dense = theirs.prompt_encoder(
            points=(torch.tensor([[[700.5, 300.5]]]), torch.tensor([[1]])), boxes=None, masks=None
        )
        low, scores = theirs.mask_decoder(
            image_embeddings=features,
            image_pe=theirs.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=True,
        )
    model = mobile_sam_model("mobile_sam", folder, CPU)
    embedding = model.encode(picture, np.ones((1024, 1024), np.bool_))
    assert (embedding.maps.cells - features[0].flatten(1).T).abs().max() < 1e-4
    found = model.decode(embedding, PixelPrompts(np.array([[701.0, 301.0]]), np.array([True])))
    expected = F.interpolate(low, (1024, 1024), mode="bilinear", align_corners=False)[0]
    for candidate, index in zip(found, scores[0].argsort(descending=True).tolist(), strict=True):
        difference = np.abs(candidate.logits - expected[index].clamp(-8, 8).numpy())
        difference[297:306, 697:706] = 0  # clicks are obeyed, whatever the network says
        assert difference.max() < 1e-4


def test_fastsams_masks_are_the_librarys(added, picture, tmp_path):
    file, folder = added("fastsam")
    predictor = library("models.fastsam").FastSAMPredictor(
        overrides={
            "model": str(file),
            "imgsz": 1024,
            "conf": 0.4,
            "iou": 0.9,
            "retina_masks": True,
            "save": False,
            "verbose": False,
            "device": "cpu",
            "project": str(tmp_path),
        }
    )
    predictor.setup_model(str(file), verbose=False)
    predictor.done_warmup = True  # it would import torchvision, to no end
    [theirs] = predictor(source=picture[..., ::-1].copy(), model=str(file))
    model = FastSamModel("fastsam", folder, CPU)
    embedding = model.encode(picture, np.ones((1024, 1024), np.bool_))
    assert len(embedding.confidence) > 10
    for index in range(0, 40, 8):
        box, confidence = embedding.boxes[index], embedding.confidence[index]
        same = int(
            ((theirs.boxes.xyxy - box.clamp(0, 1024)).abs().sum(1) + 1000 * (theirs.boxes.conf - confidence).abs()).argmin()
        )
        assert float((theirs.boxes.conf[same] - confidence).abs()) < 1e-4
        ours = embedding.logits(index) > 0
        expected = theirs.masks.data[same].bool()
        assert (ours ^ expected).sum() <= 1e-4 * expected.sum()


@pytest.fixture(scope="module")
def fastsam(tmp_path_factory):
    file, folder = tmp_path_factory.mktemp("checkpoint") / "mine.pt", tmp_path_factory.mktemp("converted")
    write_fastsam(file)
    convert(file, folder)
    return FastSamModel("fastsam", folder, CPU)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 260), (1024, 1000)])
def test_fastsams_answers_keep_the_contract_where_there_are_any(fastsam, shape):
    rng = np.random.default_rng(0)
    valid = np.ones(shape, np.bool_)
    valid[: shape[0] // 8] = False
    embedding = fastsam.encode(rng.integers(0, 255, (*shape, 3)).astype(np.uint8), valid)
    assert embedding.nbytes > valid.nbytes
    for _ in range(4):
        asked = PixelPrompts(rng.uniform(0, 1, (4, 2)) * shape[::-1], np.array([True, True, False, True]))
        if candidates := fastsam.decode(embedding, asked):
            check(candidates, asked, valid)
    around = PixelPrompts(np.empty((0, 2)), np.empty(0, np.bool_), (0, 0, shape[1], shape[0]))
    if candidates := fastsam.decode(embedding, around):
        check(candidates, around, valid)


@pytest.mark.parametrize("confidence", [0.0, 1.0])
def test_kept_tiles_of_fastsam_give_the_same_masks_in_a_quarter_of_the_bytes(
    fastsam, picture, tmp_path, monkeypatch, confidence
):
    monkeypatch.setattr(fastsam_module, "MIN_CONFIDENCE", confidence)  # at 1 nothing is found
    embedding = fastsam.encode(picture, np.ones((1024, 1024), np.bool_))
    store = TileStore(tmp_path, 10**9)
    store.put("g", Tile(0, 0, 0), pack(StoredTile(embedding.features(), embedding.valid)))
    store.close()
    kept = store.get("g", Tile(0, 0, 0))
    again = fastsam.restored(kept.features, kept.valid)
    assert len(again.confidence) == len(embedding.confidence)
    assert (len(again.confidence) > 10) == (confidence == 0)
    assert torch.equal(again.boxes, embedding.boxes)
    shared, either = (again.masks & embedding.masks).sum((1, 2)), (again.masks | embedding.masks).sum((1, 2))
    assert shared.sum() >= 0.995 * either.sum()
    assert (shared >= 0.95 * either).all()
    size = sum(each.stat().st_size for each in tmp_path.rglob("*") if each.is_file())
    assert size <= sum(each.nbytes for each in embedding.features().values()) / 4 + 4096


def squares(*boxes):
    """What FastSAM finds in a tile of 400 x 320 pixels with these squares, the first the most confident."""
    prototypes = torch.full((32, 256, 320), -9.0)
    fit = Fit(XY(3.2, 3.2), 0, 0, 1024, 1280)
    for index, (x0, y0, x1, y1) in enumerate(boxes):
        prototypes[index, round(y0 * 0.8) : round(y1 * 0.8), round(x0 * 0.8) : round(x1 * 0.8)] = 9.0
    found = torch.tensor([[3.2 * side for side in box] for box in boxes])
    confidence = torch.linspace(0.9, 0.5, len(boxes))
    return Segmented(
        found, confidence, torch.zeros(len(boxes)), torch.eye(32)[: len(boxes)], prototypes, fit, np.ones((320, 400), np.bool_)
    )


def shape_of(candidate):
    rows, cols = np.nonzero(candidate.logits > 0)
    return cols.min(), rows.min(), cols.max() + 1, rows.max() + 1


FIELD, HOUSE, LAKE = (20, 20, 180, 180), (60, 60, 100, 100), (200, 20, 300, 120)


@pytest.mark.parametrize(
    ("clicks", "expected", "area"),
    [
        ([(40, 40, True)], FIELD, 160 * 160),
        ([(80, 80, True)], FIELD, 160 * 160),
        ([(80, 80, True), (40, 40, False)], HOUSE, 40 * 40),
        ([(40, 40, True), (80, 80, False)], FIELD, 160 * 160 - 40 * 40),
        ([(40, 40, True), (250, 60, True)], (20, 20, 300, 180), 160 * 160 + 100 * 100),
    ],
)
def test_clicks_choose_join_and_cut_fastsams_masks(fastsam, clicks, expected, area):
    asked = PixelPrompts(np.array([click[:2] for click in clicks], float), np.array([click[2] for click in clicks]))
    best = fastsam.decode(squares(FIELD, HOUSE, LAKE), asked)[0]
    assert np.abs(np.subtract(shape_of(best), expected)).max() <= 2
    assert (best.logits > 0).sum() == pytest.approx(area, rel=0.05)


def test_tabs_next_candidate_is_another_mask(fastsam):
    asked = PixelPrompts(np.array([[80.0, 80.0]]), np.array([True]))
    assert [shape_of(each)[0] for each in fastsam.decode(squares(FIELD, HOUSE, LAKE), asked)] == pytest.approx([20, 60], abs=2)


def test_boxes_and_rough_outlines_choose_what_they_fit(fastsam):
    nothing = PixelPrompts(np.empty((0, 2)), np.empty(0, np.bool_))
    prior = np.zeros((320, 400), np.float32)
    prior[55:105, 55:105] = 1
    for asked in (replace(nothing, box_xyxy=(55, 55, 105, 105)), replace(nothing, prior=prior)):
        assert shape_of(fastsam.decode(squares(FIELD, HOUSE, LAKE), asked)[0])[0] == pytest.approx(60, abs=2)


def test_where_fastsam_found_nothing_there_is_no_answer(fastsam):
    assert fastsam.decode(squares(FIELD), PixelPrompts(np.array([[350.0, 300.0]]), np.array([True]))) == ()


@pytest.mark.parametrize("kind", WRITERS)
def test_a_checkpoint_is_added_and_gives_a_polygon(added, kind, make_raster, field_image, monkeypatch):
    added(kind)
    [_, entry] = registry.entries()
    assert entry.licence == {"mobile_sam": "Apache-2.0", "fastsam": "AGPL-3.0"}[kind]
    segmenter = Segmenter()
    found = segmenter.segment(str(make_raster(field_image)), AROUND_ALL, model="mine")
    assert (found.model, found.polygon.is_valid) == ("mine", True)
    segmenter.close()


class Trap:
    """Runs a command, or has a class of the library's evaluate an expression, when it is read."""

    def __init__(self, way, mark):
        self.way, self.mark = way, mark

    def __reduce__(self):
        if self.way == "code":
            return os.system, (f"touch {self.mark}",)
        config = {"nc": 1, "activation": f"open({str(self.mark)!r}, 'w')", "scale": "n", "scales": {"n": [1, 1, 1]}}
        return library("nn.tasks").SegmentationModel, ({**config, "backbone": [[-1, 1, "Conv", [8, 3, 2]]], "head": []},)


@pytest.mark.parametrize("damage", ["code", "expression", "cut off", "another network"])
def test_what_is_no_fastsam_is_refused_and_no_code_runs(store, tmp_path, damage):
    file = tmp_path / "bad.pt"
    write_fastsam(file)
    if damage in ("code", "expression"):
        torch.save({"model": Trap(damage, tmp_path / "mark"), "part": library("nn.modules.conv").Conv(3, 3)}, file)
    elif damage == "cut off":
        file.write_bytes(file.read_bytes()[:-5000])
    else:
        torch.save({"model": torch.nn.Sequential(library("nn.modules.conv").Conv(3, 3))}, file)
    with pytest.raises(ModelFileUnusable, match="bad"):
        weights.add(file)
    assert not store.exists() or not any(store.iterdir())
    assert not (tmp_path / "mark").exists()
