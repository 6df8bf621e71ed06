from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasterlasso.engine.tiles.grid import MIN_LEVEL, Tile, TileGrid

sizes = st.integers(1, 20_000)
levels = st.integers(MIN_LEVEL, 6)


@st.composite
def grids_with_places(draw):
    grid = TileGrid(draw(sizes), draw(sizes), draw(st.sampled_from([64, 256, 1024])))
    level = draw(levels)
    x = draw(st.floats(0, 1)) * grid.width_px
    y = draw(st.floats(0, 1)) * grid.height_px
    return grid, level, x, y


@given(grids_with_places())
def test_every_place_is_inside_its_tile(case):
    grid, level, x, y = case
    assert grid.window(grid.tile_at(level, x, y)).contains(x, y)


@given(grids_with_places())
def test_no_place_is_nearer_than_a_quarter_tile_to_an_edge_that_is_not_the_rasters(case):
    grid, level, x, y = case
    window = grid.window(grid.tile_at(level, x, y))
    quarter = grid.tile_px * 2.0**level / 4
    tolerance = 1e-9 * max(grid.width_px, grid.height_px)
    assert window.x0 == 0 or x - window.x0 >= quarter - tolerance
    assert window.y0 == 0 or y - window.y0 >= quarter - tolerance
    assert window.x1 == grid.width_px or window.x1 - x >= quarter - tolerance
    assert window.y1 == grid.height_px or window.y1 - y >= quarter - tolerance


@given(sizes, sizes, levels)
def test_tiles_cover_every_pixel_and_none_is_beyond_the_raster(width, height, level):
    grid = TileGrid(width, height, 1024)
    rows, cols = grid.shape(level)
    windows = [grid.window(Tile(level, 0, col)) for col in range(cols)]
    assert windows[0].x0 == 0
    assert windows[-1].x1 == width
    assert all(left.x1 > right.x0 for left, right in pairwise(windows))
    assert all(window.x0 < window.x1 <= width and 1 <= window.width_px <= 1024 for window in windows)
    assert grid.window(Tile(level, rows - 1, 0)).y1 == height


@given(grids_with_places())
def test_the_same_place_and_level_give_the_same_tile_whatever_the_raster_holds_beyond(case):
    grid, level, x, y = case
    larger = TileGrid(grid.width_px + 5000, grid.height_px + 5000, grid.tile_px)
    step = grid.tile_px * 2.0**level / 2
    if x < grid.width_px - 2 * step and y < grid.height_px - 2 * step:
        assert grid.tile_at(level, x, y) == larger.tile_at(level, x, y)


@given(grids_with_places())
def test_tile_coordinates_agree_with_the_window(case):
    grid, level, x, y = case
    window = grid.window(grid.tile_at(level, x, y))
    tile_x, tile_y = window.to_tile(x, y)
    scale_x, scale_y = window.scale_xy
    assert window.x0 + tile_x * scale_x == pytest.approx(x)
    assert window.y0 + tile_y * scale_y == pytest.approx(y)
    assert 2.0**level * (1 - 1 / window.width_px) < scale_x <= 2.0**level  # the frame cuts less than one pixel


@given(sizes, sizes)
def test_one_tile_holds_the_raster_at_the_coarsest_level(width, height):
    grid = TileGrid(width, height)
    assert grid.shape(grid.max_level) == (1, 1)
    assert grid.max_level == 0 or grid.shape(grid.max_level - 1) != (1, 1)
    assert [grid.clamp_level(level) for level in (-99, 99)] == [MIN_LEVEL, grid.max_level]


def test_half_overlap_on_a_known_raster():
    grid = TileGrid(3000, 1000)
    assert grid.shape(0) == (1, 5)
    assert grid.shape(1) == (1, 2)
    assert [grid.window(Tile(0, 0, col)).x0 for col in range(5)] == [0, 512, 1024, 1536, 2048]
    assert grid.tile_at(0, 1100, 500) == Tile(0, 0, 1)


@pytest.mark.parametrize("bad", [(0, 10, 1024), (10, -1, 1024), (10, 10, 1023), (10, 10, 0)])
def test_impossible_grids_are_refused(bad):
    with pytest.raises(ValueError, match="no grid"):
        TileGrid(*bad)
