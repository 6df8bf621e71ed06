"""The library ultralytics, kept from the network and from the user's settings; and its checkpoints, read without running code.

It is AGPL-3.0 and an extra: nothing else imports it, and nothing imports it before a model needs it.
"""

from __future__ import annotations

import importlib
import os
import pickle  # nosec B403 # for its error alone
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from ...contract.errors import first_line
from ...contract.model_errors import ModelFileUnusable

SETTINGS = {
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
    "YOLO_CONFIG_DIR": str(Path(tempfile.gettempdir()) / "rasterlasso-ultralytics"),
}
"""Else it asks the network whether it is there, installs packages by itself, and writes into the user's configuration."""

PARTS_OF_NETWORKS = frozenset(
    {
        *(f"torch.nn.modules.container.{name}" for name in ("Sequential", "ModuleList")),
        *(f"torch.nn.modules.conv.{name}" for name in ("Conv2d", "ConvTranspose2d")),
        "torch.nn.modules.batchnorm.BatchNorm2d",
        "torch.nn.modules.activation.SiLU",
        "torch.nn.modules.pooling.MaxPool2d",
        "torch.nn.modules.upsampling.Upsample",
        "ultralytics.nn.tasks.SegmentationModel",
        *(f"ultralytics.nn.modules.block.{name}" for name in ("Bottleneck", "C2f", "DFL", "Proto", "SPPF")),
        *(f"ultralytics.nn.modules.conv.{name}" for name in ("Concat", "Conv")),
        "ultralytics.nn.modules.head.Segment",
        "torch.nn.modules.linear.Identity",
        *(f"ultralytics.nn.modules.block.{name}" for name in ("Attention", "C2PSA", "C3k", "C3k2", "PSABlock", "Proto26")),
        "ultralytics.nn.modules.conv.DWConv",
        "ultralytics.nn.modules.head.Segment26",
    }
)
"""Classes that its checkpoints of YOLOv8's and YOLO26's segmentation networks hold, FastSAM's among them."""


class _Part:
    """Stands for a part of a network."""

    def __init__(self, *_: object, **__: object) -> None:
        """Takes whatever it is called with."""


def library(name: str) -> Any:
    """One of its modules; raises `ModuleNotFoundError`."""
    for variable, value in SETTINGS.items():
        os.environ.setdefault(variable, value)
    return importlib.import_module(f"ultralytics.{name}")


def is_checkpoint(file: Path) -> bool:
    """Whether a file is one of its checkpoints, which hold whole networks."""
    try:
        return any(name.startswith("ultralytics.") for name in get_unsafe_globals_in_checkpoint(file))
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError):  # no checkpoint of torch at all
        return False


@dataclass(frozen=True)
class Checkpoint:
    """weights: in float32, as `state_dict` has them. description: name of the network's file; names: of its classes."""

    weights: dict[str, torch.Tensor]
    description: str
    names: tuple[str, ...]


def read_checkpoint(file: Path) -> Checkpoint:
    """What a file holds of a network; raises `ModelFileUnusable`.

    What is read may call the classes that it names, so none of the library's own is at hand: `SegmentationModel` evaluates
    expressions. Stand-ins hold what was saved, and do nothing.
    """
    names = set(get_unsafe_globals_in_checkpoint(file))
    if names - PARTS_OF_NETWORKS:
        strange = min(names - PARTS_OF_NETWORKS)
        reason = f"it holds {strange}, no part of a network that is known; code is never run"
        raise ModelFileUnusable(path=str(file), reason=reason)
    try:
        with safe_globals([(_stand_in(name), name) for name in names]):
            found = torch.load(file, map_location="cpu", weights_only=True)
        network = found.get("ema") or found["model"]
        tensors = {name: tensor.float() for name, tensor in _tensors(network)}
        told, by_number = vars(network).get("yaml") or {}, vars(network).get("names") or {}
        classes = tuple(str(by_number[number]) for number in range(len(by_number)))
        return Checkpoint(tensors, str(told.get("yaml_file", "")), classes)
    except Exception as error:  # a damaged pickle makes torch raise whatever there is
        raise ModelFileUnusable(path=str(file), reason=f"cut off, or no checkpoint: {first_line(error)}") from error


def _stand_in(name: str) -> type[_Part]:
    return type(name.rpartition(".")[2], (_Part,), {})


def _tensors(part: _Part, prefix: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """What `torch.nn.Module.state_dict` would give."""
    saved = vars(part)
    for kind in ("_parameters", "_buffers"):
        for name, tensor in saved[kind].items():
            if tensor is not None and name not in saved.get("_non_persistent_buffers_set", ()):
                yield prefix + name, tensor
    for name, inner in saved["_modules"].items():
        yield from _tensors(inner, f"{prefix}{name}.")
