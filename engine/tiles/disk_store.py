"""Encoded tiles on disk, shared by several engines.

A zarr v3 group for each raster, radiometry and model, an array for each tile: its bytes as `packing` has them, compressed by
zstd. A tile appears whole or not at all: it is written beside its place and renamed. What can't be read, or is not what was
written, is deleted and encoded again. The least recently used tiles make room for new ones.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Semaphore

import numpy as np

from ...contract.errors import CacheUnwritable, RasterLassoError, SettingUnusable, first_line
from .grid import Tile
from .packing import Bytes, StoredTile, unpack

log = logging.getLogger(__name__)

FORMAT = 2
"""Part of every key: tiles of other formats are not found."""

ROOM_SHARE = 0.9
"""When the limit is passed, tiles go until this share of it is filled."""

COUNT_EVERY = 512
"""Tiles written between two looks at how full the folder is: other engines write there, too."""

ABANDONED_SECONDS = 3600
"""What is half written for longer was left by an engine that was killed."""

MOST_BYTES = 1 << 30
"""No tile is larger; metadata that are damaged may say so."""

MOST_WAITING = 4
"""Tiles waiting to be written; encoding waits for the disk when there are more."""

LIMIT_VARIABLE = "RASTERLASSO_CACHE_GB"

Notify = Callable[[RasterLassoError], None]


class TileStore:
    """A folder of tiles. Without a folder nothing is kept."""

    def __init__(self, folder: Path | None, limit_bytes: int, notify: Notify = lambda error: None) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._notify = notify
        self._used: int | None = None
        """Bytes in the folder as far as this engine knows; None before the first look."""
        self._written = 0
        self._writer = ThreadPoolExecutor(1, "tiles")
        self._room = Semaphore(MOST_WAITING)

    @property
    def folder(self) -> Path | None:
        """Where tiles are kept; None where they are not."""
        return self._folder

    @property
    def keeps(self) -> bool:
        """Whether tiles can be kept."""
        return self._folder is not None

    def close(self) -> None:
        """Write what is waiting."""
        self._writer.shutdown()

    def get(self, group: str, tile: Tile) -> StoredTile | None:
        """A tile that is there; unreadable ones are deleted with a line in the log."""
        if self._folder is None:
            return None
        place = self._folder / group / _name(tile)
        if not place.exists():
            return None
        try:
            found = unpack(_read(place))
            os.utime(place)
        except FileNotFoundError:
            return None
        except Exception as error:  # noqa: BLE001 - zarr raises anything for metadata that are damaged
            log.warning("%s: unreadable, encoded again (%s)", place, first_line(error))
            shutil.rmtree(place, ignore_errors=True)
            return None
        return found

    def put(self, group: str, tile: Tile, packed: Bytes) -> None:
        """Keep a tile that `pack` has made bytes of, soon. Where that fails nothing more is kept, and the user is told once."""
        if self._folder is None:
            return
        self._room.acquire()
        try:
            writing = self._writer.submit(self._put, group, tile, packed)
        except RuntimeError:  # closed meanwhile, or the program ends: nobody will ask for it
            self._room.release()
        else:
            writing.add_done_callback(self._on_put)

    def _on_put(self, done: Future[None]) -> None:
        self._room.release()
        error = done.exception()
        if isinstance(error, RuntimeError) and "shutdown" in str(error):
            log.info("a tile was not kept: the program ends")  # zarr's own threads have ended already
        elif error is not None:  # nobody waits for it: the tile is encoded again
            log.error("a tile was not kept", exc_info=error)

    def _put(self, group: str, tile: Tile, packed: Bytes) -> None:
        if self._folder is None:
            return
        place = self._folder / group / _name(tile)
        try:
            self._make_room()
            self._used = (self._used or 0) + self._written_at(place, packed)
            self._written += 1
        except OSError as error:
            self._folder = None
            self._notify(CacheUnwritable(path=str(place.parent.parent), reason=error.strerror or first_line(error)))

    @staticmethod
    def _written_at(place: Path, packed: Bytes) -> int:
        """Bytes that it takes; written again where another engine emptied the group meanwhile."""
        try:
            return _write(place, packed)
        except FileNotFoundError:
            return _write(place, packed)

    def has(self, group: str, tile: Tile) -> bool:
        """Whether a tile is there; it may still turn out unreadable."""
        return self._folder is not None and (self._folder / group / _name(tile) / "zarr.json").exists()

    def vouch(self, group: str, state: Mapping[str, int]) -> None:
        """Note the files that a group is of, with their times of change; a changed one empties the group.

        Files that were not seen before are taken for copies: the group's name says that their content is the same.
        """
        if self._folder is None:
            return
        record = self._folder / group / "files.json"
        known = _read_record(record)
        if any(known.get(path, changed) != changed for path, changed in state.items()):
            log.info("%s: its raster has changed, its tiles are dropped", group)
            shutil.rmtree(self._folder / group, ignore_errors=True)
            known = {}
        if known != {**known, **state}:
            self._note(record, {**known, **state})

    def _note(self, record: Path, known: Mapping[str, int]) -> None:
        try:
            record.parent.mkdir(parents=True, exist_ok=True)
            part = record.with_name(f"{uuid.uuid4().hex}.part")
            part.write_text(json.dumps(known), encoding="utf-8")
            part.replace(record)
        except OSError as error:
            log.info("%s: not written (%s)", record, first_line(error))

    def _make_room(self) -> None:
        """Look through the folder now and then, and where it must be too full; the least recently used tiles go."""
        is_known = self._used is not None and self._used <= self._limit_bytes and self._written % COUNT_EVERY
        if is_known or self._folder is None:
            return
        tiles = []
        for place in _entries(self._folder):
            with suppress(FileNotFoundError):  # another engine made room, too, or has moved it to its place
                changed_ns = place.stat().st_mtime_ns
                if place.suffix == ".part" and time.time() - changed_ns / 1e9 > ABANDONED_SECONDS:
                    shutil.rmtree(place, ignore_errors=True)
                elif not place.suffix:
                    tiles.append((changed_ns, _size(place), place))
        used = sum(size for _, size, _ in tiles)
        if used > self._limit_bytes:
            for _, size, place in sorted(tiles):
                shutil.rmtree(place, ignore_errors=True)
                used -= size
                if used <= ROOM_SHARE * self._limit_bytes:
                    break
        self._used, self._written = used, 1


def default_folder() -> Path | None:
    """`RASTERLASSO_CACHE` (`off` for none), else a folder of the user's caches."""
    if chosen := os.environ.get("RASTERLASSO_CACHE"):
        return None if chosen == "off" else Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "rasterlasso" / "tiles"


def default_limit_bytes() -> int:
    """`RASTERLASSO_CACHE_GB`, else 10 GB; raises `SettingUnusable`."""
    given = os.environ.get(LIMIT_VARIABLE, "10")
    try:
        limit = float(given.replace(",", "."))
    except ValueError:
        limit = math.nan
    if not 0 <= limit < math.inf:
        raise SettingUnusable(name=LIMIT_VARIABLE, value=given, expected="a number of gigabytes")
    return int(limit * 1e9)


def group_name(*identity: str) -> str:
    """Of the tiles that all these have in common."""
    return hashlib.sha256("\n".join((str(FORMAT), *identity)).encode()).hexdigest()[:32]


def _name(tile: Tile) -> str:
    return f"{tile.level}_{tile.row}_{tile.col}"


def _size(place: Path) -> int:
    return sum(each.stat().st_size for each in place.rglob("*") if each.is_file())


def _entries(folder: Path) -> list[Path]:
    """Tiles, and half written ones, of all groups; those that are there throughout."""
    found: list[Path] = []
    for group in [*folder.iterdir()] if folder.is_dir() else []:
        with suppress(FileNotFoundError, NotADirectoryError):  # another engine emptied it
            found += [entry for entry in group.iterdir() if entry.is_dir()]
    return found


def _read_record(record: Path) -> dict[str, int]:
    """Times of change by file; empty where the record is none."""
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    is_record = isinstance(known, dict) and all(isinstance(changed, int) for changed in known.values())
    return known if is_record else {}


def _read(place: Path) -> Bytes:
    """The bytes of a tile, as far as zarr can tell; raises `ValueError` and what else zarr does."""
    import zarr

    array = zarr.open_array(str(place), mode="r")
    if array.nbytes > MOST_BYTES:
        raise ValueError(f"{array.nbytes} bytes are no tile")
    return np.asarray(array[:])


def _write(place: Path, data: Bytes) -> int:
    """Write a tile; the bytes that it takes."""
    import zarr
    from zarr.codecs import ZstdCodec
    from zarr.errors import ContainsGroupError

    if not (place.parent / "zarr.json").exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with suppress(ContainsGroupError):  # another engine was quicker
            zarr.create_group(str(place.parent), overwrite=False)
    part = place.with_name(f"{uuid.uuid4().hex}.part")
    try:
        array = zarr.create_array(
            store=str(part),
            shape=data.shape,
            chunks=data.shape,
            dtype="uint8",
            compressors=[ZstdCodec(level=1)],
            config={"write_empty_chunks": True},  # never empty, and to look costs as much as to compress
        )
        array[:] = data
        size = _size(part)
        try:
            part.rename(place)
        except OSError:  # another engine was quicker
            if not place.exists():
                raise
            return 0
        return size
    finally:
        shutil.rmtree(part, ignore_errors=True)
