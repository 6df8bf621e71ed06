"""What the C library does with freed memory: it goes back to the system when a tile is dropped, not after each tensor."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Of GNU's `mallopt`."""

KEPT_BYTES = 1 << 25


def give_back() -> None:
    """Return what is free; does nothing where the C library is not GNU's."""
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


def keep_for_reuse() -> None:
    """Let the process use freed memory again without asking the system each time.

    Dask starts workers with an environment (MALLOC_TRIM_THRESHOLD_) in which GNU's C library maps each large block anew, which
    makes the network several times slower. Does nothing where the C library is another one.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS and Windows
        return
    mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
    mallopt(M_TRIM_THRESHOLD, 8 * KEPT_BYTES)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # macOS and Windows
        return None
