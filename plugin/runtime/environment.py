"""The engine's own Python environment: where it is.

It is kept beside the user's other application data, outside QGIS's profiles, so that all of them share it. Nothing of it is
ever on QGIS's own path.
"""

from __future__ import annotations

import os
from pathlib import Path

from qgis.PyQt.QtCore import QStandardPaths

from ...contract.version import version
from ..settings import Settings

MINIMUM_PYTHON = (3, 11)
COMPLETE = "complete"
"""File that is written when an environment is whole."""


def managed_folder() -> Path:
    """Where the plugin keeps the environment of this version."""
    data = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation)
    return Path(data) / "rasterlasso" / f"engine-{version()}"


def python_in(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def engine_python(settings: Settings) -> Path | None:
    """The interpreter to start the engine with: the user's choice, else the plugin's own if it is whole, else None."""
    if settings.engine_python:
        return Path(settings.engine_python)
    folder = managed_folder()
    return python_in(folder) if (folder / COMPLETE).exists() else None
