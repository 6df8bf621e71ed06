"""Tiles on disk that something has damaged: dropped, never taken for others."""

import shutil

import pytest

from rasterlasso.engine.tiles.disk_store import TileStore
from rasterlasso.engine.tiles.grid import Tile
from rasterlasso.engine.tiles.packing import pack, unpack
from rasterlasso.tests.engine.test_tile_store import put, stored


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "tiles"


@pytest.mark.parametrize("damage", ["bit", "cut", "missing chunk", "metadata", "foreign"])
def test_a_damaged_tile_is_dropped_with_one_line(folder, caplog, damage):
    put(TileStore(folder, 10**9), "g", Tile(0, 0, 0), stored())
    place = folder / "g" / "0_0_0"
    chunk = place / "c" / "0"
    if damage == "bit":
        data = bytearray(chunk.read_bytes())
        data[len(data) // 2] ^= 4
        chunk.write_bytes(data)
    elif damage == "cut":
        chunk.write_bytes(chunk.read_bytes()[:50])
    elif damage == "missing chunk":
        chunk.unlink()
    else:
        (place / "zarr.json").write_text("{" if damage == "metadata" else '{"zarr_format": 3, "node_type": "group"}')
    store = TileStore(folder, 10**9)
    assert store.get("g", Tile(0, 0, 0)) is None
    assert len(caplog.records) == 1
    put(store, "g", Tile(0, 0, 0), stored())
    assert TileStore(folder, 10**9).get("g", Tile(0, 0, 0)) is not None


def test_no_flipped_bit_of_the_metadata_gives_other_features(folder):
    put(TileStore(folder, 10**9), "g", Tile(0, 0, 0), stored())
    place, kept = folder / "g" / "0_0_0", folder / "kept"
    shutil.copytree(place, kept)
    good = (kept / "zarr.json").read_bytes()
    whole = unpack(pack(stored()))
    for bit in range(0, 8 * len(good), 11):
        shutil.copytree(kept, place, dirs_exist_ok=True)
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        (place / "zarr.json").write_bytes(flipped)
        found = TileStore(folder, 10**9).get("g", Tile(0, 0, 0))
        assert found is None or (found.features["a"] == whole.features["a"]).all(), flipped
