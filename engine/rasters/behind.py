"""The files that hold a raster's pixels and placement, where those are not the one that is opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree  # nosec B405 # expat limits expansion and fetches nothing

ARCHIVES = ("/vsizip/", "/vsitar/", "/vsigzip/", "/vsi7z/", "/vsirar/")

STANDARD_INPUT = "/vsistdin"

MOST_FILES = 10_000
"""Of a mosaic: more are not looked at for each click."""

SOURCES = ("SourceFilename", "SourceDataset")


def files_behind(names: Iterable[str]) -> tuple[str, ...]:
    """Local files that some names mean: archives that they lie in, and sources of VRTs, however deep these are nested."""
    found = (_file_of(name) for name in _names_behind(names))
    return tuple(dict.fromkeys(name for name in found if name is not None))


def unfit_behind(names: Iterable[str]) -> tuple[str, str] | None:
    """A name that GDAL would read as zeros, or wait for without end, and what is wrong with it; None where all is well."""
    for name in _names_behind(names):
        if STANDARD_INPUT in name:
            return name, "is read from standard input, where nothing comes; save it as a file"
        with suppress(OSError, ValueError):  # no name of a file
            mode = os.stat(name).st_mode  # noqa: PTH116 - pathlib raises for names that are none
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISBLK(mode)):
                return name, "is a pipe or a device and no file; save what it gives as a file"
            continue
        if Path(name).is_absolute() and not name.startswith("/vsi") and _file_of(name) is None:
            return name, "is missing; put it back, or make the VRT anew without it"
    return None


def _names_behind(names: Iterable[str]) -> Iterator[str]:
    """Some names, and those of the sources of VRTs among them, however deep these are nested."""
    seen: set[str] = set()
    waiting = list(names)
    while waiting and len(seen) < MOST_FILES:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        yield name
        file = _file_of(name)
        if file is not None and file.lower().endswith(".vrt"):
            with suppress(OSError):  # it went just now: whoever opens it says so
                waiting += _sources(file, Path(file).stat().st_mtime_ns)


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
        root = ElementTree.parse(vrt).getroot()  # nosec B314 # see above
    except (OSError, ElementTree.ParseError):  # whoever opens it says so
        return []
    found = []
    for element in root.iter():
        if element.tag in SOURCES and element.text:
            is_relative = element.get("relativeToVRT") == "1" or element.get("relativetoVRT") == "1"
            found.append(str(vrt.parent / element.text) if is_relative else element.text)
    return found
