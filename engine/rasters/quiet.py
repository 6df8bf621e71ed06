"""Warnings of libraries collected in several threads at once, which `warnings.catch_warnings` alone is not made for."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_of_thread = threading.local()
_outermost: list[warnings.catch_warnings[None]] = []
_count = 0


@contextmanager
def collected(category: type[Warning]) -> Iterator[list[Warning]]:
    """This thread's warnings of a category, which nobody else is told of."""
    found: list[Warning] = []
    before = getattr(_of_thread, "collecting", ())
    _of_thread.collecting = (*before, (category, found))
    _begin(category)
    try:
        yield found
    finally:
        _end()
        _of_thread.collecting = before


def _begin(category: type[Warning]) -> None:
    global _count
    with _lock:
        if not _count:
            _outermost.append(warnings.catch_warnings())
            _outermost[0].__enter__()
            tell = warnings.showwarning

            def note(message: Any, kind: type[Warning], *where: Any, **more: Any) -> None:
                for wanted, found in getattr(_of_thread, "collecting", ()):
                    if issubclass(kind, wanted):
                        found.append(message)
                        return
                tell(message, kind, *where, **more)

            warnings.showwarning = note  # type: ignore[assignment]
        _count += 1
        warnings.simplefilter("always", category)


def _end() -> None:
    global _count
    with _lock:
        _count -= 1
        if not _count:
            _outermost.pop().__exit__(None, None, None)
