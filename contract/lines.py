"""Lines out of pieces of any size, in time proportional to their bytes."""

from __future__ import annotations


class LineBuffer:
    """Takes bytes as they arrive and gives the lines that are whole; the beginning of the next one waits here."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` ends, without their newlines."""
        first, *others = data.split(b"\n")
        self._begun.append(first)
        if not others:
            return []
        *whole, last = others
        lines = [b"".join(self._begun), *whole]
        self._begun = [last]
        return lines

    def rest(self) -> bytes:
        """What was begun and not ended."""
        return b"".join(self._begun)

    def clear(self) -> None:
        """Forget what was begun."""
        self._begun = []
