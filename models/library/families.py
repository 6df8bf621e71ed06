"""The architectures that users can add weights of, recognised by their `config.json`."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ...contract.errors import RasterLassoError
from ...contract.model_errors import ModelExtraMissing, ModelFileUnusable, ModelLibraryMissing

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Family:
    """What differs between the architectures. licence: of the weights. library: that runs them."""

    title: str
    licence: str
    library: str = "transformers"


@dataclass(frozen=True)
class SamFamily(Family):
    """SAM and its kin, which share a decoder.

    stretched: the image is resized to a square; else its longer side, and the rest is padded below and on the right.
    """

    transformers_class: str = "SamModel"
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD
    stretched: bool = True


FAMILIES: dict[str, Family] = {
    "sam": SamFamily("SAM", "Apache-2.0", stretched=False),
    "sam_hq": SamFamily("SAM-HQ", "Apache-2.0", transformers_class="SamHQModel", stretched=False),
    "sam2": SamFamily("SAM 2", "Apache-2.0", transformers_class="Sam2Model"),
    "sam3_tracker": SamFamily("SAM 3", "SAM License", transformers_class="Sam3TrackerModel", mean=HALF, std=HALF),
    "edgetam": SamFamily("EdgeTAM", "Apache-2.0", "timm", transformers_class="EdgeTamModel"),
    "mobile_sam": SamFamily("MobileSAM", "Apache-2.0", "ultralytics", stretched=False),
    "fastsam": Family("FastSAM", "AGPL-3.0", "ultralytics"),
    "yolo26": Family("YOLO26", "AGPL-3.0", "ultralytics"),
}
"""By the `model_type` of their `config.json`."""

VIDEO_KINDS = {
    "sam2_video": "sam2",
    "sam3_video": "sam3_tracker",
    "sam3_tracker_video": "sam3_tracker",
    "edgetam_video": "edgetam",
}
"""Published checkpoints hold the model for videos; its image part is what we load."""

EXTRA_LIBRARIES = {"openvino": "Apache-2.0", "timm": "Apache-2.0", "ultralytics": "AGPL-3.0"}
"""Libraries that are installed only where the user wants them, with their licences."""


def read_family(folder: Path) -> tuple[str, Family]:
    """`model_type` and family of a folder; raises `ModelFileUnusable`."""
    try:
        kind = json.loads((folder / "config.json").read_text())["model_type"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelFileUnusable(path=str(folder), reason=f"no readable config.json, {error}") from error
    if not isinstance(kind, str):
        raise ModelFileUnusable(path=str(folder), reason=f"no readable config.json, its model_type is {kind!r:.40}")
    kind = VIDEO_KINDS.get(kind, kind)
    if kind not in FAMILIES:
        raise ModelFileUnusable(path=str(folder), reason=f"holds a {kind}; known are {', '.join(FAMILIES)}")
    return kind, FAMILIES[kind]


def require_library(name: str, kind: str) -> None:
    """Raises `ModelExtraMissing` where the library of a model's family is an extra that is not there."""
    library = FAMILIES[kind].library
    if library in EXTRA_LIBRARIES and find_spec(library) is None:
        raise missing_library(name, ModuleNotFoundError(name=library))


def missing_library(name: str, error: ModuleNotFoundError) -> RasterLassoError:
    """What to tell of a model whose library is not there."""
    library = (error.name or "").split(".")[0]
    licence = EXTRA_LIBRARIES.get(library)
    if licence is None:
        return ModelLibraryMissing(name=name, library=library)
    return ModelExtraMissing(name=name, library=library, licence=licence, python=sys.executable)
