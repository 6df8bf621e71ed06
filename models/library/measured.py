"""What was measured of a model's encoder with OpenVINO, kept beside its weights."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

FOLDER = "openvino"
"""Beside a model's weights."""

FILE = "measured.json"
WORTH = 1.2
"""So many times as fast OpenVINO has to be."""


@dataclass(frozen=True)
class Measured:
    """Seconds of a tile with torch, in the precision that it runs in here, and with OpenVINO; and where that was."""

    torch_seconds: float
    openvino_seconds: float
    openvino: str
    processor: str

    @property
    def pays(self) -> bool:
        """Whether OpenVINO is used."""
        return self.torch_seconds >= WORTH * self.openvino_seconds


def note(found: Measured, folder: Path) -> None:
    """Keep it with the model of a folder."""
    (folder / FOLDER / FILE).write_text(json.dumps(asdict(found), indent=2) + "\n")


def measured(folder: Path) -> Measured | None:
    """What was measured for the model of a folder, if it was and OpenVINO is still there."""
    try:
        found = Measured(**json.loads((folder / FOLDER / FILE).read_text()))
    except (OSError, ValueError, TypeError):  # it was not
        return None
    return found if find_spec("openvino") else None
