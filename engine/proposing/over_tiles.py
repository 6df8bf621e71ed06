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

Search = Callable[[Tile], Iterator[Found]]


def over_tiles(
    source: RasterSource,
    tiles: Sequence[Tile],
    search: Search,
    settling: Settling,
    run_log: RunLog | None,
    is_wanted: Callable[[Found], bool],
    on_share: Callable[[float], None],
) -> Iterator[tuple[Found, float]]:
    """Each object once, with its likeness, as soon as no tile that is still to come can find a better one there.

    tiles: row by row. is_wanted: of what is found, also of what the log holds. on_share: told before each tile
    how much is done, and may raise.
    """
    done = 0
    for row, of_row in groupby(tiles, lambda tile: tile.row):
        for tile in of_row:
            on_share(done / len(tiles))
            settling.add(each for each in _searched(source, tile, search, run_log) if is_wanted(each))
            done += 1
        yield from settling.settled(row)
    yield from settling.rest()
    if run_log is not None:
        run_log.finish()


def _searched(source: RasterSource, tile: Tile, search: Search, run_log: RunLog | None) -> tuple[Found, ...]:
    known = None if run_log is None else run_log.get(tile, source)
    if known is not None:
        return known.found
    finds = TileFinds(tile, tuple(search(tile)))
    if run_log is not None:
        run_log.put(finds)
    return finds.found
