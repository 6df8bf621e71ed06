"""Which tiles of an object larger than a tile are asked, and in which order."""

from types import SimpleNamespace

import numpy as np

from rasterlasso.engine.spreading.mosaic import Mosaic, Unknown
from rasterlasso.engine.spreading.spread import Spread, run
from rasterlasso.engine.tiles.grid import Tile, TileGrid
from rasterlasso.models.places import XY


def spread_over(side_tiles, tile_px=64):
    grid = TileGrid(side_tiles * tile_px // 2, side_tiles * tile_px // 2, tile_px)
    return grid, Spread(grid, Mosaic(grid, Unknown(1)))


def every_tile(grid):
    rows, cols = grid.shape(0)
    return {Tile(0, row, col) for row in range(rows) for col in range(cols)}


def test_the_nearest_tile_is_asked_first_and_each_once():
    grid, spread = spread_over(12)
    spread.want(every_tile(grid))
    asked = []
    list(run(spread, XY(100.0, 80.0), lambda tile, before: asked.append(tile), lambda tile: None))
    assert set(asked) == every_tile(grid)
    assert len(asked) == len(every_tile(grid))
    distances = [grid.distance(tile, XY(100.0, 80.0)) for tile in asked]
    assert distances == sorted(distances)


def test_a_tile_that_the_outline_left_is_not_asked():
    _, spread = spread_over(12)
    outlined = Tile(0, 5, 5)
    spread.take(outlined, np.where(np.arange(64)[:, None] < 30, 4.0, -4.0).repeat(64, 1).astype(np.float32))
    assert spread.waiting
    before = set(spread.waiting)
    spread.take(outlined, np.full((64, 64), -4.0, np.float32))
    assert spread.waiting < before
    assert spread.waiting == spread.outlined - spread.done


def test_each_of_thousands_of_tiles_is_looked_at_once_to_choose_among_them():
    """With a search through all that wait it grew with their square: 20 s for 4,000 tiles."""
    grid, spread = spread_over(96)
    spread.want(every_tile(grid))
    assert len(spread.waiting) > 8000
    looked_at = []
    spread.grid = SimpleNamespace(distance=lambda tile, start: (looked_at.append(tile), grid.distance(tile, start))[1])
    spread.ask = lambda tile, decide, former: (spread._finish(tile), False)[1]
    list(run(spread, XY(0.0, 0.0), lambda tile, before: None, lambda tile: None))
    assert spread.done == every_tile(grid)
    assert len(looked_at) == len(spread.done)
