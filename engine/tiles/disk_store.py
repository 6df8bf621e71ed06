"""Encoded tiles on disk, shared by several engines.

A zarr v3 group for each raster, radiometry and model, an array for each tile. Features are kept in 8 bits, with a scale for
each channel, compressed by zstd and guarded by crc32c. A tile appears whole or not at all: it is written beside its place and
renamed. What can't be read is deleted and encoded again. The least recently used tiles make room for new ones.
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
from dataclasses import dataclass
from pathlib import Path
from threading import Semaphore
from typing import Any

import numpy as np
import numpy.typing as npt

from ...contract.errors import CacheUnwritable, RasterLassoError, SettingUnusable, first_line
from ...models.base import FloatArray, Mask
from .grid import Tile

log = logging.getLogger(__name__)

FORMAT = 1
"""Part of every key: tiles of other formats are not found."""

MARK = 0xA5
"""The first byte of every tile: zarr reads a missing chunk as zeros."""

ROOM_SHARE = 0.9
"""When the limit is passed, tiles go until this share of it is filled."""

COUNT_EVERY = 512
"""Tiles written between two looks at how full the folder is: other engines write there, too."""

ABANDONED_SECONDS = 3600
"""What is half written for longer was left by an engine that was killed."""

MOST_WAITING = 4
"""Tiles waiting to be written; encoding waits for the disk when there are more."""

LIMIT_VARIABLE = "RASTERLASSO_CACHE_GB"

Notify = Callable[[RasterLassoError], None]


@dataclass(frozen=True)
class StoredTile:
    """Features by name, each (channels, ...) float32, and the (rows, columns) valid pixels."""

    features: Mapping[str, FloatArray]
    valid: Mask


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
        import zarr

        place = self._folder / group / _name(tile)
        if not place.exists():
            return None
        try:
            array = zarr.open_array(str(place), mode="r")
            found = _unpacked(np.asarray(array[:]), array.attrs["layout"])
            os.utime(place)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, OSError, RuntimeError) as error:
            log.warning("%s: unreadable, encoded again (%s)", place, first_line(error))
            shutil.rmtree(place, ignore_errors=True)
            return None
        return found

    def put(self, group: str, tile: Tile, stored: StoredTile) -> None:
        """Keep a tile, soon. Where that fails nothing more is kept, and the user is told once."""
        if self._folder is not None:
            self._room.acquire()
            self._writer.submit(self._put, group, tile, stored).add_done_callback(self._on_put)

    def _on_put(self, done: Future[None]) -> None:
        self._room.release()
        if error := done.exception():  # nobody waits for it: the tile is encoded again
            log.error("a tile was not kept", exc_info=error)

    def _put(self, group: str, tile: Tile, stored: StoredTile) -> None:
        if self._folder is None:
            return
        place = self._folder / group / _name(tile)
        try:
            self._make_room()
            self._used = (self._used or 0) + _write(place, *_packed(stored))
            self._written += 1
        except OSError as error:
            self._folder = None
            self._notify(CacheUnwritable(path=str(place.parent.parent), reason=error.strerror or first_line(error)))

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
        try:
            known: dict[str, int] = json.loads(record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            known = {}
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
        for left in self._folder.glob("*/*.part"):
            with suppress(FileNotFoundError):  # another engine has moved it to its place
                if time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)
        tiles = []
        for place in self._folder.glob("*/*_*_*"):
            with suppress(FileNotFoundError):  # another engine made room, too
                tiles.append((place.stat().st_mtime_ns, _size(place), place))
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


def _packed(stored: StoredTile) -> tuple[npt.NDArray[np.uint8], dict[str, Any]]:
    """One row of bytes, and the layout that `_unpacked` needs."""
    pieces = [np.array([MARK], np.uint8), np.packbits(stored.valid)]
    shapes = {}
    for name, values in stored.features.items():
        flat = values.reshape(len(values), math.prod(values.shape[1:]))
        low, high = flat.min(axis=1), flat.max(axis=1)
        step = np.maximum(high - low, np.finfo(np.float32).tiny) / 255
        scales = np.stack((low, step)).astype("<f4")
        quantized = np.rint((flat - low[:, None]) / step[:, None]).astype(np.uint8)
        pieces += [np.frombuffer(scales.tobytes(), np.uint8), quantized.reshape(-1)]
        shapes[name] = list(values.shape)
    return np.concatenate(pieces), {"valid": list(stored.valid.shape), "features": shapes}


def _unpacked(data: npt.NDArray[np.uint8], layout: Any) -> StoredTile:
    """Raises `ValueError` where the bytes are not what the layout says."""
    rows, cols = layout["valid"]
    if data[0] != MARK:
        raise ValueError("not written whole")
    start = 1 + -(-rows * cols // 8)
    valid = np.unpackbits(data[1:start], count=rows * cols).reshape(rows, cols).astype(np.bool_)
    features = {}
    for name, shape in layout["features"].items():
        channels, size = shape[0], math.prod(shape)
        low, step = np.frombuffer(data[start : start + 8 * channels].tobytes(), "<f4").reshape(2, channels, 1)
        start += 8 * channels
        values = data[start : start + size].reshape(channels, math.prod(shape[1:])) * step + low
        features[name] = values.astype(np.float32, copy=False).reshape(shape)
        start += size
    if start != len(data):
        raise ValueError("of another size than its layout says")
    return StoredTile(features, valid)


def _write(place: Path, data: npt.NDArray[np.uint8], layout: dict[str, Any]) -> int:
    """Write a tile; the bytes that it takes."""
    import zarr
    from zarr.codecs import Crc32cCodec, ZstdCodec
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
            compressors=[ZstdCodec(level=1), Crc32cCodec()],
            attributes={"layout": layout},
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
