"""How the engine is started: with its Python on this machine, or by a command of the user's, such as ssh to another one."""

from __future__ import annotations

import os
import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from ...contract.elsewhere_errors import EngineCommandUnusable
from ...contract.path_table import PathTable
from ..settings import Settings
from .environment import engine_python

LAUNCHER = Path(__file__).resolve().parents[2] / "engine" / "launch.py"


@dataclass(frozen=True)
class EngineCommand:
    """program, arguments: of a process that speaks with QGIS by its standard input and output. paths: of its machine.

    python: of the engine's environment on this machine, into which libraries can be installed; None for another machine's.
    """

    program: str
    arguments: tuple[str, ...]
    paths: PathTable = field(default_factory=PathTable)
    python: Path | None = None

    @staticmethod
    def of(python: Path) -> EngineCommand:
        """The plugin's own engine in an environment on this machine."""
        return EngineCommand(str(python), ("-I", "-u", str(LAUNCHER)), python=python)

    @property
    def is_there(self) -> bool:
        """Whether the program can be found."""
        return self.python.exists() if self.python is not None else shutil.which(self.program) is not None


def engine_command(settings: Settings) -> EngineCommand | None:
    """The user's command where there is one, else the environment's Python; None where the engine is not installed.

    Raises `EngineCommandUnusable`, `PathTableUnusable`.
    """
    try:
        words = shlex.split(settings.engine_command, posix=os.name != "nt")  # whose paths have backslashes
    except ValueError as error:
        raise EngineCommandUnusable(reason=str(error)) from error
    if words:
        return EngineCommand(words[0], tuple(words[1:]), PathTable.of(settings.engine_paths))
    python = engine_python(settings)
    return None if python is None else EngineCommand.of(python)
