"""Logits of a whole raster at one level, kept where they were computed: tiles' answers over those of the next coarser level.

Every tile answers for its core, the part of which it is the nearest tile, and fades into its neighbours' across a ramp. The
weights of all tiles sum to one everywhere, so it does not matter in which order they were answered, and no border shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ...models.base import FloatImage
from ..tiles.grid import PixelBox, Tile, TileGrid

OUTSIDE_LOGIT = -8.0
"""Where nothing was looked at, nothing is."""

UNKNOWN_LOGIT = -0.5
"""Where nothing was looked at yet: so faint that an answer reaches into its neighbour's core."""

LIMIT, STEPS = 8.0, 15
"""Kept logits: cut at the limit, in so many steps for each 1."""

RAMP_SHARE = 1 / 16
"""Half the width of a ramp, as a share of a tile's side."""


class LogitField(Protocol):
    """Logits of a level, anywhere on the raster."""

    @property
    def level(self) -> int:
        """Whose pixels are counted."""
        ...

    def read(self, box: PixelBox) -> FloatImage:
        """(rows, columns) of a box of the level's pixels; off the raster the nearest pixel is repeated."""
        ...


class Unknown:
    """Nothing known anywhere: what growing starts on."""

    def __init__(self, level: int) -> None:
        self.level = level

    def read(self, box: PixelBox) -> FloatImage:
        """See `LogitField`."""
        return np.full(box.shape, UNKNOWN_LOGIT, np.float32)


class OneTile:
    """A single tile's answer; nothing is beyond it."""

    def __init__(self, grid: TileGrid, tile: Tile, logits: FloatImage) -> None:
        self.level = tile.level
        self._frame = grid.frame(tile.level)
        self._box = grid.box(tile)
        self._logits = logits.astype(np.float16)

    def read(self, box: PixelBox) -> FloatImage:
        """See `LogitField`."""
        return _repeated(box, self._frame, self._read)

    def _read(self, box: PixelBox) -> FloatImage:
        found = np.full(box.shape, OUTSIDE_LOGIT, np.float32)
        there = box & self._box
        if not there.is_empty:
            found[there.within(box)] = self._logits[there.within(self._box)]
        return found


class Mosaic:
    """Answers of tiles over a coarser field."""

    def __init__(self, grid: TileGrid, base: LogitField, answers: Mapping[Tile, npt.NDArray[np.int8]] | None = None) -> None:
        self.level = base.level - 1
        self.base = base
        self.answers: dict[Tile, npt.NDArray[np.int8]] = dict(answers or {})
        self._grid = grid
        self._frame = grid.frame(self.level)
        self._ramp_px = max(1, int(grid.tile_px * RAMP_SHARE))

    def answer(self, tile: Tile, logits: FloatImage) -> None:
        """Take the (rows, columns) logits of a whole tile."""
        support = self.support(tile)
        there = logits[support.within(self._grid.box(tile))]
        self.answers[tile] = np.rint(np.clip(there, -LIMIT, LIMIT) * STEPS).astype(np.int8)

    def support(self, tile: Tile) -> PixelBox:
        """Where a tile has weight."""
        return self._grid.core(tile).grown(self._ramp_px) & self._grid.box(tile)

    def read(self, box: PixelBox) -> FloatImage:
        """See `LogitField`."""
        return _repeated(box, self._frame, self._read)

    def _read(self, box: PixelBox) -> FloatImage:
        found = _upsampled(self.base, box)
        base = found
        for tile in self._answered(box):
            support = self.support(tile)
            there = support & box
            if there.is_empty:
                continue
            if base is found:
                found = base.copy()
            into = there.within(box)
            weight = self._weight(tile, there)
            found[into] += weight * (self.answers[tile][there.within(support)] * np.float32(1 / STEPS) - base[into])
        return found

    def _answered(self, box: PixelBox) -> Iterator[Tile]:
        for tile in self._grid.tiles_near(self.level, box.grown(self._ramp_px)):
            if tile in self.answers:
                yield tile

    def _weight(self, tile: Tile, box: PixelBox) -> FloatImage:
        core = self._grid.core(tile)
        rows = self._ramp(box.top, box.bottom, core.top, core.bottom, self._frame.bottom)
        cols = self._ramp(box.left, box.right, core.left, core.right, self._frame.right)
        return rows[:, None] * cols[None]

    def _ramp(self, start: int, end: int, core_start: int, core_end: int, length: int) -> FloatImage:
        """Weights along one axis; what the frame bounds does not fade."""
        middles = np.arange(start, end, dtype=np.float32) + 0.5
        weight = np.ones(end - start, np.float32)
        if core_start > 0:
            weight *= np.clip((middles - core_start) / (2 * self._ramp_px) + 0.5, 0, 1)
        if core_end < length:
            weight *= np.clip((core_end - middles) / (2 * self._ramp_px) + 0.5, 0, 1)
        return weight


def _repeated(box: PixelBox, frame: PixelBox, read: Reader) -> FloatImage:
    inner = box & frame
    found = read(inner)
    if inner == box:
        return found
    above, left = inner.top - box.top, inner.left - box.left
    return np.pad(found, ((above, box.bottom - inner.bottom), (left, box.right - inner.right)), mode="edge")


class Reader(Protocol):
    """Reads a box that lies on the raster."""

    def __call__(self, box: PixelBox) -> FloatImage:
        """(rows, columns) logits."""
        ...


def _upsampled(base: LogitField, box: PixelBox) -> FloatImage:
    """A box of the next finer level, bilinear between the middles of the coarse pixels."""
    coarse = PixelBox(box.top // 2 - 1, box.left // 2 - 1, (box.bottom + 1) // 2 + 1, (box.right + 1) // 2 + 1)
    samples = base.read(coarse)
    first = samples[0, 0]
    if (samples == first).all():
        return np.full(box.shape, first, np.float32)
    fine = _doubled(_doubled(samples).T).T
    top, left = box.top - 2 * (coarse.top + 1), box.left - 2 * (coarse.left + 1)
    return np.ascontiguousarray(fine[top : top + box.shape[0], left : left + box.shape[1]])


def _doubled(samples: FloatImage) -> FloatImage:
    """(n, m) → (2 (n - 2), m): the two halves of each row but the first and the last."""
    near = 0.75 * samples[1:-1]
    fine = np.empty((2 * len(near), samples.shape[1]), np.float32)
    np.add(near, 0.25 * samples[:-2], out=fine[0::2])
    np.add(near, 0.25 * samples[2:], out=fine[1::2])
    return fine
