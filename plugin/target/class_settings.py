"""How the objects of each class are digitized, kept with the layer that they go to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from qgis.core import QgsVectorLayer

from ...contract.errors import ProtocolError
from ...contract.looks import Finish
from ...contract.wire import Wire

PROPERTY = "rasterlasso/classes"
"""Of the layer, and so of the project: JSON, settings by class."""


@dataclass(frozen=True)
class ClassSettings(Wire):
    """model: its name. share_borders, auto_accept: as `Acceptance` and `Digitizer` have them."""

    finish: Finish
    model: str
    share_borders: bool = False
    auto_accept: bool = False


def settings_of(layer: QgsVectorLayer, class_name: Any) -> ClassSettings | None:
    """What was chosen for a class, as the layer stores it; None where nothing was, or what is kept can't be read."""
    kept = _kept(layer).get(str(class_name))
    try:
        return None if kept is None else ClassSettings.from_wire(kept)
    except ProtocolError:
        return None


def keep_settings(layer: QgsVectorLayer, class_name: Any, settings: ClassSettings) -> None:
    """Keep what is chosen for a class of a layer."""
    if settings_of(layer, class_name) != settings:
        layer.setCustomProperty(PROPERTY, json.dumps({**_kept(layer), str(class_name): settings.to_wire()}))


def _kept(layer: QgsVectorLayer) -> dict[str, Any]:
    """Anybody may write a project file: what is no JSON object counts as empty."""
    try:
        kept = json.loads(str(layer.customProperty(PROPERTY, "{}")))
    except (ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}
