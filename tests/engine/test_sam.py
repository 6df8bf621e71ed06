"""The SAM family gives what its library gives, from folders as users have them."""

import inspect
import json
import sys
import textwrap

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
import transformers

from rasterlasso.contract.model_errors import ModelFailed, ModelFileUnusable, ModelNameTaken, ModelUnknown
from rasterlasso.contract.prompts import Point, Prompts
from rasterlasso.engine import cli
from rasterlasso.engine.segmenting.session import Segmenter
from rasterlasso.models import registry
from rasterlasso.models.base import PixelPrompts
from rasterlasso.models.devices import CPU, Hardware
from rasterlasso.models.library import weights
from rasterlasso.models.library.families import FAMILIES
from rasterlasso.models.sam.model import SamModel


@pytest.fixture(scope="module", params=[kind for kind, family in FAMILIES.items() if family.library == "transformers"])
def kind(request):
    return request.param


def authors_sam_hq():
    """The library's decoder with the one line mended in which it differs from the authors': it drops the attended image."""
    module = sys.modules[transformers.SamHQModel.__module__]
    source = textwrap.dedent(inspect.getsource(module.SamHQMaskDecoder.forward))
    assert "point_embedding, iou_token_out = self.transformer(" in source, "mended: the library itself is the reference now"
    names = dict(vars(module))
    exec(source.replace("point_embedding, iou_token_out =", "point_embedding, image_embeddings ="), names)
    return names["forward"]


def reference(kind, folder, image, **prompts):
    """The library's own answer: low-resolution logits and scores for a picture of the size that the network takes."""
    family = FAMILIES[kind]
    net = getattr(transformers, family.transformers_class).from_pretrained(folder).eval()
    if kind == "sam_hq":
        net.mask_decoder.forward = authors_sam_hq().__get__(net.mask_decoder)
    normal = (image.astype(np.float64) / 255 - family.mean) / family.std
    pixels = torch.from_numpy(normal).permute(2, 0, 1)[None].float()
    with torch.inference_mode():
        found = net(pixel_values=pixels, multimask_output=True, **prompts)
    return found.pred_masks[0, 0], found.iou_scores[0, 0]


def test_logits_are_the_librarys(kind, sam_folder):
    folder = sam_folder(kind)
    model = SamModel(kind, folder, CPU)
    side = 1008 if kind == "sam3_tracker" else 1024
    image = np.random.default_rng(4).integers(0, 255, (side, side, 3)).astype(np.uint8)
    embedding = model.encode(image, np.ones((side, side), np.bool_))
    points, labels = np.array([[700.5, 300.5]]), np.array([True])
    given = {"input_points": torch.tensor([[[[700.0, 300.0]]]]), "input_labels": torch.tensor([[[1]]])}
    box = {"input_boxes": torch.tensor([[[99.5, 49.5, 799.5, 599.5]]])}
    low, _ = reference(kind, folder, image, **given)
    feedback = low[reference(kind, folder, image, **given)[1].argmax()][None, None]
    second = {"input_points": torch.tensor([[[[700.0, 300.0], [20.0, 30.0]]]]), "input_labels": torch.tensor([[[1, 0]]])}
    for asked, theirs in (
        (PixelPrompts(points, labels), given),
        (PixelPrompts(np.zeros((0, 2)), np.zeros(0, np.bool_), (100, 50, 800, 600)), box),
        (
            PixelPrompts(np.array([[700.5, 300.5], [20.5, 30.5]]), np.array([True, False])),
            {**second, "input_masks": feedback},
        ),
    ):
        logits, scores = reference(kind, folder, image, **theirs)
        expected = F.interpolate(logits[None], (side, side), mode="bilinear", align_corners=False)[0]
        order = scores.argsort(descending=True).tolist()
        for candidate, index in zip(model.decode(embedding, asked), order, strict=True):
            difference = np.abs(candidate.logits - expected[index].numpy())
            for x, y in asked.points_xy.astype(int):  # clicks are obeyed, whatever the network says
                difference[max(y - 4, 0) : y + 5, max(x - 4, 0) : x + 5] = 0
            assert difference.max() < 1e-5
            assert candidate.score == pytest.approx(float(scores[index].clamp(0, 1)), abs=1e-4)


def test_a_tile_of_another_size_is_prepared_as_the_library_does(sam_folder):
    """Against SAM's own image processor: the same but for the rounding of its resizing."""
    processor = pytest.importorskip("transformers").SamImageProcessorPil()
    image = np.random.default_rng(4).integers(0, 255, (300, 420, 3)).astype(np.uint8)
    image = np.repeat(np.repeat(image[::20, ::20], 20, 0), 20, 1)
    pixels = processor(image, return_tensors="pt")["pixel_values"]
    model = SamModel("sam", sam_folder("sam"), CPU)
    with torch.inference_mode():
        expected = model._net.get_image_embeddings(pixels)[0].flatten(1).T
    found = model.encode(image, np.ones((300, 420), np.bool_)).maps.cells
    assert (found - expected).abs().mean() < 0.01 * expected.abs().mean()


def test_a_folder_is_added_used_verified_and_removed(store, sam_folder, make_raster, field_image, capsys):
    assert cli.main(["models", "add", str(sam_folder("sam")), "--name", "mine"]) == 0
    assert [entry.name for entry in registry.entries()] == ["builtin", "mine"]
    assert cli.main(["models"]) == 0
    assert "Apache-2.0" in capsys.readouterr().out.splitlines()[-1]
    segmenter = Segmenter()
    found = segmenter.segment(str(make_raster(field_image)), Prompts((Point(500_240, 4_499_720),)), model="mine")
    assert (found.model, found.polygon.is_valid) == ("mine", True)
    segmenter.close()
    assert cli.main(["models", "verify", "mine"]) == 0
    (store / "mine" / "config.json").write_text("{}")
    assert cli.main(["models", "verify", "mine"]) == 2
    assert "it has changed" in capsys.readouterr().err
    assert cli.main(["models", "remove", "mine"]) == 0
    assert list(store.iterdir()) == []
    with pytest.raises(ModelUnknown):
        weights.remove("mine")


def test_names_are_kept_apart(store, sam_folder):
    weights.add(sam_folder("sam"), "mine")
    for name, error in (("mine", ModelNameTaken), ("builtin", ModelNameTaken), ("../x", ModelFileUnusable), ("", None)):
        if error is None:
            assert weights.add(sam_folder("sam"), name).name == "sam"
        else:
            with pytest.raises(error):
                weights.add(sam_folder("sam"), name)


@pytest.mark.parametrize("damage", ["no folder", "no config", "another model", "cut off", "pickle", "keys missing"])
def test_what_is_no_model_is_refused_and_leaves_nothing(store, sam_folder, tmp_path, damage):
    folder = tmp_path / "bad"
    if damage != "no folder":
        folder.mkdir()
        for file in sam_folder("sam").iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
    if damage == "no config":
        (folder / "config.json").unlink()
    elif damage == "another model":
        (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    elif damage == "cut off":
        (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-100])
    elif damage == "pickle":
        torch.save({"a": torch.zeros(1)}, folder / "model.safetensors")
    elif damage == "keys missing":
        from safetensors.torch import load_file, save_file

        kept = {k: v for k, v in load_file(folder / "model.safetensors").items() if "mask_decoder" not in k}
        save_file(kept, folder / "model.safetensors", {"format": "pt"})
        with pytest.raises(ModelFileUnusable, match="missing"):
            SamModel("bad", folder)
        return
    with pytest.raises(ModelFileUnusable, match="bad"):
        weights.add(folder)
    assert not store.exists() or list(store.iterdir()) == []


def test_bfloat16_encoders_give_nearly_the_same(sam_folder):
    image = np.random.default_rng(4).integers(0, 255, (256, 256, 3)).astype(np.uint8)
    valid = np.ones((256, 256), np.bool_)
    half = SamModel("sam", sam_folder("sam"), Hardware(torch.device("cpu"), torch.bfloat16)).encode(image, valid).maps.cells
    full = SamModel("sam", sam_folder("sam"), CPU).encode(image, valid).maps.cells
    assert half.dtype == torch.float32
    assert 0 < (half - full).abs().mean() < 0.02 * full.abs().mean()


def tiles_of(*shapes):
    rng = np.random.default_rng(5)
    return [(rng.integers(0, 255, (*shape, 3)).astype(np.uint8), np.ones(shape, np.bool_)) for shape in shapes]


@pytest.mark.parametrize("kind", ["sam", "sam_hq", "sam2", "sam3_tracker"])
def test_tiles_encoded_together_are_as_those_encoded_one_by_one(sam_folder, kind):
    model = SamModel("mine", sam_folder(kind), Hardware(torch.device("cpu"), batch=2))
    tiles = tiles_of((256, 256), (200, 256), (256, 180))
    for together, (image, valid) in zip(model.encode_all(tiles), tiles, strict=True):
        alone = model.encode(image, valid)
        assert together.valid is valid
        for ours, theirs in zip(together.features().values(), alone.features().values(), strict=True):
            assert np.abs(ours - theirs).max() < 1e-4
        assert together.maps.cells.untyped_storage().nbytes() == together.maps.cells.nbytes, "holds its neighbours' memory"


def test_where_the_memory_is_small_fewer_tiles_are_encoded_together_then_the_cpu_does_it(sam_folder, monkeypatch, caplog):
    model = SamModel("mine", sam_folder("sam"), Hardware(torch.device("cpu"), explanation="a small GPU", batch=4))
    encoder, together = model._net.get_image_embeddings, []

    def small(pixels):
        together.append(len(pixels))
        if len(pixels) > 1 or together.count(1) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return encoder(pixels)

    monkeypatch.setattr(model._net, "get_image_embeddings", small)
    assert len(model.encode_all(tiles_of(*[(64, 64)] * 4))) == 4
    assert together == [4, 2, 1, 1, 1, 1, 1]
    assert model.batch == 1
    assert sum(record.levelname == "WARNING" for record in caplog.records) == 1


def test_what_does_not_fit_the_gpu_runs_on_the_cpu_with_one_message(sam_folder, monkeypatch, caplog):
    """A device that is no GPU here, whose memory is said to be full."""
    model = SamModel("mine", sam_folder("sam"), Hardware(torch.device("cpu"), explanation="a small GPU"))
    image, valid = np.full((64, 64, 3), 90, np.uint8), np.ones((64, 64), np.bool_)
    asked = PixelPrompts(np.array([[30.5, 30.5]]), np.array([True]))
    before = model.decode(model.encode(image, valid), asked)[0]
    encoder = model._net.get_image_embeddings
    failures: list[RuntimeError] = [torch.OutOfMemoryError("CUDA out of memory")]

    def sometimes(pixels):
        if failures:
            raise failures.pop()
        return encoder(pixels)

    monkeypatch.setattr(model._net, "get_image_embeddings", sometimes)
    assert np.array_equal(model.decode(model.encode(image, valid), asked)[0].logits, before.logits)
    model.encode(image, valid)
    assert [record.message for record in caplog.records] == [
        "mine does not fit into the memory of a small GPU: it runs on the CPU, slower"
    ]
    failures.append(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"))
    with pytest.raises(ModelFailed, match="memory is full"):
        model.encode(image, valid)


def test_a_model_replaced_by_another_of_its_name_is_loaded_again(store, sam_folder, make_raster, field_image):
    weights.add(sam_folder("sam"), "mine")
    segmenter = Segmenter()
    raster, prompts = str(make_raster(field_image)), Prompts((Point(500_240, 4_499_720),))
    segmenter.segment(raster, prompts, model="mine")
    former = segmenter.model("mine")
    segmenter.drop_changed_models()
    assert segmenter.model("mine") is former
    weights.remove("mine")
    weights.add(sam_folder("sam2"), "mine")
    segmenter.drop_changed_models()
    assert segmenter.model("mine") is not former
    assert segmenter.segment(raster, prompts, model="mine").stages["encode"] > 0
    segmenter.close()


@pytest.mark.parametrize("damage", ["cut off", "emptied", "config"])
def test_what_broke_after_it_was_added_is_told_when_it_is_used(store, sam_folder, damage):
    weights.add(sam_folder("sam2"), "mine")
    folder = store / "mine"
    file = folder / ("config.json" if damage == "config" else "model.safetensors")
    if damage == "config":
        config = json.loads(file.read_text())
        config["vision_config"]["backbone_config"]["num_attention_heads"] = "many"
        file.write_text(json.dumps(config))
    else:
        file.write_bytes(file.read_bytes()[:1000] if damage == "cut off" else b"")
    with pytest.raises(ModelFileUnusable, match=str(folder)):
        registry.entry("mine").load()
