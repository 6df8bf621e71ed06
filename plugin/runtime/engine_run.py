"""One request to an engine of its own, for threads that may wait for it: Processing's."""

from __future__ import annotations

import os
import queue
import subprocess  # nosec B404 # to start the engine alone
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from typing import IO, Any

from ...contract.client import EngineClient, Replies
from ...contract.errors import ProtocolError, RasterLassoError
from ...contract.path_table import PathTable
from ...contract.protocol import SILENT_S, Progress
from ...contract.wire import Wire
from ..errors import EngineStartFailed
from .engine_command import EngineCommand
from .engine_process import LOG_TAIL_CHARS, engine_environment

LOOK_S = 0.2
"""How often cancelling is looked for while the engine says nothing."""

MOST_SILENCE_S = 2 * SILENT_S
"""Starting included."""

CHUNK_BYTES = 1 << 16
CREATE_NO_WINDOW = 0x08000000  # of Windows; `subprocess` has it there only


class RunCancelled(Exception):
    """The user does not want the result any more."""


def run_request(
    command: EngineCommand,
    op: str,
    params: Wire,
    on_item: Callable[[Mapping[str, Any]], None],
    on_progress: Callable[[float], None],
    is_cancelled: Callable[[], bool],
) -> Mapping[str, Any]:
    """The answer to a request; `on_item` and `on_progress` (0 to 1) are called in this thread meanwhile.

    Raises what the engine answers, `EngineStartFailed` where it ends before its answer, and `RunCancelled`.
    """
    environment = engine_environment()
    variables = {name: environment.value(name) for name in environment.keys()}  # noqa: SIM118 - no dict
    flags = CREATE_NO_WINDOW if os.name == "nt" else 0
    words = [command.program, *command.arguments]
    with tempfile.TemporaryFile() as log:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
        try:
            options = {"env": variables, "creationflags": flags, **pipes}
            process = subprocess.Popen(words, **options)  # type: ignore[call-overload] # nosec B603
        except OSError as error:
            raise EngineStartFailed(reason=str(error)) from error
        try:
            return _Conversation(process, log, command.paths).hold(op, params, on_item, on_progress, is_cancelled)
        finally:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()


class _Conversation:
    """A request and its answer."""

    def __init__(self, process: Any, log: IO[bytes], paths: PathTable) -> None:
        self._process = process
        self._paths = paths
        self._log = log
        self._arrived: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def hold(
        self,
        op: str,
        params: Wire,
        on_item: Callable[[Mapping[str, Any]], None],
        on_progress: Callable[[float], None],
        is_cancelled: Callable[[], bool],
    ) -> Mapping[str, Any]:
        results: list[Mapping[str, Any]] = []
        errors: list[RasterLassoError] = []

        def progressed(progress: Progress) -> None:
            on_progress(progress.fraction)

        client = EngineClient(self._write, on_ready=lambda ready: None, paths=self._paths)
        client.request(op, params.to_wire(), Replies(results.append, errors.append, progressed, item=on_item))
        heard = time.monotonic()
        while not results and not errors:
            if is_cancelled():
                raise RunCancelled
            try:
                data = self._arrived.get(timeout=LOOK_S)
            except queue.Empty:
                if time.monotonic() - heard > MOST_SILENCE_S:
                    raise EngineStartFailed(reason=f"no sign of life for {MOST_SILENCE_S:.0f} s") from None
                continue
            heard = time.monotonic()
            if not data:
                raise EngineStartFailed(reason=self._last_words())
            try:
                client.feed(data)
            except ProtocolError as error:
                raise EngineStartFailed(reason=str(error)) from error
        if errors:
            raise errors[0]
        return results[0]

    def _read(self) -> None:
        """What the engine writes, and an empty piece at its end."""
        while data := os.read(self._process.stdout.fileno(), CHUNK_BYTES):
            self._arrived.put(data)
        self._arrived.put(b"")

    def _write(self, data: bytes) -> None:
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except OSError:  # it has ended: the reader says so
            pass

    def _last_words(self) -> str:
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - LOG_TAIL_CHARS))
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit code {self._process.wait()}"
