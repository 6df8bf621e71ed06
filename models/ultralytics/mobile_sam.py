"""MobileSAM: the encoder of ultralytics with SAM's own prompt encoder and decoder (Zhang et al., 2023)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ...contract.errors import first_line
from ...contract.model_errors import ModelFileUnusable
from ..devices import Hardware
from ..sam.model import SamModel
from .library import library


class TinyEncoder(nn.Module):
    """TinyViT where SAM has its ViT."""

    def __init__(self) -> None:
        super().__init__()
        self.tiny = library("models.sam.build").build_mobile_sam().image_encoder

    def forward(self, pixel_values: Tensor, **_: Any) -> tuple[Tensor]:
        """(1, 3, 1024, 1024) → (1, 256, 64, 64)."""
        return (self.tiny(pixel_values),)


def network() -> Any:
    """With weights of no worth; raises `ModuleNotFoundError`."""
    import transformers

    net: Any = transformers.SamModel(transformers.SamConfig(vision_config={"num_hidden_layers": 0, "hidden_size": 16}))
    net.vision_encoder = TinyEncoder()
    return net.eval()


def mobile_sam_model(name: str, folder: Path, hardware: Hardware | None = None) -> SamModel:
    """SAM with this encoder; raises `ModelFileUnusable`, `ModuleNotFoundError`."""
    return SamModel(name, folder, hardware, load)


def load(folder: Path) -> Any:
    """The network of a folder; raises `ModelFileUnusable`, `ModuleNotFoundError`."""
    net = network()
    try:
        net.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ModelFileUnusable(path=str(folder), reason=first_line(error)) from error
    with torch.no_grad():
        return net.eval()  # once more: its attention looks its biases up now
