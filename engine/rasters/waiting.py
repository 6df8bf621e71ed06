"""Waiting for what may take as long as a server or a drive likes, without being held up by it.

Such work runs in a thread of its own, and whoever waits is asked now and then whether it is still wanted. A thread that nobody
waits for any more ends by GDAL's time-outs; it can't be ended from outside.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

from ...models.recently_used import RecentlyUsed

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

ASK_S = 0.25
MOST_LEFT = 16
"""Pieces of work that are kept in mind after nobody waited for them any more."""

IsWanted = Callable[[], None]
"""Called now and then while something is waited for; raises where nobody wants it any more."""


def awaited(work: Callable[[], Value], is_wanted: IsWanted) -> Value:
    """What work gives, or raises; raises what `is_wanted` does, and what comes of the work then nobody learns."""
    return _result(in_background(work), is_wanted)


def _result(future: Future[Value], is_wanted: IsWanted) -> Value:
    while not future.done():
        try:
            return future.result(ASK_S)
        except TimeoutError:
            is_wanted()
    return future.result()


class Waiting(Generic[Key, Value]):
    """Work by keys. What nobody waits for any more goes on, and who asks for it again need not begin anew."""

    def __init__(self, on_forget: Callable[[Value], None] = lambda value: None) -> None:
        """on_forget: told what came of work that nobody asked for again."""
        self._on_forget = on_forget
        self._left: RecentlyUsed[Key, Future[Value]] = RecentlyUsed(MOST_LEFT, on_forget=self._forget)

    def get(self, key: Key, work: Callable[[], Value], is_wanted: IsWanted) -> Value:
        """What work gives, or raises; raises what `is_wanted` does."""
        left = self._left.pop(key)
        has_failed = left is not None and left.done() and left.exception() is not None
        future = in_background(work) if left is None or has_failed else left
        try:
            return _result(future, is_wanted)
        finally:
            if not future.done():
                self._left.put(key, future)

    def close(self) -> None:
        """Nobody will ask again."""
        for future in self._left.pop_all():
            self._forget(future)

    def _forget(self, future: Future[Value]) -> None:
        def tell(done: Future[Value]) -> None:
            if done.exception() is None:
                self._on_forget(done.result())

        future.add_done_callback(tell)


def in_background(work: Callable[[], Value]) -> Future[Value]:
    """Begin work in a thread that does not keep the process alive, as those of an executor would."""
    future: Future[Value] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            future.set_exception(error)

    threading.Thread(target=run, name="waiting", daemon=True).start()
    return future
