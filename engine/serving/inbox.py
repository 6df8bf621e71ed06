"""Requests in order of arrival; the newest of a channel overtakes the others."""

from __future__ import annotations

import threading
from collections import deque

from ...contract.protocol import Request


class RequestCancelled(Exception):
    """Unwinds the work on a request that nobody waits for any more."""


class Inbox:
    """Requests in order of arrival, less those cancelled or overtaken. Shared by the reader and the working thread."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._queue: deque[Request] = deque()
        self._current: Request | None = None
        self._stop_current = False
        self._closed = False

    def put(self, request: Request) -> list[Request]:
        """Queue a request; returns the queued ones of its channel that it overtakes."""
        with self._condition:
            overtaken = [r for r in self._queue if _overtakes(request, r)]
            for each in overtaken:
                self._queue.remove(each)
            if self._current is not None and _overtakes(request, self._current):
                self._stop_current = True
            self._queue.append(request)
            self._condition.notify_all()
            return overtaken

    def cancel(self, request_id: int) -> list[Request]:
        """Take a request back; returns it where it was still queued."""
        with self._condition:
            dropped = [r for r in self._queue if r.id == request_id]
            for each in dropped:
                self._queue.remove(each)
            if self._current is not None and self._current.id == request_id:
                self._stop_current = True
            return dropped

    def close(self) -> None:
        """No more will come: stop the work in hand and let `take` end."""
        with self._condition:
            self._closed = self._stop_current = True
            self._queue.clear()
            self._condition.notify_all()

    def take(self, *, wait: bool = True) -> Request | None:
        """The next request. None once closed, and where none is there and `wait` is false."""
        with self._condition:
            self._current, self._stop_current = None, self._closed
            if wait:
                self._condition.wait_for(lambda: self._queue or self._closed)
            if self._closed or not self._queue:
                return None
            self._current = self._queue.popleft()
            return self._current

    @property
    def first(self) -> Request | None:
        """The request in hand, else the next one."""
        with self._condition:
            return self._current or (self._queue[0] if self._queue else None)

    def wait_closed(self, seconds: float) -> bool:
        """Wait so long for the end; whether it has come."""
        with self._condition:
            return self._condition.wait_for(lambda: self._closed, seconds)

    @property
    def is_closed(self) -> bool:
        """Whether no more will come."""
        with self._condition:
            return self._closed

    @property
    def has_waiting(self) -> bool:
        """Whether another request is queued."""
        with self._condition:
            return bool(self._queue)

    @property
    def stop_current(self) -> bool:
        """Whether nobody waits for the request in hand any more."""
        with self._condition:
            return self._stop_current


def _overtakes(newer: Request, older: Request) -> bool:
    return bool(newer.channel) and newer.channel == older.channel and newer.revision > older.revision
