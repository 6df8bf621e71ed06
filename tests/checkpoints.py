"""Checkpoints to test with: `python checkpoints.py KIND FOLDER`, in the engine's environment."""

import sys

import torch
import transformers


def write_checkpoint(kind, folder):
    """Random weights of the true architecture with fewer and narrower layers in its encoder, saved as users' files are."""
    torch.manual_seed(0)
    vit = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_dim": 64, "global_attn_indexes": [1]}
    if kind in ("sam", "sam_hq"):
        extra = {"mask_decoder_config": {"vit_dim": 32}} if kind == "sam_hq" else {}
        config_class, model_class = {"sam": ("SamConfig", "SamModel"), "sam_hq": ("SamHQConfig", "SamHQModel")}[kind]
        config = getattr(transformers, config_class)(vision_config=vit, **extra)
    elif kind == "sam2":
        widths = [16, 32, 64, 128]
        backbone = {
            "hidden_size": 16,
            "embed_dim_per_stage": widths,
            "num_attention_heads_per_stage": [1, 2, 4, 8],
            "blocks_per_stage": [1, 1, 2, 1],
            "global_attention_blocks": [3],
            "model_type": "sam2_hiera_det_model",
        }
        model_class = "Sam2Model"
        config = transformers.Sam2Config(vision_config={"backbone_config": backbone, "backbone_channel_list": widths[::-1]})
    else:
        model_class = "Sam3TrackerModel"
        config = transformers.Sam3TrackerConfig()
        for name, value in vit.items():
            setattr(config.vision_config.backbone_config, {"mlp_dim": "intermediate_size"}.get(name, name), value)
    getattr(transformers, model_class)(config).save_pretrained(folder)


if __name__ == "__main__":
    write_checkpoint(*sys.argv[1:])
