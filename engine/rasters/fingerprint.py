"""What tells one raster's content from another's."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.request import Request, urlopen

from .behind import files_behind

SAMPLES = 64
SAMPLE_BYTES = 4096
"""Of larger files so many pieces are read: headers change with most edits, and pixels somewhere else."""

SERVER_TIMEOUT_S = 10

WORTH_LISTING = 4
"""So many files of a folder: its names are listed once then, instead of asked for one by one."""


def fingerprint(path: str) -> str:
    """Identity of a raster's content on this machine as far as the files behind it tell; the path alone where there are none.

    The path may be a file, a member of an archive, a part of a file, or a VRT, whose sources count.
    """
    files = files_behind([path])
    if not files:
        return path
    names = "" if files[0] == path else f"{path}|"
    return names + "|".join(map(_state, _with_side_files(files)))


def _with_side_files(files: Sequence[str]) -> Iterator[str]:
    """Files, and those beside them in which GDAL looks for where they lie, what is valid, and overviews."""
    folders = Counter(os.path.dirname(file) for file in files)  # noqa: PTH120 - texts all along: this is done for each click
    listed = {folder: set(_listed(folder)) for folder, count in folders.items() if count >= WORTH_LISTING}
    for file in files:
        yield file
        folder = os.path.dirname(file)  # noqa: PTH120 - as above
        for name in _beside(file):
            is_there = os.path.basename(name) in listed[folder] if folder in listed else os.path.exists(name)  # noqa: PTH110, PTH119
            if is_there:
                yield name


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder or ".")  # noqa: PTH208 - as above
    except OSError:
        return []


def _beside(file: str) -> tuple[str, ...]:
    stem, extension = os.path.splitext(file)  # noqa: PTH122 - as above
    letters = extension[1:]
    world = f".{letters[:1]}{letters[-1:]}w"
    return (
        *(file + each for each in (".aux.xml", ".ovr", ".msk", ".aux", "w")),
        *(stem + each for each in (world, ".wld", ".prj", ".aux.xml", ".aux", ".tab", ".rpb")),
        f"{stem}_RPC.TXT",
    )


def _state(file: str) -> str:
    try:
        status = Path(file).stat()
    except OSError:  # it went just now
        return file
    return f"{os.path.realpath(file)}|{status.st_size}|{status.st_mtime_ns}"


def content(files: Iterable[str]) -> str:
    """The same for copies of the same files on any machine. Raises `OSError`."""
    digest = hashlib.sha256()
    for file in files:
        with Path(file).open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            digest.update(f"{Path(file).suffix}|{size}|".encode())
            step = max(SAMPLE_BYTES, (size - SAMPLE_BYTES) // (SAMPLES - 1))
            for start in range(0, size, step):
                opened.seek(start)
                digest.update(opened.read(SAMPLE_BYTES))
    return digest.hexdigest()


def remote_content(url: str) -> str | None:
    """Of a file on a server, as far as the server tells whether it has changed; None where it does not.

    Keys that an address carries after its `?` are no part of it: they differ from day to day.
    """
    if not url.startswith(("http://", "https://")):
        return None
    try:
        with urlopen(Request(url, method="HEAD"), timeout=SERVER_TIMEOUT_S) as answer:  # nosec B310 # of the web, see above
            told = [answer.headers.get(name) for name in ("ETag", "Last-Modified", "Content-Length")]
    except (OSError, ValueError, HTTPException):  # GDAL read it another way: it is only not kept
        return None
    if not any(told[:2]):
        return None
    return hashlib.sha256("|".join((url.split("?")[0], *(each or "" for each in told))).encode()).hexdigest()


def times_of_change(files: Iterable[str]) -> dict[str, int]:
    """Of each file, by its real path, in nanoseconds. Raises `OSError`."""
    return {os.path.realpath(file): Path(file).stat().st_mtime_ns for file in files}
