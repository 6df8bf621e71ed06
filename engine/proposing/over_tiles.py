"""A search over all tiles of an area, row by row: what was searched before comes from the log, what is final is given on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from ..rasters.source import RasterSource
from ..tiles.grid import Tile
from .proposals import Found
from .run_log import RunLog
from .settling import Settling
from .tile_finds import TileFinds

Searches = Callable[[RasterSource, Sequence[Tile], Callable[[TileFinds], None]], Iterator[TileFinds]]
"""Search tiles, and give what is found in the order of the tiles; whatever is done, in whichever order, is told at once."""


def in_turn(search: Callable[[Tile], Iterator[Found]]) -> Searches:
    """One tile after the other, in this process."""

    def searches(source: RasterSource, tiles: Sequence[Tile], on_done: Callable[[TileFinds], None]) -> Iterator[TileFinds]:
        for tile in tiles:
            finds = TileFinds(tile, tuple(search(tile)))
            on_done(finds)
            yield finds

    return searches


def over_tiles(
    source: RasterSource,
    tiles: Sequence[Tile],
    searches: Searches,
    settling: Settling,
    run_log: RunLog | None,
    is_wanted: Callable[[Found], bool],
    on_share: Callable[[float], None],
) -> Iterator[tuple[Found, float]]:
    """Each object once, with its likeness, as soon as no tile that is still to come can find a better one there.

    tiles: row by row. is_wanted: of what is found, also of what the log holds. on_share: told before each tile
    how much is done, and may raise.
    """

    def keep(finds: TileFinds) -> None:
        if run_log is not None:
            run_log.put(finds)

    known = {tile for tile in tiles if run_log is not None and run_log.holds(tile)}
    searched = searches(source, [tile for tile in tiles if tile not in known], keep)
    done = 0
    for row, of_row in groupby(tiles, lambda tile: tile.row):
        for tile in of_row:
            on_share(done / len(tiles))
            finds = run_log.get(tile, source) if run_log is not None and tile in known else next(searched)
            if finds is None:  # damaged since
                [finds] = searches(source, [tile], keep)
            settling.add(each for each in finds.found if is_wanted(each))
            done += 1
        yield from settling.settled(row)
    yield from settling.rest()
    if run_log is not None:
        run_log.finish()
