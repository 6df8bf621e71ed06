"""The engine as a child process of QGIS: starts it, keeps it alive, and carries its lines to an `EngineClient`.

Everything is driven by signals; QGIS's thread never waits.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any

from qgis.core import Qgis, QgsMessageLog
from qgis.PyQt.QtCore import QElapsedTimer, QObject, QProcess, QProcessEnvironment, QTimer, pyqtSignal

from ...contract.client import EngineClient, Replies
from ...contract.errors import EngineBroken, EngineHung, ProtocolError, RasterLassoError
from ...contract.path_table import PathTable
from ...contract.protocol import SILENT_S, Ready
from ...contract.secrets import without_secrets
from ..errors import EngineMissing, EngineStartFailed
from ..settings import Settings
from ..translation import tr
from .engine_command import EngineCommand
from .proxy import proxies

LEAKING_VARIABLES = (
    "LD_LIBRARY_PATH",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONEXECUTABLE",
    "GDAL_DATA",
    "GDAL_DRIVER_PATH",
    "PROJ_LIB",
    "PROJ_DATA",
    "QT_PLUGIN_PATH",
)
"""QGIS sets these for its own libraries; the engine's would break on them."""

START_MS = 60_000
WATCH_MS = 1000
STOP_MS = 300
LOG_TAIL_CHARS = 4000
LOG_TAG = "Raster Lasso"


class EngineState(Enum):
    """What the engine is doing."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"


def engine_environment() -> QProcessEnvironment:
    """QGIS's environment without what would mislead the engine's libraries, with the user's settings of the cache."""
    environment = QProcessEnvironment.systemEnvironment()
    for name in LEAKING_VARIABLES:
        environment.remove(name)
    environment.insert("OMP_WAIT_POLICY", "PASSIVE")  # idle threads must not hold QGIS's cores
    environment.insert("PYTHONUTF8", "1")
    for name, address in proxies().items():
        if not environment.contains(name) and not environment.contains(name.upper()):
            environment.insert(name, address)
    direct = environment.value("no_proxy") or environment.value("NO_PROXY")
    environment.insert("no_proxy", f"{direct},127.0.0.1" if direct else "127.0.0.1")  # what QGIS draws comes from there
    settings = Settings.load()
    chosen = {"RASTERLASSO_CACHE": settings.cache_folder, "RASTERLASSO_CACHE_GB": str(settings.cache_gb)}
    for name, value in chosen.items():
        if value and not environment.contains(name):
            environment.insert(name, value)
    return environment


class EngineProcess(QObject):
    """One engine. It starts at the first request or at `start`, and again when it dies with requests under way.

    `noticed` tells of an error that stopped nothing.
    """

    state_changed = pyqtSignal()
    restarted = pyqtSignal()
    noticed = pyqtSignal(object)

    def __init__(self, command: EngineCommand | Path | None, parent: QObject | None = None) -> None:
        """command: None where the engine is not installed; a path is that of its Python."""
        super().__init__(parent)
        self._process: QProcess | None = None
        self._client = EngineClient(self._write, self._on_ready, self._on_notice)
        self._take(command)
        self._state = EngineState.STOPPED
        self._log_tail = ""
        self._start_timer = QTimer(self)
        self._start_timer.setSingleShot(True)
        self._start_timer.timeout.connect(self._on_start_timeout)
        self._heard = QElapsedTimer()
        """Since the engine said something, or was asked after a pause."""
        self._watch = QTimer(self)
        self._watch.setInterval(WATCH_MS)
        self._watch.timeout.connect(self._look_after)

    @property
    def state(self) -> EngineState:
        """What the engine is doing."""
        return self._state

    @property
    def is_installed(self) -> bool:
        """Whether there is something to start it with."""
        return self._command is not None and self._command.is_there

    @property
    def process_id(self) -> int:
        """Of the running process, else 0."""
        return int(self._process.processId()) if self._process is not None else 0

    @property
    def is_busy(self) -> bool:
        """Whether any request is unanswered."""
        return self._client.busy

    def use(self, command: EngineCommand | Path | None) -> None:
        """Start another engine from now on; requests under way go to it."""
        self._end_process()
        self._take(command)
        self._client.disconnected()
        self._set_state(EngineState.STOPPED)
        if self._client.busy:
            self.start()

    def _take(self, command: EngineCommand | Path | None) -> None:
        self._command = EngineCommand.of(command) if isinstance(command, Path) else command
        self._client.paths = PathTable() if self._command is None else self._command.paths

    def start(self) -> None:
        """Start the process unless it runs."""
        if self._process is not None:
            return
        command = self._command
        if command is None or not command.is_there:
            self._fail(EngineMissing())
            return
        self._log_tail = ""
        process = QProcess(self)
        process.setProcessEnvironment(engine_environment())
        process.readyReadStandardOutput.connect(self._read_output)
        process.readyReadStandardError.connect(self._read_log)
        process.errorOccurred.connect(self._on_error)
        process.finished.connect(self._on_finished)
        self._process = process
        self._set_state(EngineState.STARTING)
        process.start(command.program, list(command.arguments))
        self._start_timer.start(START_MS)
        self._watch.start()

    def request(self, op: str, params: dict[str, Any], replies: Replies, channel: str = "") -> None:
        """Send a request, starting the engine where needed; a newer one in a channel takes an older one's place."""
        if not self._client.busy:
            self._heard.start()
        self._client.request(op, params, replies, channel)
        self.start()

    def restart(self) -> None:
        """End the process, whatever it does, and give what is unanswered to a new one."""
        self._discard_process()
        self._client.disconnected()
        self._set_state(EngineState.STOPPED)
        self.start()

    def cancel_channel(self, channel: str) -> None:
        """Nobody waits for the answer any more."""
        self._client.cancel_channel(channel)

    def shut_down(self) -> None:
        """End the process for good."""
        self._end_process()
        self._set_state(EngineState.STOPPED)

    def _look_after(self) -> None:
        """An engine that hangs, stopped by whatever, is not waited for without end."""
        if self._state is not EngineState.READY or not self._client.busy:
            self._heard.start()
        elif self._heard.elapsed() > 1000 * SILENT_S:
            self._log(f"the engine said nothing for {SILENT_S:.0f} s")
            self.restart()
            self.noticed.emit(EngineHung(seconds=round(SILENT_S)))

    def _discard_process(self) -> None:
        """End the process without waiting for it."""
        process = self._let_go()
        if process is not None:
            process.finished.connect(process.deleteLater)
            process.kill()

    def _let_go(self) -> QProcess | None:
        """The process, which nobody listens to any more."""
        self._start_timer.stop()
        self._watch.stop()
        process, self._process = self._process, None
        if process is not None:
            for signal in (
                process.finished,
                process.errorOccurred,
                process.readyReadStandardOutput,
                process.readyReadStandardError,
            ):
                signal.disconnect()
        return process

    def _end_process(self) -> None:
        process = self._let_go()
        if process is None:
            return
        process.closeWriteChannel()
        if not process.waitForFinished(STOP_MS):
            process.kill()
            process.waitForFinished(STOP_MS)
        process.deleteLater()

    def _write(self, data: bytes) -> None:
        if self._process is not None:
            self._process.write(data)

    def _on_ready(self, ready: Ready) -> None:
        self._start_timer.stop()
        self._set_state(EngineState.READY)

    def _on_notice(self, error: RasterLassoError) -> None:
        if not isinstance(error, EngineBroken):
            self.noticed.emit(error)
            return
        process = self._process
        # Later: what the process wrote is still being read.
        QTimer.singleShot(0, lambda: self._fail(error) if self._process is process else None)

    def _read_output(self) -> None:
        if self._process is None:
            return
        self._heard.start()
        data = bytes(self._process.readAllStandardOutput())
        try:
            self._client.feed(data)
        except ProtocolError as error:
            self._log(str(error))
            self._fail(EngineStartFailed(reason=str(error)))

    def _read_log(self) -> None:
        if self._process is None:
            return
        text = bytes(self._process.readAllStandardError()).decode(errors="replace")
        self._log_tail = (self._log_tail + text)[-LOG_TAIL_CHARS:]
        self._log(text.rstrip())

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart and self._process is not None:
            self._fail(EngineStartFailed(reason=self._process.errorString()))

    def _on_start_timeout(self) -> None:
        self._fail(EngineStartFailed(reason=tr("no sign of life for {} s").format(START_MS // 1000)))

    def _on_finished(self, exit_code: int, exit_status: QProcess.ExitStatus) -> None:
        self._read_output()
        self._read_log()
        was_ready = self._state is EngineState.READY
        if not was_ready:
            self._fail(EngineStartFailed(reason=self._last_log_line() or tr("exit code {}").format(exit_code)))
            return
        self._log(f"the engine ended with code {exit_code}")
        self._drop_process()
        self._set_state(EngineState.STOPPED)
        self._client.disconnected()
        if self._client.busy:
            self.start()
            self.restarted.emit()

    def _fail(self, error: RasterLassoError) -> None:
        """There is no engine and another try would end the same way."""
        self._end_process()
        self._client.disconnected()
        self._set_state(EngineState.FAILED)
        self._client.abandon(error)

    def _drop_process(self) -> None:
        self._watch.stop()
        if self._process is not None:
            self._process.deleteLater()
            self._process = None

    def _set_state(self, state: EngineState) -> None:
        self._state = state
        self.state_changed.emit()

    def _last_log_line(self) -> str:
        lines = [line.strip() for line in self._log_tail.splitlines() if line.strip()]
        return lines[-1] if lines else ""

    @staticmethod
    def _log(text: str) -> None:
        if text:
            QgsMessageLog.logMessage(without_secrets(text), LOG_TAG, Qgis.MessageLevel.Info)
