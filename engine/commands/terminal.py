"""What verbs of the command line share: progress on a terminal, coordinates among the arguments."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TextIO

EXIT_FAILED = 2
EXIT_INTERRUPTED = 130

COORDINATE_OPTIONS = ("--point", "--not", "--box", "--area", "--levels")
"""Their values may begin with a minus."""


class Progress:
    """Shows the stage on a terminal, nothing elsewhere."""

    def __init__(self, stream: TextIO, number: int = 1, total: int = 1) -> None:
        self._stream = stream if stream.isatty() else None
        self._prefix = f"{number}/{total}"

    def __call__(self, stage: str, fraction: float) -> None:
        """Show how far it is, 0 to 1."""
        if self._stream:
            self._stream.write(f"\r\033[K{self._prefix} {stage} {fraction:.0%}")
            self._stream.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._stream:
            self._stream.write("\r\033[K")


class DownloadProgress:
    """Megabytes on one line of a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream if stream.isatty() else None

    def __call__(self, done: int, total: int | None) -> None:
        """Show bytes done, of how many where that is known."""
        if self._stream:
            of = "" if total is None else f" of {total / 1e6:.0f}"
            self._stream.write(f"\r\033[K{done / 1e6:.0f}{of} MB")
            self._stream.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._stream:
            self._stream.write("\r\033[K")


def numbers(count: int) -> Callable[[str], tuple[float, ...]]:
    """Parses so many numbers separated by commas."""

    def parse(text: str) -> tuple[float, ...]:
        found = tuple(float(part) for part in text.split(","))
        if len(found) != count:
            raise argparse.ArgumentTypeError(f"{text!r} is not {count} numbers separated by commas")
        return found

    parse.__name__ = f"{count} numbers"
    return parse


def join_coordinates(argv: list[str]) -> list[str]:
    """`--point -105,40` as `--point=-105,40`: argparse takes a leading minus for an option."""
    joined: list[str] = []
    for argument in argv:
        if joined and joined[-1] in COORDINATE_OPTIONS:
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined
