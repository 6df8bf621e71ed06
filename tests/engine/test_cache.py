from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rasterlasso.engine.tiles.grid import Tile
from rasterlasso.engine.tiles.memory_cache import EncodedTile, TileCache, TileKey


@dataclass
class Bytes:
    nbytes: int


def key(number):
    return TileKey("raster", "radiometry", "model", Tile(0, 0, number))


def tile(nbytes):
    return EncodedTile(Bytes(nbytes), np.zeros(0, np.bool_))


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 60))))
def test_the_budget_holds_and_the_newest_is_there(puts):
    cache = TileCache(100)
    for number, nbytes in puts:
        cache.put(key(number), tile(nbytes))
        assert cache.nbytes <= 100
        assert cache.get(key(number)).nbytes == nbytes


def test_the_least_recently_used_goes_first():
    cache = TileCache(100)
    for number in range(3):
        cache.put(key(number), tile(33))
    cache.get(key(0))
    cache.put(key(3), tile(33))
    assert [cache.get(key(number)) is not None for number in range(4)] == [True, False, True, True]


def test_a_tile_over_the_budget_is_kept_alone():
    cache = TileCache(10)
    cache.put(key(0), tile(5))
    cache.put(key(1), tile(500))
    assert len(cache) == 1
    assert cache.get(key(1)) is not None
