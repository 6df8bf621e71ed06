"""Paths of this machine and of an engine's on another one, that mean the same files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from .elsewhere_errors import PathTableUnusable

LONGEST = 4096
"""Characters of a text in which paths are looked for: what is longer is a geometry."""


@dataclass(frozen=True)
class PathTable:
    """pairs: (folder here, folder there); the first that fits counts."""

    pairs: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def of(text: str) -> PathTable:
        """From `HERE=THERE; HERE=THERE`; raises `PathTableUnusable`."""
        entries = [entry.strip() for entry in text.split(";") if entry.strip()]
        pairs = [tuple(side.strip().rstrip("/\\") for side in entry.split("=")) for entry in entries]
        for entry, pair in zip(entries, pairs):
            if len(pair) != 2 or not all(pair):
                raise PathTableUnusable(entry=entry)
        return PathTable(tuple((pair[0], pair[1]) for pair in pairs))

    def to_engine(self, value: Any) -> Any:
        """What is sent, with the engine's paths in all texts."""
        return _mapped(value, self.pairs) if self.pairs else value

    def from_engine(self, value: Any) -> Any:
        """What is received, with this machine's paths."""
        return _mapped(value, tuple((there, here) for here, there in self.pairs)) if self.pairs else value


def _mapped(value: Any, pairs: tuple[tuple[str, str], ...]) -> Any:
    if isinstance(value, str):
        return _renamed(value, pairs) if len(value) <= LONGEST else value
    if isinstance(value, Mapping):
        return {name: _mapped(each, pairs) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_mapped(each, pairs) for each in value]
    return value


def _renamed(text: str, pairs: tuple[tuple[str, str], ...]) -> str:
    """Also inside of GDAL's names, such as `NETCDF:"/data/x.nc":wind`."""
    for before, after in pairs:
        pattern = rf"(?P<start>^|[\s\"'(:,=/]){re.escape(before)}(?P<rest>[\\/][^\"':;,]*|$)"
        flags = re.IGNORECASE if _is_windows(before) else 0
        renamed = re.sub(pattern, partial(_moved, before, after), text, flags=flags)
        if renamed != text:
            return renamed
    return text


def _moved(before: str, after: str, found: re.Match[str]) -> str:
    """A path with the folder of the other side, and its separators."""
    rest = found["rest"]
    if _is_windows(before) and not _is_windows(after):
        rest = rest.replace("\\", "/")
    elif _is_windows(after) and not _is_windows(before):
        rest = rest.replace("/", "\\")
    return f"{found['start']}{after}{rest}"


def _is_windows(folder: str) -> bool:
    return "\\" in folder or folder[1:2] == ":"
