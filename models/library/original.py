"""The authors' own checkpoints of SAM, SAM-HQ, SAM 2, MobileSAM, FastSAM and YOLO26 (.pt, .pth) become folders as ours are.

Family and size are read off the names and shapes of the tensors. Only tensors are unpickled, never code.
"""

from __future__ import annotations

import json
import pickle  # nosec B403 # for its error alone
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...contract.errors import first_line
from ...contract.model_errors import ModelFileUnusable
from ..ultralytics.library import is_checkpoint

Weights = dict[str, Tensor]

SUFFIXES = (".pt", ".pth", ".safetensors")


@dataclass(frozen=True)
class Rename:
    """A pattern in the authors' names and what it is called in transformers."""

    pattern: str
    replacement: str


_PERCEPTRON = (Rename(r"layers\.0\.", "proj_in."), Rename(r"layers\.1\.", "layers.0."), Rename(r"layers\.2\.", "proj_out."))
_HEADS = r"((?:output_hypernetworks_mlps\.\d|iou_prediction_head|pred_obj_score_head|hf_mlp)\.)"

_PROMPTS_AND_MASKS = (
    Rename(r"pe_layer\.positional_encoding_gaussian_matrix", "shared_embedding.positional_embedding"),
    Rename(r"point_embeddings\.", "point_embed."),
    Rename(r"mask_downscaling\.0\.", "mask_embed.conv1."),
    Rename(r"mask_downscaling\.1\.", "mask_embed.layer_norm1."),
    Rename(r"mask_downscaling\.3\.", "mask_embed.conv2."),
    Rename(r"mask_downscaling\.4\.", "mask_embed.layer_norm2."),
    Rename(r"mask_downscaling\.6\.", "mask_embed.conv3."),
    Rename(r"output_upscaling\.0\.", "upscale_conv1."),
    Rename(r"output_upscaling\.1\.", "upscale_layer_norm."),
    Rename(r"output_upscaling\.3\.", "upscale_conv2."),
    *(Rename(_HEADS + rename.pattern, rf"\g<1>{rename.replacement}") for rename in _PERCEPTRON),
    Rename(r"\bnorm(\d)\.", r"layer_norm\1."),
    Rename(r"norm_final_attn", "layer_norm_final_attn"),
    Rename(r"patch_embed\.proj\.", "patch_embed.projection."),
)

_SAM = (
    Rename(r"^image_encoder\.blocks\.", "vision_encoder.layers."),
    Rename(r"^image_encoder\.neck\.0\.", "vision_encoder.neck.conv1."),
    Rename(r"^image_encoder\.neck\.1\.", "vision_encoder.neck.layer_norm1."),
    Rename(r"^image_encoder\.neck\.2\.", "vision_encoder.neck.conv2."),
    Rename(r"^image_encoder\.neck\.3\.", "vision_encoder.neck.layer_norm2."),
    Rename(r"^image_encoder\.", "vision_encoder."),
    *_PROMPTS_AND_MASKS,
)

_SAM_HQ = (
    *_SAM,
    Rename(r"\.hf_token\.", ".hq_token."),
    Rename(r"\.hf_mlp\.", ".hq_mask_mlp."),
    Rename(r"compress_vit_feat\.0\.", "compress_vit_conv1."),
    Rename(r"compress_vit_feat\.1\.", "compress_vit_norm."),
    Rename(r"compress_vit_feat\.3\.", "compress_vit_conv2."),
    Rename(r"embedding_encoder\.0\.", "encoder_conv1."),
    Rename(r"embedding_encoder\.1\.", "encoder_norm."),
    Rename(r"embedding_encoder\.3\.", "encoder_conv2."),
    Rename(r"embedding_maskfeature\.0\.", "mask_conv1."),
    Rename(r"embedding_maskfeature\.1\.", "mask_norm."),
    Rename(r"embedding_maskfeature\.3\.", "mask_conv2."),
)

_SAM2 = (
    Rename(r"^sam_(prompt_encoder|mask_decoder)\.", r"\1."),
    Rename(r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
    Rename(r"^image_encoder\.neck\.convs\.(\d)\.conv\.", r"vision_encoder.neck.convs.\1."),
    Rename(r"^no_mem_embed$", "no_memory_embedding"),
    Rename(r"\bmlp\.layers\.0\.", "mlp.proj_in."),
    Rename(r"\bmlp\.layers\.1\.", "mlp.proj_out."),
    Rename(r"\.out_proj\.", ".o_proj."),
    *_PROMPTS_AND_MASKS,
)

_VIDEO_ONLY = re.compile(r"maskmem_tpos_enc|no_mem_pos_enc|no_obj_|mask_downsample|memory_|obj_ptr_")
"""What SAM 2 needs to follow an object through a video."""

_HIERA = {
    # (channels of the first stage, blocks): heads of the first stage, blocks a stage, global blocks, windows
    (96, 12): (1, [1, 2, 7, 2], [5, 7, 9], [8, 4, 14, 7]),
    (96, 16): (1, [1, 2, 11, 2], [7, 10, 13], [8, 4, 14, 7]),
    (112, 24): (2, [2, 3, 16, 3], [12, 16, 20], [8, 4, 14, 7]),
    (144, 48): (2, [2, 6, 36, 4], [23, 33, 43], [8, 4, 16, 8]),
}
"""The sizes of SAM 2's encoder, of which not everything shows in the shapes (Ravi et al., 2024, and the authors' settings)."""


MOST_EXPANSION = 2
"""A file that holds more than so many times its own size is no checkpoint."""


def convert(file: Path, folder: Path) -> None:
    """Write `config.json` and `model.safetensors` into an existing folder.

    Raises `ModelFileUnusable`, `ModuleNotFoundError`.
    """
    if file.suffix != ".safetensors" and is_checkpoint(file):
        from ..ultralytics import fastsam, yolo26

        (yolo26 if yolo26.is_one(file) else fastsam).convert(file, folder)
        return
    given = _read(file)
    if any(name.startswith("image_encoder.trunk.") for name in given):
        net_class, config = "Sam2Model", _sam2_config(given, file)
        weights = _renamed({name: t for name, t in given.items() if not _VIDEO_ONLY.match(name)}, _SAM2)
        points = [weights.pop(f"prompt_encoder.point_embed.{k}.weight", torch.empty(0, 256)) for k in range(4)]
        weights["prompt_encoder.point_embed.weight"] = torch.cat(points)
    elif "mask_decoder.hf_token.weight" in given:
        net_class, config, weights = "SamHQModel", _sam_config(given, file), _renamed(given, _SAM_HQ)
    elif "image_encoder.pos_embed" in given:
        net_class, config, weights = "SamModel", _sam_config(given, file), _renamed(given, _SAM)
    elif "image_encoder.patch_embed.seq.0.c.weight" in given:
        _convert_mobile_sam(given, file, folder)
        return
    else:
        raise ModelFileUnusable(path=str(file), reason="its tensors are not those of SAM, SAM-HQ, SAM 2 or MobileSAM")
    positions = "prompt_encoder.shared_embedding.positional_embedding"
    if positions in weights:
        weights["shared_image_embedding.positional_embedding"] = weights[positions].clone()
    _check(weights, _shapes(net_class, config), file)
    config.save_pretrained(folder)
    _save(weights, folder)


def _convert_mobile_sam(given: Weights, file: Path, folder: Path) -> None:
    from ..ultralytics import mobile_sam

    encoder = "image_encoder."
    weights = _renamed({name: t for name, t in given.items() if not name.startswith(encoder)}, _PROMPTS_AND_MASKS)
    for name, t in given.items():
        if name.startswith(encoder):
            weights[f"vision_encoder.tiny.{name.removeprefix(encoder)}"] = t
    positions = weights.get("prompt_encoder.shared_embedding.positional_embedding", torch.empty(0))
    weights["shared_image_embedding.positional_embedding"] = positions.clone()
    _check(weights, {name: t.shape for name, t in mobile_sam.network().state_dict().items()}, file)
    (folder / "config.json").write_text(json.dumps({"model_type": "mobile_sam"}) + "\n")
    _save(weights, folder)


def _save(weights: Weights, folder: Path) -> None:
    save_file({name: t.contiguous() for name, t in weights.items()}, folder / "model.safetensors", {"format": "pt"})


def _refuse_bombs(file: Path) -> None:
    """Torch's own files are archives that compress nothing: one that does may fill the memory."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            size = sum(each.file_size for each in archive.infolist())
        if size > MOST_EXPANSION * file.stat().st_size:
            raise ModelFileUnusable(path=str(file), reason=f"{size / 1e9:.1f} GB are packed into it, which no checkpoint does")


def _read(file: Path) -> Weights:
    _refuse_bombs(file)
    try:
        found: Any = (
            load_file(file) if file.suffix == ".safetensors" else torch.load(file, map_location="cpu", weights_only=True)
        )
    except pickle.UnpicklingError as error:
        reason = "it is cut off, no checkpoint, or holds more than tensors; code is never run"
        raise ModelFileUnusable(path=str(file), reason=reason) from error
    except Exception as error:  # a damaged pickle makes torch raise whatever there is
        raise ModelFileUnusable(path=str(file), reason=f"cut off, or no checkpoint: {first_line(error)}") from error
    if isinstance(found, dict) and isinstance(found.get("model"), dict):
        found = found["model"]
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in found.items()
    ):
        raise ModelFileUnusable(path=str(file), reason="it holds no named tensors")
    return found


def _renamed(weights: Weights, renames: Iterable[Rename]) -> Weights:
    result = {}
    for name, tensor in weights.items():
        for rename in renames:
            name = re.sub(rename.pattern, rename.replacement, name)
        result[name] = tensor
    return result


def _sam_config(weights: Weights, file: Path) -> Any:
    import transformers

    try:
        positions = weights["image_encoder.pos_embed"]
        patch = weights["image_encoder.patch_embed.proj.weight"].shape[-1]
        count = _count_blocks(weights, "image_encoder.blocks.")
        reaches = [weights[f"image_encoder.blocks.{k}.attn.rel_pos_h"].shape for k in range(count)]
        mlp_dim = weights["image_encoder.blocks.0.mlp.lin1.weight"].shape[0]
        _, cells, _, hidden = positions.shape
        heads = hidden // reaches[0][1]
    except KeyError as error:
        raise ModelFileUnusable(path=str(file), reason=f"it lacks {error}") from error
    except (ValueError, IndexError, ZeroDivisionError) as error:
        raise ModelFileUnusable(path=str(file), reason="the shapes of its encoder's tensors are not SAM's") from error
    windows = [reach[0] for reach in reaches if reach[0] < 2 * cells - 1]
    vision = {
        "hidden_size": hidden,
        "num_hidden_layers": count,
        "num_attention_heads": heads,
        "mlp_dim": mlp_dim,
        "global_attn_indexes": [k for k, reach in enumerate(reaches) if reach[0] == 2 * cells - 1],
        "window_size": (windows[0] + 1) // 2 if windows else 14,
        "image_size": cells * patch,
        "patch_size": patch,
    }
    if "mask_decoder.hf_token.weight" in weights:
        return transformers.SamHQConfig(vision_config=vision, mask_decoder_config={"vit_dim": hidden})
    return transformers.SamConfig(vision_config=vision)


def _sam2_config(weights: Weights, file: Path) -> Any:
    import transformers

    first = weights.get("image_encoder.trunk.patch_embed.proj.weight", torch.empty(0))
    size = (first.shape[0], _count_blocks(weights, "image_encoder.trunk.blocks."))
    if size not in _HIERA:
        raise ModelFileUnusable(path=str(file), reason=f"a SAM 2 of {size[1]} blocks and {size[0]} channels is not known")
    heads, blocks, global_blocks, windows = _HIERA[size]
    widths = [size[0] * 2**stage for stage in range(4)]
    background = weights["image_encoder.trunk.pos_embed"].shape[-2:] if "image_encoder.trunk.pos_embed" in weights else (7, 7)
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": size[0],
        "num_attention_heads": heads,
        "blocks_per_stage": blocks,
        "embed_dim_per_stage": widths,
        "num_attention_heads_per_stage": [heads * 2**stage for stage in range(4)],
        "window_size_per_stage": windows,
        "global_attention_blocks": global_blocks,
        "window_positional_embedding_background_size": list(background),
    }
    return transformers.Sam2Config(vision_config={"backbone_config": backbone, "backbone_channel_list": widths[::-1]})


def _count_blocks(weights: Weights, prefix: str) -> int:
    return len({name.removeprefix(prefix).split(".")[0] for name in weights if name.startswith(prefix)})


def _shapes(net_class: str, config: Any) -> dict[str, torch.Size]:
    import transformers

    with torch.device("meta"):
        return {name: t.shape for name, t in getattr(transformers, net_class)(config).state_dict().items()}


def _check(weights: Weights, expected: dict[str, torch.Size], file: Path) -> None:
    """That every tensor has its place, and every place its tensor."""
    for names, reason in (
        (expected.keys() - weights.keys(), "{count} weights are missing, {first} for one"),
        (weights.keys() - expected.keys(), "{count} tensors are not known, {first} for one"),
        (
            {n for n in expected if n in weights and weights[n].shape != expected[n]},
            "{count} shapes are wrong, {first} for one",
        ),
    ):
        if names:
            raise ModelFileUnusable(path=str(file), reason=reason.format(count=len(names), first=min(names)))
