"""The version, which stands in metadata.txt alone."""

from __future__ import annotations

from configparser import ConfigParser
from functools import cache
from pathlib import Path


@cache
def version() -> str:
    """Version of the plugin and its engine."""
    metadata = ConfigParser(interpolation=None)
    metadata.read(Path(__file__).resolve().parent.parent / "metadata.txt", encoding="utf-8")
    return metadata["general"]["version"]


VERSION = version()
