"""The user's settings, kept by QGIS under the group `rasterlasso`."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from qgis.core import QgsSettings

GROUP = "rasterlasso"


@dataclass
class Settings:
    """Defaults, and what the user chose instead."""

    engine_python: str = ""
    """Python of an engine's environment that the user keeps; empty for the one that the plugin installs."""

    engine_command: str = ""
    """What starts an engine on another machine, such as `ssh HOST rasterlasso-engine`; empty for this machine's."""

    engine_paths: str = ""
    """`HERE=THERE; HERE=THERE`: folders of this machine, and what they are called on that one."""

    models: str = ""
    """Names of those that the engine told of last, one a line: what Processing offers."""

    model: str = "builtin"
    class_name: str = ""

    finish: str = ""
    """How outlines are drawn, as JSON; empty for as they are traced."""

    share_borders: bool = False
    auto_accept: bool = False

    hover: bool = True
    """Show what a click would give."""

    frame: bool = False
    """Show what the model looks at."""

    refine: bool = True
    """Outline what is small in the view at a finer level."""

    learn: bool = False
    """Let the model learn from accepted objects."""

    cache_folder: str = ""
    """Where the engine keeps encoded tiles; empty for its own choice, `off` for nowhere."""

    cache_gb: float = 10.0
    """How much of them it keeps."""

    @classmethod
    def load(cls) -> Settings:
        """As stored."""
        return cls(**{each.name: _stored(each.name, each.default) for each in fields(cls)})

    def save(self, *names: str) -> None:
        """Store some; the others may have been changed in QGIS's own settings meanwhile."""
        stored = QgsSettings()
        for name in names:
            stored.setValue(f"{GROUP}/{name}", getattr(self, name))


def _stored(name: str, default: Any) -> Any:
    """A setting in the type of its default, which takes the place of what is none: anybody may edit the file of settings."""
    stored, key = QgsSettings(), f"{GROUP}/{name}"
    if isinstance(default, float):
        found = _number(stored.value(key, default))
        return found if math.isfinite(found) and found >= 0 else default
    try:
        found = stored.value(key, default, type=type(default))
    except TypeError:
        return default
    return found if type(found) is type(default) else default


def _number(found: Any) -> float:
    """NaN for what is none. A comma makes a list of a number."""
    try:
        return float(".".join(found) if isinstance(found, list) else str(found).replace(",", "."))
    except (TypeError, ValueError):
        return math.nan
