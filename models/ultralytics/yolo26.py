"""YOLO26's segmentation networks with the user's weights: objects of the classes that they were trained on.

Each object is found once by the network itself, without suppression of overlaps (its end-to-end head). Clicks choose among
what it found, as with FastSAM.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...contract.errors import first_line
from ...contract.model_errors import ModelFileUnusable
from .fastsam import FastSamModel
from .library import library, read_checkpoint

NETWORK = re.compile(r"yolo26([nsmlx])-seg\.yaml")
"""Name of a network's description, with its size."""

LEAST_CONFIDENCE = 0.05
"""Kept with a tile; who asks wants more."""

MOST_CLASSES = 10_000


class Yolo26Model(FastSamModel):
    """classes: names, by their numbers."""

    def _open(self, folder: Path) -> tuple[Any, tuple[str, ...]]:
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            names = tuple(str(name) for name in config["names"])
            net = _network(config["scale"], len(names))
            net.load_state_dict(load_file(folder / "model.safetensors"))
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise ModelFileUnusable(path=str(folder), reason=first_line(error)) from error
        return net.fuse(verbose=False).requires_grad_(False), names

    def _kept(self, found: Tensor) -> Tensor:
        rows = found[0]
        return rows[rows[:, 4] >= LEAST_CONFIDENCE]


def is_one(file: Path) -> bool:
    """Whether a checkpoint of the library's is of a YOLO26 that segments; raises `ModelFileUnusable`."""
    return NETWORK.fullmatch(Path(read_checkpoint(file).description).name) is not None


def convert(file: Path, folder: Path) -> None:
    """Write `config.json` and `model.safetensors` of an ultralytics checkpoint.

    Raises `ModelFileUnusable`, `ModuleNotFoundError`.
    """
    given = read_checkpoint(file)
    known = NETWORK.fullmatch(Path(given.description).name)
    if known is None or not 0 < len(given.names) <= MOST_CLASSES:
        raise ModelFileUnusable(path=str(file), reason=f"not YOLO26's network for segmentation, but {given.description!r:.40}")
    try:
        _network(known[1], len(given.names)).load_state_dict(given.weights)
    except (KeyError, RuntimeError) as error:
        raise ModelFileUnusable(path=str(file), reason=f"not YOLO26's network: {first_line(error)}") from error
    config = {"model_type": "yolo26", "scale": known[1], "names": list(given.names)}
    (folder / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    weights = {name: tensor.contiguous() for name, tensor in given.weights.items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def _network(scale: str, classes: int) -> Any:
    net = library("nn.tasks").SegmentationModel(f"yolo26{scale}-seg.yaml", ch=3, nc=classes, verbose=False).eval()
    net.end2end = True
    return net
