"""Making the engine's environment, and adding libraries to it: steps one after another, each a process of its own."""

from __future__ import annotations

import shutil
import sys
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from qgis.PyQt.QtCore import QObject, QProcess, pyqtSignal

from ..errors import EngineInstallFailed, PythonMissing
from ..translation import tr
from .engine_command import LAUNCHER
from .engine_process import STOP_MS, engine_environment
from .environment import COMPLETE, MINIMUM_PYTHON, python_in

RESOURCES = Path(__file__).resolve().parents[2] / "resources"


PROBE = f"import sys, venv, ensurepip; sys.exit(sys.version_info < {MINIMUM_PYTHON!r})"
"""Ends with 0 in a Python that can make the environment."""


def base_pythons() -> list[str]:
    """Interpreters to try for making the environment; QGIS's own executable is never among them."""
    names = [f"python3.{minor}" for minor in range(14, MINIMUM_PYTHON[1] - 1, -1)] + ["python3", "python"]
    found = [path for name in names if (path := shutil.which(name))]
    beside = [Path(sys.base_exec_prefix) / name for name in ("python.exe", "bin/python3")]
    return list(dict.fromkeys([*found, *(str(path) for path in beside if path.exists())]))


class Installation(QObject):
    """Steps one after another, each a process of its own."""

    progress = pyqtSignal(str)
    finished = pyqtSignal(object)
    """None when all went well, else a `RasterLassoError`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._steps: list[tuple[str, list[str]]] = []
        self._process: QProcess | None = None
        self._last_line = ""

    def cancel(self) -> None:
        """Stop and take away what was made."""
        self._stop_process()
        self._clean()

    def _clean(self) -> None:
        """Take away what was made so far."""

    def _complete(self) -> None:
        """All steps are done."""

    def _next_step(self) -> None:
        if not self._steps:
            self._complete()
            self.finished.emit(None)
            return
        title, command = self._steps.pop(0)
        self.progress.emit(title)
        self._run(command, self._after_step)

    def _after_step(self, succeeded: bool) -> None:
        if succeeded:
            self._next_step()
        else:
            self._clean()
            self.finished.emit(EngineInstallFailed(reason=self._last_line or tr("no message")))

    def _run(self, command: list[str], then: Callable[[bool], None]) -> None:
        """Start a command; `then` is told whether it succeeded."""
        process = QProcess(self)
        process.setProcessEnvironment(engine_environment())
        process.setProcessChannelMode(QProcess.ProcessChannelMode.MergedChannels)
        process.readyReadStandardOutput.connect(self._read)
        self._process = process

        def done(succeeded: bool) -> None:
            self._read()
            self._stop_process()
            then(succeeded)

        def failed(error: QProcess.ProcessError) -> None:
            if error == QProcess.ProcessError.FailedToStart:
                done(False)

        process.finished.connect(lambda code, status: done(code == 0 and status == QProcess.ExitStatus.NormalExit))
        process.errorOccurred.connect(failed)
        process.start(command[0], command[1:])

    def _read(self) -> None:
        if self._process is None:
            return
        text = bytes(self._process.readAllStandardOutput()).decode(errors="replace")
        for line in filter(None, map(str.strip, text.splitlines())):
            self._last_line = line
            self.progress.emit(line)

    def _stop_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for signal in (process.finished, process.errorOccurred, process.readyReadStandardOutput):
            signal.disconnect()
        if process.state() != QProcess.ProcessState.NotRunning:
            process.kill()
            process.waitForFinished(STOP_MS)
        process.deleteLater()


class EngineInstaller(Installation):
    """Makes the environment."""

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder = folder
        self._former = folder.with_name(f"{folder.name}.former")
        """Where the environment that is replaced waits for the new one to work."""
        self._is_making = False
        self._bases = base_pythons()

    def start(self) -> None:
        """Begin; `progress` tells each line of output, `finished` the end."""
        self.progress.emit(tr("Looking for Python…"))
        self._probe()

    def _clean(self) -> None:
        if not self._is_making:
            return
        self._is_making = False
        broken = self._folder.with_name(f"{self._folder.name}.{uuid.uuid4().hex}")
        with suppress(OSError):  # what a process that was just stopped still holds can't be moved on Windows
            if self._folder.exists():
                self._folder.rename(broken)  # a child of the process may still write into it
            if self._former.exists():
                self._former.rename(self._folder)
        shutil.rmtree(broken, ignore_errors=True)

    def _complete(self) -> None:
        self._is_making = False
        (self._folder / COMPLETE).touch()
        shutil.rmtree(self._former, ignore_errors=True)

    def _probe(self) -> None:
        if not self._bases:
            self.finished.emit(PythonMissing(minimum=".".join(map(str, MINIMUM_PYTHON))))
            return
        self._run([self._bases[0], "-c", PROBE], self._after_probe)

    def _after_probe(self, succeeded: bool) -> None:
        if not succeeded:
            del self._bases[0]
            self._probe()
            return
        try:
            self._make_way()
        except OSError as error:
            self.finished.emit(EngineInstallFailed(reason=str(error)))
            return
        python = str(python_in(self._folder))
        self._steps = [
            (tr("Making the environment…"), [self._bases[0], "-m", "venv", str(self._folder)]),
            (tr("Downloading packages…"), pip_install(python, "-r", str(RESOURCES / "engine-requirements.txt"))),
            (tr("Trying the engine…"), [python, "-I", str(LAUNCHER), "doctor"]),
        ]
        self._next_step()

    def _make_way(self) -> None:
        """Keep a whole environment until the new one works; a former installation that was killed left one, perhaps."""
        if (self._folder / COMPLETE).exists():
            shutil.rmtree(self._former, ignore_errors=True)
            self._folder.rename(self._former)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._is_making = True


class LibraryInstaller(Installation):
    """Adds a library to an environment, and takes away what was added where it does not work there."""

    def __init__(self, python: Path, library: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._python = str(python)
        # Built for another torch, torchvision fails at import, and transformers' models with it.
        self._names = [library, "torchvision"] if library in BRING_TORCHVISION else [library]
        self._added: list[str] = []

    def start(self) -> None:
        """Begin; `progress` tells each line of output, `finished` the end."""
        self.progress.emit(tr("Looking for the library…"))
        self._look_for(list(self._names))

    def _look_for(self, names: list[str]) -> None:
        if not names:
            self._steps = [
                (tr("Downloading packages…"), pip_install(self._python, self._names[0])),
                (tr("Trying the library…"), [self._python, "-c", f"import {', '.join(self._names)}"]),
            ]
            self._next_step()
            return
        name = names.pop()

        def found(is_there: bool) -> None:
            if not is_there:
                self._added.append(name)
            self._look_for(names)

        self._run([self._python, "-c", IS_THERE, name], found)

    def _clean(self) -> None:
        if self._added:
            QProcess.startDetached(self._python, ["-m", "pip", "uninstall", "-y", *self._added])


BRING_TORCHVISION = ("timm", "ultralytics")


IS_THERE = "import sys; from importlib.util import find_spec; sys.exit(find_spec(sys.argv[1]) is None)"
"""Ends with 0 where a package can be imported."""


def pip_install(python: str, *what: str) -> list[str]:
    """The command, with the versions that the engine is tested with."""
    constraints = str(RESOURCES / "engine-constraints.txt")
    return [python, "-m", "pip", "install", "--disable-pip-version-check", *what, "-c", constraints]
