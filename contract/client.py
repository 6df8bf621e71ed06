"""The client's half of the conversation with an engine, without a transport.

The owner of the engine's process passes what the process writes to `feed`, tells `connected` and `disconnected`, and gives
`write` to reach the process's standard input. Requests outlive the process: those under way when it ends are sent again
as soon as the next one is ready.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import protocol
from .errors import EngineCrashed, ProtocolError, RasterLassoError
from .failures import error_from_wire
from .lines import LineBuffer
from .path_table import PathTable
from .protocol import Cancel, Cancelled, Failure, Item, Notice, Progress, Ready, Request, Result

MAX_ATTEMPTS = 3
"""An engine that ends so often on one request won't be given it again."""


@dataclass(frozen=True)
class Replies:
    """Whom to tell what became of a request.

    At the end one of result, failure and cancelled is called. Where result, progress or item raise `ProtocolError`, since they
    can't read what came, failure is called, too.
    """

    result: Callable[[Mapping[str, Any]], None]
    failure: Callable[[RasterLassoError], None]
    progress: Callable[[Progress], None] | None = None
    cancelled: Callable[[], None] | None = None
    item: Callable[[Mapping[str, Any]], None] | None = None


@dataclass
class _Pending:
    request: Request
    replies: Replies
    attempts: int = 0


class EngineClient:
    """Sends requests, matches replies, keeps what is not answered yet."""

    def __init__(
        self,
        write: Callable[[bytes], None],
        on_ready: Callable[[Ready], None],
        on_notice: Callable[[RasterLassoError], None] = lambda error: None,
        paths: PathTable = PathTable(),  # noqa: B008 - frozen
    ) -> None:
        """paths: of the engine's machine, where that is another one."""
        self.paths = paths
        self._write = write
        self._on_ready = on_ready
        self._on_notice = on_notice
        self._pending: dict[int, _Pending] = {}
        self._revisions: dict[str, int] = {}
        self._next_id = 1
        self._lines = LineBuffer()
        self._ready = False

    @property
    def busy(self) -> bool:
        """Whether any request is unanswered."""
        return bool(self._pending)

    def request(self, op: str, params: dict[str, Any], replies: Replies, channel: str = "") -> int:
        """Send a request, now or when the engine is ready; returns its id.

        A request in a `channel` takes the place of the unanswered ones before it there.
        """
        revision = 0
        if channel:
            revision = self._revisions[channel] = self._revisions.get(channel, 0) + 1
            for older in [p.request.id for p in self._pending.values() if p.request.channel == channel]:
                self._drop(older)
        pending = _Pending(Request(self._next_id, op, self.paths.to_engine(params), channel, revision), replies)
        self._next_id += 1
        self._pending[pending.request.id] = pending
        if self._ready:
            self._send(pending)
        return pending.request.id

    def cancel(self, request_id: int) -> None:
        """Take a request back; nothing happens where it is answered already."""
        if request_id in self._pending:
            self._drop(request_id)
            if self._ready:
                self._write(protocol.encode(Cancel(request_id)))

    def cancel_channel(self, channel: str) -> None:
        """Take back what is unanswered in a channel."""
        for request_id in [p.request.id for p in self._pending.values() if p.request.channel == channel]:
            self.cancel(request_id)

    def feed(self, data: bytes) -> None:
        """Take what the engine wrote, in pieces of any size.

        What can't be understood ends the request that it is about; raises `ProtocolError` where it is about none.
        """
        for line in self._lines.feed(data):
            if line.strip():
                self._receive_line(line)

    def disconnected(self) -> None:
        """The engine ended. Requests under way stay for the next one, save those it ended on too often."""
        self._ready = False
        self._lines.clear()
        for pending in list(self._pending.values()):
            if pending.attempts >= MAX_ATTEMPTS:
                del self._pending[pending.request.id]
                pending.replies.failure(EngineCrashed(attempts=pending.attempts))

    def abandon(self, error: RasterLassoError) -> None:
        """There will be no engine: every unanswered request fails with `error`."""
        pending: list[_Pending] = list(self._pending.values())
        self._pending.clear()
        for each in pending:
            each.replies.failure(error)

    def _receive_line(self, line: bytes) -> None:
        try:
            message = protocol.decode(line)
        except ProtocolError as error:
            asked = protocol.id_of(line)
            if asked is None or asked not in self._pending:
                raise
            self._refuse(asked, error)
        else:
            self._receive(message)

    def _refuse(self, request_id: int, error: ProtocolError) -> None:
        """Its answer, or part of it, is none: the engine need not go on."""
        pending = self._pending.pop(request_id)
        self._write(protocol.encode(Cancel(request_id)))
        pending.replies.failure(error)

    def _drop(self, request_id: int) -> None:
        cancelled = self._pending.pop(request_id).replies.cancelled
        if cancelled:
            cancelled()

    def _send(self, pending: _Pending) -> None:
        pending.attempts += 1
        self._write(protocol.encode(pending.request))

    def _receive(self, message: protocol.Message) -> None:
        if isinstance(message, Ready):
            if message.protocol != protocol.PROTOCOL_VERSION:
                raise ProtocolError(reason=f"the engine speaks version {message.protocol}")
            self._ready = True
            for pending in list(self._pending.values()):
                self._send(pending)
            self._on_ready(message)  # what it asks for is sent once
        elif isinstance(message, Notice):
            self._on_notice(error_from_wire(message.code, self.paths.from_engine(message.params)))
        elif isinstance(message, (Progress, Item, Result, Failure, Cancelled)):
            self._dispatch(message)
        else:
            raise ProtocolError(reason=f"a client got {message!r}")

    def _dispatch(self, message: protocol.Message) -> None:
        pending = self._pending.get(message.id)  # type: ignore[union-attr]
        if pending is None:  # answered while its cancellation was on the way
            return
        replies, request_id = pending.replies, pending.request.id
        if isinstance(message, Cancelled):
            self._drop(request_id)
            return
        if isinstance(message, Failure):
            del self._pending[request_id]
            replies.failure(error_from_wire(message.code, self.paths.from_engine(message.params)))
            return
        if isinstance(message, Result):
            del self._pending[request_id]
            try:
                replies.result(self.paths.from_engine(message.value))
            except ProtocolError as error:
                replies.failure(error)
            return
        try:
            if isinstance(message, Progress) and replies.progress:
                replies.progress(message)
            elif isinstance(message, Item) and replies.item:
                replies.item(self.paths.from_engine(message.value))
        except ProtocolError as error:
            if request_id in self._pending:
                self._refuse(request_id, error)
