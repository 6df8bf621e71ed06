"""Files that are written beside their place, checked, and only then put there: whatever fails leaves the former file as it was.

A GeoPackage may hold other tables and be open elsewhere: the layer is written into a copy, and SQLite's backup puts the copy's
pages into the file in one transaction, which a lock refuses and a full disk rolls back.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from .errors import OutputUnwritable

LOCK_S = 3.0
"""How long another program's writing is waited for."""

SHAPEFILE_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg", ".qix", ".sbn", ".sbx", ".qpj", ".fix")
"""The last ones are made of the former file, and say nothing of the new one."""

GEOPACKAGE_MAGIC = b"SQLite format 3\x00"
BEGINNINGS = {
    ".gpkg": GEOPACKAGE_MAGIC,
    ".shp": b"\x00\x00\x27\x0a",
    ".fgb": b"fgb",
    ".parquet": b"PAR1",
}
"""First bytes of each format; GeoJSON's are told apart by its brace."""

WORKPLACE = ".rasterlasso-"
"""How the names of folders begin in which files are made."""

ABANDONED_S = 24 * 3600.0
"""Who makes a file writes to it more often."""

Write = Callable[[Path], None]
"""Writes a new file, or a layer into a copy of the former one, at the path it is given; checks what it wrote."""


def put_file(path: Path, write: Write) -> None:
    """Write a file of one part and put it in its place; raises `OutputUnwritable`, and what `write` does."""
    path = path.resolve()
    _check_former(path)
    with workplace(path) as folder:
        made = folder / f"made{path.suffix.lower()}"
        write(made)
        _put(made, path)


def put_shapefile(path: Path, write: Write) -> None:
    """As `put_file`, of all files of a shapefile; the former ones come back where that fails."""
    path = path.resolve()
    _check_former(path)
    with workplace(path) as folder:
        write(folder / "made.shp")
        former = {part: path.with_suffix(part) for part in SHAPEFILE_PARTS if path.with_suffix(part).exists()}
        kept = {part: folder / f"former{part}" for part in former}
        for part, place in former.items():
            shutil.copy2(place, kept[part])
        try:
            for part in SHAPEFILE_PARTS:
                if (folder / f"made{part}").exists():
                    _put(folder / f"made{part}", path.with_suffix(part))
                else:
                    path.with_suffix(part).unlink(missing_ok=True)
        except OSError:
            for part in SHAPEFILE_PARTS:
                if part in kept:
                    kept[part].replace(path.with_suffix(part))
                else:
                    path.with_suffix(part).unlink(missing_ok=True)
            raise


def put_layer(path: Path, write: Write) -> None:
    """Write a layer into a GeoPackage, new or with tables of its own; raises `OutputUnwritable`, and what `write` does."""
    if not path.exists() or not path.stat().st_size:
        put_file(path, write)
        return
    _check_former(path)
    with workplace(path) as folder:
        copy = folder / "made.gpkg"
        with writable_geopackage(path) as database, closing(sqlite3.connect(copy)) as other:
            database.backup(other)
        write(copy)
        with writable_geopackage(path) as database, closing(sqlite3.connect(copy)) as other:
            other.backup(database)


@contextmanager
def writable_geopackage(path: Path, wait_s: float = LOCK_S) -> Iterator[sqlite3.Connection]:
    """A GeoPackage that is neither locked nor write-protected, which is said now, not after the work.

    wait_s: how long another program's writing is waited for. Raises `OutputUnwritable`, for errors of SQLite within, too.
    """
    address = f"file:{quote(path.absolute().as_posix())}?mode=rw"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=wait_s)) as database:
            database.execute("BEGIN IMMEDIATE")
            database.rollback()
            yield database
    except sqlite3.Error as error:
        raise OutputUnwritable(path=str(path), reason=_reason(error)) from error


def is_being_written(path: Path, wait_s: float = LOCK_S) -> bool:
    """Whether another program is writing to a GeoPackage; where that can't be told it is not."""
    try:
        with writable_geopackage(path, wait_s):
            return False
    except OutputUnwritable as error:
        return _is_lock(error.__cause__)


def _is_lock(error: BaseException | None) -> bool:
    return "locked" in str(error) or "busy" in str(error)


def _reason(error: sqlite3.Error) -> str:
    if _is_lock(error):
        return "another program is writing to it; try again when it has finished"
    if "readonly" in str(error):
        return "it is write-protected; allow writing, or choose another file"
    return str(error)


def _check_former(path: Path) -> None:
    """Raise `OutputUnwritable` where a file is there that may not be written, or that only bears the suffix."""
    if not path.exists():
        return
    if not os.access(path, os.W_OK):
        raise OutputUnwritable(path=str(path), reason="it is write-protected; allow writing, or choose another file")
    try:
        with path.open("rb") as stream:
            head = stream.read(64)
    except OSError as error:
        raise OutputUnwritable(path=str(path), reason=error.strerror or str(error)) from error
    if head and not _is_of(path.suffix.lower(), head):
        reason = f"the file that is there is no {path.suffix}; delete it, or choose another name"
        raise OutputUnwritable(path=str(path), reason=reason)


def _is_of(suffix: str, head: bytes) -> bool:
    """Whether a file that begins so is of the format of a suffix."""
    if suffix == ".geojson":
        return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
    return head.startswith(BEGINNINGS.get(suffix, b""))


@contextmanager
def workplace(path: Path) -> Iterator[Path]:
    """An empty folder with a plain name: GDAL reads some characters of a path in its own way."""
    folder = path.absolute().parent
    is_plain = not set("!;?{}*") & set(str(folder))
    try:
        _clear_abandoned(folder)
        made = Path(tempfile.mkdtemp(prefix=WORKPLACE, dir=folder if is_plain else None))
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise OutputUnwritable(path=str(path), reason=error.strerror or str(error)) from error


def _clear_abandoned(folder: Path) -> None:
    """Delete what a program that was killed left behind."""
    for left in folder.glob(f"{WORKPLACE}*"):
        with suppress(OSError):  # another program deletes it, or it is another user's
            newest = max(each.stat().st_mtime for each in (left, *left.iterdir()))
            if time.time() - newest > ABANDONED_S:
                shutil.rmtree(left, ignore_errors=True)


def _put(made: Path, path: Path) -> None:
    """Move a whole file to its place, on disk before the former one goes."""
    if made.stat().st_dev != path.absolute().parent.stat().st_dev:
        beside = path.with_name(f".{path.name}.part")
        try:
            shutil.copyfile(made, beside)
            _put(beside, path)
        finally:
            beside.unlink(missing_ok=True)
        return
    with made.open("rb+") as stream:
        os.fsync(stream.fileno())
    if path.exists():
        shutil.copymode(path, made)
    made.replace(path)
