"""The files that hold a raster's pixels and placement, where those are not the one that is opened."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree

ARCHIVES = ("/vsizip/", "/vsitar/", "/vsigzip/", "/vsi7z/", "/vsirar/")

MOST_FILES = 10_000
"""Of a mosaic: more are not looked at for each click."""

SOURCES = ("SourceFilename", "SourceDataset")


def files_behind(names: Iterable[str]) -> tuple[str, ...]:
    """Local files that some names mean: archives that they lie in, and sources of VRTs, however deep these are nested."""
    found: dict[str, None] = {}
    waiting = list(names)
    while waiting and len(found) < MOST_FILES:
        name = _file_of(waiting.pop())
        if name is None or name in found:
            continue
        found[name] = None
        if name.lower().endswith(".vrt"):
            with suppress(OSError):  # it went just now: whoever opens it says so
                waiting += _sources(name, Path(name).stat().st_mtime_ns)
    return tuple(found)


def _file_of(name: str) -> str | None:
    """The file on disk that a name of GDAL's means: itself, or the archive that it is a member of, or the one of a table."""
    for prefix in ARCHIVES:
        if name.startswith(prefix):
            name = name.removeprefix(prefix)
            break
    driver, colon, rest = name.partition(":")
    if colon and driver.isidentifier() and len(driver) > 1:
        name = rest.strip('"')
    while name and not os.path.isfile(name):  # noqa: PTH113 - pathlib raises for names that are none
        name = name[: max(name.rfind("/"), name.rfind(":"), 0)].strip('"')
    return name or None


@lru_cache(maxsize=256)
def _sources(name: str, changed_ns: int) -> list[str]:
    """Of a VRT as it was at a time: each click asks."""
    vrt = Path(name)
    try:
        root = ElementTree.parse(vrt).getroot()
    except (OSError, ElementTree.ParseError):  # whoever opens it says so
        return []
    found = []
    for element in root.iter():
        if element.tag in SOURCES and element.text:
            is_relative = element.get("relativeToVRT") == "1" or element.get("relativetoVRT") == "1"
            found.append(str(vrt.parent / element.text) if is_relative else element.text)
    return found
