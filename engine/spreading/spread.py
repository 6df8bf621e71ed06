"""Objects larger than a tile: spread from tile to tile, along the outline only.

Two ways, one loop. Refining: the outline that a coarser level found says which tiles of the next finer one are worth a look;
each is asked with the coarser answer as its prior. Growing: where no coarser level shows the object well, its tiles' neighbours
are asked as long as the object goes on in them. Either way an answer that contradicts what is known is not taken, and where
one moves the outline into another tile, that one is asked too. The cost grows with the outline's length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ...models.base import FloatImage, Mask
from ..tiles.grid import PixelBox, Tile, TileGrid
from .mosaic import LogitField, Mosaic

SAMPLE_PX = 8
"""What a tile had seen is remembered by every so many rows and columns."""

SAME_IOU = 0.99
"""A tile that had seen this much of the same is not asked again."""

Decide = Callable[[Tile, FloatImage], "FloatImage | None"]
"""The (rows, columns) logits of a tile, given those known so far; None where its answer is not to be had or taken."""


@dataclass
class Spread:
    """A level under way. outlined: tiles whose cores hold the outline; wanted: others to be asked; done: those asked.

    seen: what was inside before each was asked, every `SAMPLE_PX`th row and column.
    """

    grid: TileGrid
    mosaic: Mosaic
    outlined: set[Tile] = field(default_factory=set)
    wanted: set[Tile] = field(default_factory=set)
    done: set[Tile] = field(default_factory=set)
    seen: dict[Tile, Mask] = field(default_factory=dict)

    @property
    def waiting(self) -> set[Tile]:
        """Tiles still to be asked."""
        return (self.outlined | self.wanted) - self.done

    @property
    def fraction(self) -> float:
        """Share of the tiles known of that are answered."""
        return len(self.done) / max(len(self.done) + len(self.waiting), 1)

    def look_at(self, tiles: set[Tile]) -> None:
        """Note which of the tiles hold the outline now."""
        found = {tile for tile in tiles if _has_outline(self.mosaic.read(self.grid.core(tile).grown(1)))}
        self.outlined = (self.outlined - tiles) | found

    def take(self, tile: Tile, logits: FloatImage) -> None:
        """Take a tile's (rows, columns) logits, and see where the outline runs now."""
        self.mosaic.answer(tile, logits)
        self.done.add(tile)
        self._look_around(tile)

    def _look_around(self, tile: Tile) -> None:
        """Note which tiles hold the outline, where a tile's answer may have changed that."""
        changed = self.mosaic.support(tile).grown(1)
        logits = self.mosaic.read(changed)
        doubtful = set()
        for near in self.grid.tiles_near(tile.level, changed):
            part = self.grid.core(near).grown(1) & changed
            if _has_outline(logits[part.within(changed)]):
                self.outlined.add(near)
            elif near in self.outlined:
                doubtful.add(near)
        self.look_at(doubtful)

    def ask(self, tile: Tile, decide: Decide, former: Spread | None) -> bool:
        """Have a tile decided, or answered as an earlier spread did that had seen the same; returns whether it was decided."""
        before = self.mosaic.read(self.grid.box(tile))
        sample = before[::SAMPLE_PX, ::SAMPLE_PX] > 0
        self.done.add(tile)
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


def run(
    spread: Spread, start: tuple[float, float], decide: Decide, former: Callable[[Tile], Spread | None]
) -> Iterator[Spread]:
    """Ask waiting tiles, the nearest to a native place first, until none is left; the state after each that was decided.

    former: an earlier spread of the level whose answer to a tile may be taken, if there is one.
    """
    while waiting := spread.waiting:
        tile = min(waiting, key=lambda each: (spread.grid.distance(each, start), each))
        if spread.ask(tile, decide, former(tile)):
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
