"""The architectures that users can add weights of, recognised by their `config.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..engine.errors import ModelFileUnusable

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Family:
    """What differs between the architectures.

    stretched: the image is resized to a square; else its longer side, and the rest is padded below and on the right.
    """

    title: str
    transformers_class: str
    licence: str
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD
    stretched: bool = True


FAMILIES = {
    "sam": Family("SAM", "SamModel", "Apache-2.0", stretched=False),
    "sam_hq": Family("SAM-HQ", "SamHQModel", "Apache-2.0", stretched=False),
    "sam2": Family("SAM 2", "Sam2Model", "Apache-2.0"),
    "sam3_tracker": Family("SAM 3", "Sam3TrackerModel", "SAM License", HALF, HALF),
}
"""By the `model_type` of their `config.json`."""


def read_family(folder: Path) -> tuple[str, Family]:
    """`model_type` and family of a folder; raises `ModelFileUnusable`."""
    try:
        kind = json.loads((folder / "config.json").read_text())["model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileUnusable(path=str(folder), reason=f"no readable config.json, {error}") from error
    # Published SAM 2 and SAM 3 checkpoints hold the video model; its image part is what we load.
    kind = {"sam2_video": "sam2", "sam3_video": "sam3_tracker", "sam3_tracker_video": "sam3_tracker"}.get(kind, kind)
    if kind not in FAMILIES:
        raise ModelFileUnusable(path=str(folder), reason=f"holds a {kind}; known are {', '.join(FAMILIES)}")
    return kind, FAMILIES[kind]
