"""The user's settings, kept by QGIS under the group `rasterlasso`."""

from __future__ import annotations

from dataclasses import dataclass, fields

from qgis.core import QgsSettings

GROUP = "rasterlasso"


@dataclass
class Settings:
    """Defaults, and what the user chose instead."""

    engine_python: str = ""
    """Python of an engine's environment that the user keeps; empty for the one that the plugin installs."""

    model: str = "builtin"
    class_name: str = ""

    hover: bool = True
    """Show what a click would give."""

    learn: bool = False
    """Let the model learn from accepted objects."""

    cache_folder: str = ""
    """Where the engine keeps encoded tiles; empty for its own choice, `off` for nowhere."""

    cache_gb: float = 10.0
    """How much of them it keeps."""

    @classmethod
    def load(cls) -> Settings:
        """As stored."""
        stored = QgsSettings()
        return cls(
            **{each.name: stored.value(f"{GROUP}/{each.name}", each.default, type=type(each.default)) for each in fields(cls)}
        )

    def save(self, *names: str) -> None:
        """Store some; the others may have been changed in QGIS's own settings meanwhile."""
        stored = QgsSettings()
        for name in names:
            stored.setValue(f"{GROUP}/{name}", getattr(self, name))
