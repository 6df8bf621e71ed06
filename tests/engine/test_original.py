"""The authors' own checkpoints, converted as users' files are."""

import os

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from rasterlasso.contract.model_errors import ModelFileUnusable, ModelFolderUnwritable
from rasterlasso.engine import cli
from rasterlasso.models import registry
from rasterlasso.models.base import PixelPrompts
from rasterlasso.models.library import weights
from rasterlasso.models.library.original import convert
from rasterlasso.tests.engine import published_keys

PUBLISHED = {
    "sam": lambda: published_keys.sam_vit_b(depth=4, hidden=128),
    "sam_hq": lambda: published_keys.sam_hq_vit_b(depth=4, hidden=128),
    "sam2": published_keys.sam2_tiny,
}
PAIRS = {
    "sam": {
        "image_encoder.neck.2.weight": "vision_encoder.neck.conv2.weight",
        "image_encoder.blocks.3.norm2.bias": "vision_encoder.layers.3.layer_norm2.bias",
        "prompt_encoder.mask_downscaling.4.weight": "prompt_encoder.mask_embed.layer_norm2.weight",
        "mask_decoder.iou_prediction_head.layers.1.weight": "mask_decoder.iou_prediction_head.layers.0.weight",
        "mask_decoder.output_hypernetworks_mlps.3.layers.2.bias": "mask_decoder.output_hypernetworks_mlps.3.proj_out.bias",
        "mask_decoder.transformer.layers.1.norm3.bias": "mask_decoder.transformer.layers.1.layer_norm3.bias",
    },
    "sam_hq": {
        "mask_decoder.hf_token.weight": "mask_decoder.hq_token.weight",
        "mask_decoder.hf_mlp.layers.1.bias": "mask_decoder.hq_mask_mlp.layers.0.bias",
        "mask_decoder.embedding_maskfeature.3.weight": "mask_decoder.mask_conv2.weight",
        "mask_decoder.compress_vit_feat.0.weight": "mask_decoder.compress_vit_conv1.weight",
    },
    "sam2": {
        "no_mem_embed": "no_memory_embedding",
        "image_encoder.neck.convs.2.conv.weight": "vision_encoder.neck.convs.2.weight",
        "image_encoder.trunk.blocks.5.mlp.layers.1.weight": "vision_encoder.backbone.blocks.5.mlp.proj_out.weight",
        "sam_mask_decoder.transformer.layers.0.mlp.layers.0.bias": "mask_decoder.transformer.layers.0.mlp.proj_in.bias",
        "sam_mask_decoder.transformer.layers.0.self_attn.out_proj.bias": (
            "mask_decoder.transformer.layers.0.self_attn.o_proj.bias"
        ),
    },
}


def random_weights(kind):
    torch.manual_seed(0)
    return {name: torch.randn(shape) * 0.05 for name, shape in PUBLISHED[kind]().items()}


@pytest.fixture(scope="module", params=PUBLISHED)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def original(kind, tmp_path_factory):
    file = tmp_path_factory.mktemp("original") / f"{kind}.pt"
    given = random_weights(kind)
    torch.save({"model": given} if kind == "sam2" else given, file)
    return file


def test_every_tensor_finds_its_place(kind, original, tmp_path):
    convert(original, tmp_path)
    given, found = random_weights(kind), load_file(tmp_path / "model.safetensors")
    for theirs, ours in PAIRS[kind].items():
        assert torch.equal(given[theirs], found[ours]), theirs
    there = {t.numpy().tobytes() for t in found.values()}
    video = ("maskmem", "no_mem_pos", "no_obj_", "memory_", "mask_downsample.", "obj_ptr_")
    points = {name for name in given if kind == "sam2" and "point_embeddings" in name}
    for name, tensor in given.items():
        if not name.startswith(video) and name not in points:
            assert tensor.numpy().tobytes() in there, name
    if points:
        stacked = torch.cat([given[name] for name in sorted(points)])
        assert torch.equal(found["prompt_encoder.point_embed.weight"], stacked)


def test_an_authors_file_is_added_and_answers(kind, original, store, capsys):
    assert cli.main(["models", "add", str(original)]) == 0
    assert [each.kind for each in weights.installed()] == [kind]
    model = registry.entry(kind).load()
    image, valid = np.full((128, 128, 3), 90, np.uint8), np.ones((128, 128), np.bool_)
    assert len(model.decode(model.encode(image, valid), PixelPrompts(np.array([[60.0, 60.0]]), np.array([True])))) == 3
    assert [path.name for path in store.iterdir()] == [kind]


class Code:
    """Unpickled, it makes a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


DAMAGES = {
    "code": "holds more than tensors",
    "cut off": "cut off, or no checkpoint",
    "text": "cut off",
    "a list": "no named tensors",
    "another model": "not those of SAM",
    "tensor missing": "1 weights are missing, mask_decoder.iou_token.weight",
    "tensor too many": "1 tensors are not known, extra",
    "wrong shape": "1 shapes are wrong, mask_decoder.iou_token.weight",
    "unknown size": "a SAM 2 of 1 blocks",
    "another suffix": "end with .pt, .pth",
    "empty": "cut off, or no checkpoint: EOFError",
    "numbered": "no named tensors",
    "wrong rank": "not SAM's",
    "nonsense": "bad.pth",
}


BYTES = {"empty": b"", "nonsense": b"\x80\x02}q\x00.....", "text": b"<html>404</html>"}


def damaged(damage, folder):
    """What a bad file holds."""
    good = random_weights("sam")
    return {
        "code": {**good, "code": Code(str(folder / "ran"))},
        "a list": [1, 2],
        "another model": {"conv.weight": torch.zeros(3)},
        "tensor missing": {name: t for name, t in good.items() if name != "mask_decoder.iou_token.weight"},
        "tensor too many": {**good, "extra": torch.zeros(1)},
        "wrong shape": {**good, "mask_decoder.iou_token.weight": torch.zeros(1, 128)},
        "wrong rank": {**good, "image_encoder.pos_embed": torch.zeros(4)},
        "unknown size": {"image_encoder.trunk.blocks.0.norm1.weight": torch.zeros(96)},
        "numbered": {0: torch.zeros(1)},
    }.get(damage, good)


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_no_checkpoint_is_refused_and_leaves_nothing(damage, store, tmp_path):
    file = tmp_path / ("bad.bin" if damage == "another suffix" else "bad.pth")
    torch.save(damaged(damage, tmp_path), file)
    if damage == "cut off":
        file.write_bytes(file.read_bytes()[:-1000])
    elif damage in BYTES:
        file.write_bytes(BYTES[damage])
    with pytest.raises(ModelFileUnusable, match=DAMAGES[damage]) as raised:
        weights.add(file)
    assert str(file) in str(raised.value)
    assert not (tmp_path / "ran").exists()
    assert not store.exists() or list(store.iterdir()) == []


def test_a_file_with_an_odd_name_gets_a_plain_one(original, store, tmp_path):
    copy = tmp_path / "sam vit_b (1).pth"
    copy.write_bytes(original.read_bytes())
    assert weights.add(copy).name == "sam-vit_b-1"


def test_a_full_disk_is_said_and_what_a_killed_process_left_is_swept_away(store, sam_folder, monkeypatch):
    left = store / ".adding-old"
    left.mkdir(parents=True)
    os.utime(left, (0, 0))

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(ModelFolderUnwritable, match="No space left"):
        weights.add(sam_folder("sam"), "mine")
    assert list(store.iterdir()) == []
