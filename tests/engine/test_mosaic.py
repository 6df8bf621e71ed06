import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasterlasso.engine.spreading.mosaic import Mosaic, OneTile, Unknown
from rasterlasso.engine.tiles.grid import PixelBox, Tile, TileGrid

GRIDS = st.builds(TileGrid, st.integers(1, 700), st.integers(1, 700), st.sampled_from([64, 128]))


def tiles(grid, level):
    rows, cols = grid.shape(level)
    return [Tile(level, row, col) for row in range(rows) for col in range(cols)]


@given(GRIDS, st.integers(-1, 3))
def test_cores_cover_a_level_and_none_overlaps(grid, level):
    level = grid.clamp_level(level)
    count = np.zeros(grid.frame(level).shape, int)
    for tile in tiles(grid, level):
        core = grid.core(tile)
        assert not core.is_empty
        assert core & grid.box(tile) == core
        count[core.within(grid.frame(level))] += 1
    assert (count == 1).all()


@given(GRIDS, st.integers(0, 2), st.data())
def test_tiles_near_a_box_are_those_whose_cores_it_touches(grid, level, data):
    level = grid.clamp_level(level)
    rows, cols = grid.frame(level).shape
    top, left = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, cols - 1))
    box = PixelBox(top, left, data.draw(st.integers(top + 1, rows)), data.draw(st.integers(left + 1, cols)))
    touched = [tile for tile in tiles(grid, level) if not (grid.core(tile) & box).is_empty]
    assert grid.tiles_near(level, box) == touched


@given(st.randoms(use_true_random=False))
def test_the_order_of_answers_does_not_matter_and_equal_answers_leave_no_border(random):
    grid = TileGrid(700, 500, 128)
    names = tiles(grid, 0)
    random.shuffle(names)
    mosaic = Mosaic(grid, Unknown(1))
    rows, cols = np.mgrid[:500, :700]
    field = ((cols - 350) / 100 + np.sin(rows / 40)).astype(np.float32)
    for tile in names:
        mosaic.answer(tile, field[grid.box(tile).within(grid.frame(0))])
    assert np.abs(mosaic.read(grid.frame(0)) - field).max() < 0.05


def test_without_answers_the_coarser_level_shows_smoothly():
    grid = TileGrid(400, 300, 128)
    rows, cols = np.mgrid[: grid.frame(2).bottom, : grid.frame(2).right]
    coarse = OneTile(grid, Tile(2, 0, 0), ((cols - rows) / 10).astype(np.float32))
    fine = Mosaic(grid, coarse).read(PixelBox(20, 20, 60, 80))
    rows, cols = np.mgrid[20:60, 20:80] + 0.5
    assert fine == pytest.approx((cols - rows) / 20, abs=0.01)


def test_beyond_the_raster_the_nearest_pixel_is_repeated():
    grid = TileGrid(100, 100, 128)
    field = OneTile(grid, Tile(0, 0, 0), np.full((100, 100), 3.0, np.float32))
    assert (field.read(PixelBox(-5, -5, 105, 105)) == 3).all()
