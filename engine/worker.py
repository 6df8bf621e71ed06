"""The engine: reads requests from standard input, answers on standard output.

A reader thread takes lines at once, so that a newer request or a cancellation stops the work in hand at its next
checkpoint. The end of standard input ends the engine.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable

from ..contract import protocol
from ..contract.errors import InternalError, ProtocolError, RasterLassoError
from ..contract.protocol import Cancel, Cancelled, Failure, Message, Ready, Request, Result
from ..contract.secrets import without_secrets
from ..contract.version import version
from .serving.inbox import Inbox, RequestCancelled
from .serving.ops import Ops
from .serving.pipe import lines_of, take_stdout
from .serving.pulse import Pulse

HELP = "answer a QGIS on another machine that started this by ssh, on standard input and output"

log = logging.getLogger(__name__)


def add(command: argparse.ArgumentParser) -> None:
    """Declare the arguments of `rasterlasso serve`: there are none."""
    command.set_defaults(run=lambda arguments: main())


class Worker:
    """Answers requests, one after the other."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._inbox = Inbox()
        self._pulse = Pulse(send, self._inbox)
        self._send = self._pulse.send
        self._ops = Ops(self._send, self._inbox)

    def read(self, lines: Iterable[bytes]) -> None:
        """Take messages until `lines` end. Runs in a thread of its own."""
        try:
            for line in lines:
                if line.strip():
                    self._receive(line)
        finally:
            self._inbox.close()

    def work(self) -> None:
        """Answer requests until the inbox closes; encode ahead while none is there."""
        threading.Thread(target=self._pulse.run, name="pulse", daemon=True).start()
        self._ops.warm_up()
        while not self._inbox.is_closed:
            request = self._inbox.take(wait=not self._ops.is_prefetching)
            if request is not None:
                self._reply(request)
            else:
                self._ops.prefetch_one()
        self._ops.close()

    def _receive(self, line: bytes) -> None:
        try:
            message = protocol.decode(line)
        except ProtocolError as error:
            log.error("%s", error)
            asked = protocol.id_of(line)
            if asked is not None:
                self._send(_failure(asked, error))
            return
        if isinstance(message, Request):
            dropped = self._inbox.put(message)
        elif isinstance(message, Cancel):
            dropped = self._inbox.cancel(message.id)
        else:
            log.error("an engine got %r", message)
            return
        for each in dropped:
            self._send(Cancelled(each.id))

    def _reply(self, request: Request) -> None:
        answer = self._answer(request)
        try:
            self._send(answer)
        except ProtocolError as error:  # a number that is none, from a library
            log.error("%s", error)
            self._send(_failure(request.id, InternalError(reason=str(error))))

    def _answer(self, request: Request) -> Message:
        try:
            return Result(request.id, self._ops.run(request))
        except RequestCancelled:
            return Cancelled(request.id)
        except RasterLassoError as error:
            return _failure(request.id, error)
        except Exception as error:  # the engine must outlive a defect; the user is told and the log has the trace
            log.exception("request %s", request)
            return _failure(request.id, InternalError(reason=f"{type(error).__name__}: {error}"))


class _PublicFormatter(logging.Formatter):
    """The log is for others to read, when something is reported."""

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


def _failure(request_id: int, error: RasterLassoError) -> Failure:
    return Failure(request_id, error.code, error.params, str(error))


def main() -> int:
    """Run a worker over the standard streams until standard input ends."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_PublicFormatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO)
    pipe = take_stdout()
    lock = threading.Lock()

    def send(message: Message) -> None:
        with lock:
            pipe.write(protocol.encode(message))

    send(Ready(protocol.PROTOCOL_VERSION, version(), os.getpid()))
    worker = Worker(send)
    # A daemon: a read that never returns must not keep a finished engine alive.
    threading.Thread(target=worker.read, args=(lines_of(0),), name="reader", daemon=True).start()
    try:
        worker.work()
    except BrokenPipeError:
        log.info("the client is gone")
    return 0
