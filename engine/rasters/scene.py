"""Open rasters with their radiometry."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ...contract.errors import MosaicIncomplete, RasterLassoError
from ...contract.looks import Stretch
from ...models.base import RenderedTile
from ...models.recently_used import RecentlyUsed
from ..tiles.grid import TILE_PX, Tile
from .fingerprint import content, fingerprint, remote_content, times_of_change
from .radiometry import Radiometry
from .source import RasterSource
from .waiting import IsWanted, Waiting, awaited

Notify = Callable[[RasterLassoError], None]

OPEN_RASTERS = 8
"""Rasters kept open; the least recently used is closed."""


@dataclass(frozen=True)
class Scene:
    """An open raster with its radiometry.

    fingerprint: of its content on this machine. content, changed: what the module `fingerprint` tells of its files, for caches
    on disk; None and empty where there are none. reading: of its tiles.
    """

    source: RasterSource
    radiometry: Radiometry
    fingerprint: str
    content: str | None
    changed: dict[str, int]
    reading: Waiting[Tile, RenderedTile] = field(default_factory=Waiting)


class Scenes:
    """The rasters that were used last, each opened again when its file has changed or could not be read."""

    def __init__(self, tile_px: int = TILE_PX, notify: Notify = lambda error: None) -> None:
        """notify: told of what can be worked on all the same."""
        self._tile_px = tile_px
        self._notify = notify
        self._open: RecentlyUsed[tuple[str, Stretch | None], Scene] = RecentlyUsed(OPEN_RASTERS, on_forget=_close)
        self._opening: Waiting[tuple[str, Stretch | None, str], Scene] = Waiting(on_forget=_close)

    def at(self, path: str, stretch: Stretch | None = None, is_wanted: IsWanted = lambda: None) -> Scene:
        """The raster at `path`, in the user's stretch or in our own; raises `RasterError`s, and what `is_wanted` does."""
        current, key = awaited(lambda: fingerprint(path), is_wanted), (path, stretch)
        scene = self._open.pop(key)
        if scene is not None and (scene.fingerprint != current or scene.source.has_failed):
            scene.source.close()
            scene = None
        if scene is None:
            opening = (path, stretch, current)
            scene = self._opening.get(opening, lambda: self._opened(*opening), is_wanted)
        self._open.put(key, scene)
        return scene

    def close(self) -> None:
        """Let all files go."""
        self._opening.close()
        for scene in self._open.pop_all():
            scene.source.close()

    def _opened(self, path: str, stretch: Stretch | None, current: str) -> Scene:
        source = RasterSource(path, self._tile_px)
        try:
            if source.missing:
                self._notify(MosaicIncomplete(path=source.path, count=len(source.missing), first=source.missing[0]))
            files = source.files
            radiometry = Radiometry.of(source) if stretch is None else Radiometry.chosen(source, stretch)
            return Scene(source, radiometry, current, _identity(source), times_of_change(files))
        except BaseException:
            source.close()
            raise


def _close(scene: Scene) -> None:
    scene.source.close()


def _identity(source: RasterSource) -> str | None:
    """Of its content, wherever it lies; None where that can't be told, and for what is left of a mosaic."""
    if source.is_service or source.missing:
        return None
    if source.files:
        return content(source.files) + _part_of(source)
    return None if source.url is None else remote_content(source.url)


def _part_of(source: RasterSource) -> str:
    """What of its files a raster is: the name by which it was opened, without folders; empty for what is a whole file."""
    if os.path.exists(source.path):  # noqa: PTH110 - pathlib raises for names that are none
        return ""
    name = source.path
    for file in source.files:
        name = name.replace(file, Path(file).name)
    return name
