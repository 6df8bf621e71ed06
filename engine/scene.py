"""Open rasters with their radiometry."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from .fingerprint import content, fingerprint, times_of_change
from .radiometry import Radiometry
from .raster import RasterSource
from .tiling import TILE_PX

OPEN_RASTERS = 8
"""Rasters kept open; the least recently used is closed."""


@dataclass(frozen=True)
class Scene:
    """An open raster with its radiometry.

    fingerprint: of its content on this machine. content, changed: what the module `fingerprint` tells of its files, for caches
    on disk; None and empty where there are none.
    """

    source: RasterSource
    radiometry: Radiometry
    fingerprint: str
    content: str | None
    changed: dict[str, int]


class Scenes:
    """The rasters that were used last, each opened again when its file has changed or could not be read."""

    def __init__(self, tile_px: int = TILE_PX) -> None:
        self._tile_px = tile_px
        self._open: OrderedDict[str, Scene] = OrderedDict()

    def at(self, path: str) -> Scene:
        """The raster at `path`; raises `RasterError`s."""
        current = fingerprint(path)
        scene = self._open.pop(path, None)
        if scene is not None and (scene.fingerprint != current or scene.source.has_failed):
            scene.source.close()
            scene = None
        self._open[path] = scene or self._opened(path, current)
        if len(self._open) > OPEN_RASTERS:
            self._open.popitem(last=False)[1].source.close()
        return self._open[path]

    def close(self) -> None:
        """Let all files go."""
        while self._open:
            self._open.popitem()[1].source.close()

    def _opened(self, path: str, current: str) -> Scene:
        source = RasterSource(path, self._tile_px)
        try:
            files = source.files
            return Scene(source, Radiometry.of(source), current, content(files) if files else None, times_of_change(files))
        except BaseException:
            source.close()
            raise
