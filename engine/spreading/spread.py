"""Objects larger than a tile: spread from tile to tile, along the outline only.

Two ways, one loop. Refining: the outline that a coarser level found says which tiles of the next finer one are worth a look;
each is asked with the coarser answer as its prior. Growing: where no coarser level shows the object well, its tiles' neighbours
are asked as long as the object goes on in them. Either way an answer that contradicts what is known is not taken, and where
one moves the outline into another tile, that one is asked too. The cost grows with the outline's length.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

from ...models.base import FloatImage, Mask
from ...models.places import XY
from ..tiles.grid import PixelBox, Tile, TileGrid
from .mosaic import LogitField, Mosaic

SAMPLE_PX = 8
"""What a tile had seen is remembered by every so many rows and columns."""

SAME_IOU = 0.99
"""A tile that had seen this much of the same is not asked again."""

Decide = Callable[[Tile, FloatImage], "FloatImage | None"]
"""The (rows, columns) logits of a tile, given those known so far; None where its answer is not to be had or taken."""


class Spread:
    """A level under way. outlined: tiles whose cores hold the outline; done: those asked; waiting: those still to be asked."""

    def __init__(self, grid: TileGrid, mosaic: Mosaic) -> None:
        self.grid = grid
        self.mosaic = mosaic
        self.outlined: set[Tile] = set()
        self.done: set[Tile] = set()
        self.waiting: set[Tile] = set()
        self.seen: dict[Tile, Mask] = {}
        """What was inside before each was asked, every `SAMPLE_PX`th row and column."""
        self._wanted: set[Tile] = set()
        self._fresh: list[Tile] = []

    @property
    def fraction(self) -> float:
        """Share of the tiles known of that are answered."""
        return len(self.done) / max(len(self.done) + len(self.waiting), 1)

    def tiles_left(self, level: int) -> int:
        """About so many are still to be asked down to a finer level: along the outline there are twice as many at each."""
        finer = self.mosaic.level - level
        return len(self.waiting) + (2 ** (finer + 1) - 2) * max(len(self.outlined), 1) if finer else len(self.waiting)

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return sum(each.nbytes for each in (*self.mosaic.answers.values(), *self.seen.values()))

    def want(self, tiles: set[Tile]) -> None:
        """Have tiles asked wherever the outline runs."""
        self._wanted |= tiles
        self._wait_for(tiles)

    def take_fresh(self) -> list[Tile]:
        """The tiles that began to wait since this was last asked."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def _wait_for(self, tiles: set[Tile]) -> None:
        fresh = tiles - self.done - self.waiting
        self.waiting |= fresh
        self._fresh += fresh

    def _finish(self, tile: Tile) -> None:
        self.done.add(tile)
        self.waiting.discard(tile)

    def look_at(self, tiles: set[Tile]) -> None:
        """Note which of the tiles hold the outline now."""
        found = {tile for tile in tiles if _has_outline(self.mosaic.read(self.grid.core(tile).grown(1)))}
        self.outlined -= tiles
        self.waiting -= tiles - found - self._wanted
        self._outline(found)

    def _outline(self, tiles: set[Tile]) -> None:
        self.outlined |= tiles
        self._wait_for(tiles)

    def take(self, tile: Tile, logits: FloatImage) -> None:
        """Take a tile's (rows, columns) logits, and see where the outline runs now."""
        self.mosaic.answer(tile, logits)
        self._finish(tile)
        self._look_around(tile)

    def _look_around(self, tile: Tile) -> None:
        """Note which tiles hold the outline, where a tile's answer may have changed that."""
        changed = self.mosaic.support(tile).grown(1)
        logits = self.mosaic.read(changed)
        doubtful = set()
        for near in self.grid.tiles_near(tile.level, changed):
            part = self.grid.core(near).grown(1) & changed
            if _has_outline(logits[part.within(changed)]):
                self._outline({near})
            elif near in self.outlined:
                doubtful.add(near)
        self.look_at(doubtful)

    def ask(self, tile: Tile, decide: Decide, former: Spread | None) -> bool:
        """Have a tile decided, or answered as an earlier spread did that had seen the same; returns whether it was decided."""
        before = self.mosaic.read(self.grid.box(tile))
        sample = before[::SAMPLE_PX, ::SAMPLE_PX] > 0
        self._finish(tile)
        self.seen[tile] = sample
        if former is not None and tile in former.seen and iou(sample, former.seen[tile]) >= SAME_IOU:
            if tile in former.mosaic.answers:
                self.mosaic.answers[tile] = former.mosaic.answers[tile]
                self._look_around(tile)
            return False
        answer = decide(tile, before)
        if answer is not None:
            self.take(tile, answer)
        return True


def refinement(grid: TileGrid, base: LogitField, around: set[Tile]) -> Spread:
    """The level below `base`'s, nothing answered yet. around: tiles of base's level in which its outline lies."""
    spread = Spread(grid, Mosaic(grid, base))
    spread.look_at({fine for tile in around for fine in _finer(grid, tile)})
    return spread


def run(spread: Spread, start: XY, decide: Decide, former: Callable[[Tile], Spread | None]) -> Iterator[Spread]:
    """Ask waiting tiles, the nearest to a native place first, until none is left; the state after each that was decided.

    former: an earlier spread of the level whose answer to a tile may be taken, if there is one.
    """
    nearest: list[tuple[float, Tile]] = []
    while spread.waiting:
        for fresh in spread.take_fresh():
            heapq.heappush(nearest, (spread.grid.distance(fresh, start), fresh))
        _, tile = heapq.heappop(nearest)
        if tile in spread.waiting and spread.ask(tile, decide, former(tile)):
            yield spread


def iou(a: Mask, b: Mask, where: Mask | None = None) -> float:
    """Intersection over union of two masks, on a part of them; 1 where both are empty."""
    if where is not None:
        a, b = a & where, b & where
    either = int((a | b).sum())
    return float((a & b).sum() / either) if either else 1.0


def _finer(grid: TileGrid, tile: Tile) -> list[Tile]:
    """Tiles of the next finer level whose cores lie in a tile."""
    box = grid.box(tile)
    return grid.tiles_near(tile.level - 1, PixelBox(2 * box.top, 2 * box.left, 2 * box.bottom, 2 * box.right))


def _has_outline(logits: FloatImage) -> bool:
    inside = logits > 0
    return bool(inside.any() and not inside.all())
