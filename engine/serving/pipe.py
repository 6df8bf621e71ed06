"""The streams of the process: standard output for the protocol alone, standard input line by line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import BinaryIO

from ...contract.lines import LineBuffer

CHUNK_BYTES = 1 << 16


def take_stdout() -> BinaryIO:
    """The real standard output for the protocol; what libraries print goes to standard error from now on."""
    pipe = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return pipe


def lines_of(fd: int) -> Iterator[bytes]:
    """Lines from a file descriptor as they arrive; the last one may have no newline.

    Not `sys.stdin`: an interpreter that ends while a thread waits in that object's read aborts (it can't take its lock).
    """
    buffer = LineBuffer()
    while chunk := os.read(fd, CHUNK_BYTES):
        yield from buffer.feed(chunk)
    yield buffer.rest()
