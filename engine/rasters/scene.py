"""Open rasters with their radiometry."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ...contract.looks import Stretch
from ...models.recently_used import RecentlyUsed
from ..tiles.grid import TILE_PX
from .fingerprint import content, fingerprint, remote_content, times_of_change
from .radiometry import Radiometry
from .source import RasterSource

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
        self._open: RecentlyUsed[tuple[str, Stretch | None], Scene] = RecentlyUsed(
            OPEN_RASTERS, on_forget=lambda scene: scene.source.close()
        )

    def at(self, path: str, stretch: Stretch | None = None) -> Scene:
        """The raster at `path`, in the user's stretch or in our own; raises `RasterError`s."""
        current, key = fingerprint(path), (path, stretch)
        scene = self._open.pop(key)
        if scene is not None and (scene.fingerprint != current or scene.source.has_failed):
            scene.source.close()
            scene = None
        scene = scene or self._opened(path, stretch, current)
        self._open.put(key, scene)
        return scene

    def close(self) -> None:
        """Let all files go."""
        for scene in self._open.pop_all():
            scene.source.close()

    def _opened(self, path: str, stretch: Stretch | None, current: str) -> Scene:
        source = RasterSource(path, self._tile_px)
        try:
            files = source.files
            radiometry = Radiometry.of(source) if stretch is None else Radiometry.chosen(source, stretch)
            return Scene(source, radiometry, current, _identity(source), times_of_change(files))
        except BaseException:
            source.close()
            raise


def _identity(source: RasterSource) -> str | None:
    """Of its content, wherever it lies; None where that can't be told."""
    if source.is_service:
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
