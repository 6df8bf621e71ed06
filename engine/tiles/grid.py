"""The fixed pyramid of tiles: pure grid arithmetic, no raster library.

Level 0 is the raster's native resolution; one pixel of level `n` spans `2**n` native pixels, so negative levels are
oversampled. On every level tiles of `tile_px` level pixels stand half a tile apart, anchored at the raster's origin and
clipped to its frame. So a place is never nearer than a quarter tile to the edge of its tile, unless the raster ends there.

Native pixel coordinates are continuous, x to the right and y down, with (0, 0) at the outer corner of the first pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...models.places import XY

TILE_PX = 1024
"""Side of a tile in pixels of its level."""

MIN_LEVEL = -4
"""Finest level: one native pixel becomes 16 × 16."""


@dataclass(frozen=True, order=True)
class Tile:
    """Address of a tile."""

    level: int
    row: int
    col: int


@dataclass(frozen=True)
class Window:
    """What a tile covers: native pixel coordinates, and its size in pixels of its level."""

    x0: float
    y0: float
    x1: float
    y1: float
    width_px: int
    height_px: int

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the tile's image."""
        return self.height_px, self.width_px

    @property
    def scale_xy(self) -> XY:
        """Native pixels for each pixel of the tile; differs from `2**level` only where the frame cuts the last pixel."""
        return XY((self.x1 - self.x0) / self.width_px, (self.y1 - self.y0) / self.height_px)

    def contains(self, x: float, y: float) -> bool:
        """Whether a native place is inside."""
        return self.x0 <= x <= self.x1 and self.y0 <= y <= self.y1

    def to_tile(self, x: float, y: float) -> XY:
        """Native (x, y) in the tile's continuous pixel coordinates."""
        scale_x, scale_y = self.scale_xy
        return XY((x - self.x0) / scale_x, (y - self.y0) / scale_y)


@dataclass(frozen=True)
class PixelBox:
    """Rows and columns of a level, from the raster's first; `bottom` and `right` are behind the last."""

    top: int
    left: int
    bottom: int
    right: int

    def __and__(self, other: PixelBox) -> PixelBox:
        """What both hold."""
        return PixelBox(
            max(self.top, other.top), max(self.left, other.left), min(self.bottom, other.bottom), min(self.right, other.right)
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return max(self.bottom - self.top, 0), max(self.right - self.left, 0)

    @property
    def is_empty(self) -> bool:
        """Whether no pixel is in it."""
        return 0 in self.shape

    def grown(self, margin_px: int) -> PixelBox:
        """With a margin on all sides."""
        return PixelBox(self.top - margin_px, self.left - margin_px, self.bottom + margin_px, self.right + margin_px)

    def within(self, outer: PixelBox) -> tuple[slice, slice]:
        """Rows and columns of an array that holds `outer`."""
        top, left = outer.top, outer.left
        return slice(self.top - top, self.bottom - top), slice(self.left - left, self.right - left)


@dataclass(frozen=True)
class TileGrid:
    """The tiles of a raster of `width_px` × `height_px` native pixels."""

    width_px: int
    height_px: int
    tile_px: int = TILE_PX

    def __post_init__(self) -> None:
        if min(self.width_px, self.height_px) < 1 or self.tile_px < 4 or self.tile_px % 4:
            raise ValueError(f"no grid of {self.width_px} × {self.height_px} px with tiles of {self.tile_px} px")

    @property
    def max_level(self) -> int:
        """Coarsest level: the first at which one tile holds the whole raster."""
        return max(0, math.ceil(math.log2(max(self.width_px, self.height_px) / self.tile_px)))

    def clamp_level(self, level: int) -> int:
        """The nearest level that the grid has."""
        return min(max(level, MIN_LEVEL), self.max_level)

    def shape(self, level: int) -> tuple[int, int]:
        """(rows, columns) of tiles on a level."""
        return self._count(self.height_px, level), self._count(self.width_px, level)

    def tile_at(self, level: int, x: float, y: float) -> Tile:
        """The tile whose middle is nearest to a native place (places off the raster get the nearest tile)."""
        rows, cols = self.shape(level)
        return Tile(level, self._nearest(y, level, rows), self._nearest(x, level, cols))

    def window(self, tile: Tile) -> Window:
        """What a tile covers, clipped to the raster."""
        scale = 2.0**tile.level
        x0, x1, width_px = self._span(tile.col, self.width_px, scale)
        y0, y1, height_px = self._span(tile.row, self.height_px, scale)
        return Window(x0, y0, x1, y1, width_px, height_px)

    def frame(self, level: int) -> PixelBox:
        """All pixels of a level; the last ones may reach beyond the raster."""
        scale = 2.0**level
        return PixelBox(0, 0, math.ceil(self.height_px / scale), math.ceil(self.width_px / scale))

    def box(self, tile: Tile) -> PixelBox:
        """The pixels of a tile."""
        window = self.window(tile)
        top, left = tile.row * self.tile_px // 2, tile.col * self.tile_px // 2
        return PixelBox(top, left, top + window.height_px, left + window.width_px)

    def core(self, tile: Tile) -> PixelBox:
        """The pixels to which a tile is the nearest. The cores of all tiles of a level cover it, none twice."""
        rows, cols = self.shape(tile.level)
        frame = self.frame(tile.level)
        top, bottom = self._core(tile.row, rows, frame.bottom)
        left, right = self._core(tile.col, cols, frame.right)
        return PixelBox(top, left, bottom, right)

    def tiles_near(self, level: int, box: PixelBox) -> list[Tile]:
        """The tiles whose cores a box touches."""
        rows, cols = self.shape(level)
        first_row, last_row = (self._nearest(place * 2.0**level, level, rows) for place in (box.top, box.bottom - 1))
        first_col, last_col = (self._nearest(place * 2.0**level, level, cols) for place in (box.left, box.right - 1))
        return [Tile(level, r, c) for r in range(first_row, last_row + 1) for c in range(first_col, last_col + 1)]

    def distance(self, tile: Tile, place: XY) -> float:
        """Native pixels from a tile's middle to a native (x, y)."""
        window = self.window(tile)
        return math.hypot((window.x0 + window.x1) / 2 - place.x, (window.y0 + window.y1) / 2 - place.y)

    def _core(self, index: int, count: int, length_px: int) -> tuple[int, int]:
        quarter = self.tile_px // 4
        start = 0 if index == 0 else quarter * (2 * index + 1)
        end = length_px if index == count - 1 else quarter * (2 * index + 3)
        return start, end

    def _count(self, length_px: int, level: int) -> int:
        step = self.tile_px * 2.0**level / 2
        return max(1, math.ceil(length_px / step) - 1)

    def _nearest(self, place: float, level: int, count: int) -> int:
        step = self.tile_px * 2.0**level / 2
        return min(max(math.floor(place / step - 0.5), 0), count - 1)

    def _span(self, index: int, length_px: int, scale: float) -> tuple[float, float, int]:
        start = index * self.tile_px * scale / 2
        end = min(start + self.tile_px * scale, float(length_px))
        return start, end, math.ceil((end - start) / scale)
