"""What every store of encoded tiles fulfils, in memory and on disk."""

import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rasterlasso.engine.tiles.disk_store import TileStore
from rasterlasso.engine.tiles.grid import Tile
from rasterlasso.engine.tiles.memory_cache import EncodedTile, TileCache, TileKey
from rasterlasso.engine.tiles.packing import StoredTile, pack, unpack
from rasterlasso.models.base import FloatArray

UNIT = 20_000
"""Bytes of a tile of size 1, roughly."""


class Features:
    """An embedding that is nothing but its features."""

    def __init__(self, features: FloatArray) -> None:
        self.features = features
        self.nbytes = features.nbytes


class Store(ABC):
    """One of them, with room for so many tiles of size 1."""

    @abstractmethod
    def __init__(self, room: float) -> None: ...

    @abstractmethod
    def put(self, raster: str, number: int, values: FloatArray) -> None:
        """Keep a tile."""

    @abstractmethod
    def get(self, raster: str, number: int) -> FloatArray | None:
        """What was kept."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Taken by all tiles."""


class InMemory(Store):
    def __init__(self, room: float) -> None:
        self._cache = TileCache(int(room * UNIT))

    def put(self, raster: str, number: int, values: FloatArray) -> None:
        self._cache.put(self._key(raster, number), EncodedTile(Features(values), np.zeros(0, np.bool_)))

    def get(self, raster: str, number: int) -> FloatArray | None:
        found = self._cache.get(self._key(raster, number))
        return None if found is None else found.embedding.features

    @property
    def nbytes(self) -> int:
        return self._cache.nbytes

    @staticmethod
    def _key(raster: str, number: int) -> TileKey:
        return TileKey(raster, "radiometry", "model", Tile(0, 0, number))


class OnDisk(Store):
    def __init__(self, room: float) -> None:
        self._temporary = tempfile.TemporaryDirectory()
        self._folder = Path(self._temporary.name)
        self._limit = int(room * UNIT)

    def put(self, raster: str, number: int, values: FloatArray) -> None:
        store = TileStore(self._folder, self._limit)
        store.put(raster, Tile(0, 0, number), pack(StoredTile({"a": values}, np.ones((1, 1), np.bool_))))
        store.close()
        time.sleep(0.002)  # times of change tell which is older

    def get(self, raster: str, number: int) -> FloatArray | None:
        found = TileStore(self._folder, self._limit).get(raster, Tile(0, 0, number))
        time.sleep(0.002)
        return None if found is None else found.features["a"]

    @property
    def nbytes(self) -> int:
        return sum(each.stat().st_size for each in self._folder.glob("*/0_*/**/*") if each.is_file())

    def close(self) -> None:
        self._temporary.cleanup()


@contextmanager
def opened(kind: type[Store], room: float) -> Iterator[Store]:
    store = kind(room)
    try:
        yield store
    finally:
        if isinstance(store, OnDisk):
            store.close()


def tile_of(kind: type[Store], number: int, size: float = 1.0) -> FloatArray:
    """Noise that no compression makes smaller; a value takes a byte on disk and four in memory."""
    values = int(size * UNIT / (4 if kind is InMemory else 1))
    drawn = np.random.default_rng(number).normal(0, 1, (1, 1, values)).astype(np.float32)
    return unpack(pack(StoredTile({"a": drawn}, np.ones((1, 1), np.bool_)))).features["a"]  # as it comes back from disk


KINDS = pytest.mark.parametrize("kind", [InMemory, OnDisk])


@KINDS
def test_what_was_put_is_found_again_and_nothing_else(kind: type[Store]) -> None:
    with opened(kind, room=10) as store:
        for number in range(3):
            store.put("one", number, tile_of(kind, number))
        for number in range(3):
            found = store.get("one", number)
            assert found is not None
            np.testing.assert_allclose(found, tile_of(kind, number), atol=0.02)
        assert store.get("one", 3) is None
        assert store.get("another", 0) is None


@KINDS
def test_the_least_recently_used_makes_room(kind: type[Store]) -> None:
    with opened(kind, room=3.4) as store:
        for number in range(3):
            store.put("one", number, tile_of(kind, number))
        assert store.get("one", 0) is not None
        for number in (3, 4):
            store.put("one", number, tile_of(kind, number))
        assert store.get("one", 0) is not None
        assert store.get("one", 1) is None
        assert store.get("one", 4) is not None


@KINDS
def test_the_newest_is_kept_where_it_alone_passes_the_limit(kind: type[Store]) -> None:
    with opened(kind, room=1) as store:
        store.put("one", 0, tile_of(kind, 0, 0.5))
        store.put("one", 1, tile_of(kind, 1, 5))
        assert store.get("one", 1) is not None


@KINDS
@settings(deadline=None, max_examples=12)
@given(puts=st.lists(st.tuples(st.integers(0, 8), st.floats(0.1, 3)), max_size=8, unique_by=lambda put: put[0]))
def test_the_limit_holds_and_the_newest_is_there(kind: type[Store], puts: list[tuple[int, float]]) -> None:
    with opened(kind, room=4) as store:
        for number, size in puts:
            store.put("one", number, tile_of(kind, number, size))
            assert store.get("one", number) is not None
            assert store.nbytes <= (4 + size + 0.5) * UNIT  # the disk makes room before it writes
