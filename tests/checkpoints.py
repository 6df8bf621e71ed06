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
    elif kind == "edgetam":
        model_class = "EdgeTamModel"
        args = {"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]}
        vision = {"backbone_config": transformers.TimmWrapperConfig(architecture="repvit_m1", model_args=args)}
        config = transformers.EdgeTamConfig(vision_config=vision)
    else:
        model_class = "Sam3TrackerModel"
        config = transformers.Sam3TrackerConfig()
        for name, value in vit.items():
            setattr(config.vision_config.backbone_config, {"mlp_dim": "intermediate_size"}.get(name, name), value)
    getattr(transformers, model_class)(config).save_pretrained(folder)


def write_mobile_sam(file):
    """Random weights of MobileSAM, saved as its authors' file is."""
    from rasterlasso.models.ultralytics.library import library

    torch.manual_seed(0)
    net = library("models.sam.build").build_mobile_sam()
    torch.save(net.state_dict(), file)


def write_fastsam(file):
    """Random weights of FastSAM's smaller network, saved as its library does."""
    from rasterlasso.models.ultralytics.library import library

    torch.manual_seed(0)
    net = library("nn.tasks").SegmentationModel("yolov8s-seg.yaml", ch=3, nc=1, verbose=False).train()
    for part in net.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = 1.0
    with torch.no_grad():
        net(torch.rand(1, 3, 256, 256))  # without statistics of any image random layers would all give the same
    for branch in net.model[-1].cv3:
        torch.nn.init.normal_(branch[-1].weight, std=0.05)
        torch.nn.init.constant_(branch[-1].bias, -3.0)
    torch.save({"model": net.eval().half(), "ema": None, "epoch": -1, "train_args": {"task": "segment"}}, file)


def write_yolo26(file, names=("field", "barn", "lake")):
    """Random weights of YOLO26's smallest network for segmentation, saved as its library does."""
    from rasterlasso.models.ultralytics.library import library

    torch.manual_seed(0)
    net = library("nn.tasks").SegmentationModel("yolo26n-seg.yaml", ch=3, nc=len(names), verbose=False).train()
    for part in net.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = 1.0
    with torch.no_grad():
        net(torch.rand(2, 3, 256, 256))
    for branch in net.model[-1].one2one_cv3:
        torch.nn.init.normal_(branch[-1].weight, std=0.05)
        torch.nn.init.constant_(branch[-1].bias, -1.0)
    net.names = dict(enumerate(names))
    torch.save({"model": net.eval().half(), "ema": None, "epoch": -1, "train_args": {"task": "segment"}}, file)


if __name__ == "__main__":
    KIND, PLACE = sys.argv[1:]
    if KIND == "fastsam":
        write_fastsam(PLACE)
    else:
        write_checkpoint(KIND, PLACE)
