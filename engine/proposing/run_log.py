"""What a long run has done, kept tile by tile: one that was stopped or killed goes on where it was.

A file in the folder of caches, named after all that decides the result (the raster's content, the model, the parameters, the
version). Each tile is a line with a checksum; one that was cut off by a crash is done again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
import zlib
from contextlib import suppress
from pathlib import Path

from ...contract.errors import first_line
from ...contract.version import VERSION
from ...contract.wire import Wire
from ..rasters.source import RasterSource
from ..segmenting.query import Query
from ..tiles.grid import Tile
from .tile_finds import TileFinds, tile_of

log = logging.getLogger(__name__)

KEPT_S = 7 * 24 * 3600.0
"""Logs that nobody has written to for so long are deleted."""

FINISHED_KEPT_S = 24 * 3600.0
"""The same of runs that came to their end: what they gave may have been lost on its way to the user's file."""

END = "end"


class RunLog:
    """The tiles of one run that are done."""

    def __init__(self, path: Path) -> None:
        """path: of the file; it and its folder are made when there is something to keep."""
        self._path: Path | None = path
        self._places: dict[Tile, int] = {}
        """Where in the file each tile's line begins."""
        _delete_old(path.parent)
        with suppress(FileNotFoundError):
            self._scan(path)

    @staticmethod
    def of(folder: Path | None, query: Query, params: Wire) -> RunLog | None:
        """The log of a run, begun or new; None where nothing is kept on disk, or the raster or the model has no identity.

        params: what decides what is found in a tile.
        """
        group, changed = query.encodings.group, query.scene.changed
        if folder is None or group is None:
            return None
        parts = [VERSION, group, sorted(changed.items()), type(params).__name__, params.to_wire()]
        identity = json.dumps(parts, sort_keys=True)
        return RunLog(folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.run")

    def __len__(self) -> int:
        """Tiles that are done."""
        return len(self._places)

    def holds(self, tile: Tile) -> bool:
        """Whether a tile is done."""
        return tile in self._places

    def get(self, tile: Tile, source: RasterSource) -> TileFinds | None:
        """What was found in a tile; None where it is not done yet."""
        place = self._places.get(tile)
        if place is None or self._path is None:
            return None
        try:
            with self._path.open("rb") as stream:
                stream.seek(place)
                return TileFinds.of(_checked(stream.readline()) or "", source)
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s: tile %s is searched again (%s)", self._path, tile, first_line(error))
            return None

    def put(self, finds: TileFinds) -> None:
        """Keep what was found in a tile, whatever happens to the process afterwards."""
        self._append(finds.to_text())

    def finish(self) -> None:
        """The run has come to its end."""
        self._append(END)

    def _append(self, text: str) -> None:
        """Where that fails nothing more is kept; the run itself goes on."""
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as stream:
                stream.write(_line(text))
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            log.warning("%s: this run can't be resumed if it is stopped (%s)", self._path, first_line(error))
            self._path = None

    def _scan(self, path: Path) -> None:
        with path.open("rb") as stream:
            place = 0
            for line in stream:
                text = _checked(line)
                if text is not None and text != END:
                    self._places[tile_of(text)] = place
                place += len(line)
            is_torn = place > 0 and not line.endswith(b"\n")
        if is_torn:  # the next line is to begin on a line of its own
            with path.open("ab") as stream:
                stream.write(b"\n")


def _line(text: str) -> bytes:
    return f"{zlib.crc32(text.encode()):08x} {text}\n".encode()


def _checked(line: bytes) -> str | None:
    """The text of a line; None where it is not what was written."""
    text = line[9:].rstrip(b"\n")
    return text.decode() if line[:8] == f"{zlib.crc32(text):08x}".encode() else None


def _delete_old(folder: Path) -> None:
    for path in folder.glob("*.run"):
        with suppress(OSError):  # another engine has it, or has deleted it
            age_s = time.time() - path.stat().st_mtime
            if age_s > KEPT_S or (age_s > FINISHED_KEPT_S and _is_finished(path)):
                path.unlink()


def _is_finished(path: Path) -> bool:
    end = _line(END)
    with path.open("rb") as stream:
        stream.seek(0, os.SEEK_END)
        stream.seek(max(0, stream.tell() - len(end)))
        return stream.read() == end
