"""Tiles encoded before any click, for the disk."""

import numpy as np
import pytest
import torch

from rasterlasso.engine import cli
from rasterlasso.engine.segmenting.session import Segmenter
from rasterlasso.engine.tiles.disk_store import TileStore
from rasterlasso.engine.tiles.grid import Tile
from rasterlasso.models.devices import Hardware
from rasterlasso.models.library import weights
from rasterlasso.models.sam import model as sam


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "tiles"


def test_encode_fills_the_folder_and_goes_on_where_it_stopped(folder, make_raster, monkeypatch, capsys):
    image = make_raster(np.random.default_rng(1).integers(0, 255, (3, 700, 1500)).astype(np.uint8))
    monkeypatch.setenv("RASTERLASSO_CACHE", str(folder))
    made = Segmenter(store=TileStore(folder, 10**9))
    steps = made.encode(str(image), levels=[0, 1])
    total = next(steps)[1]
    made.close()
    assert total == 3
    written = {place for place in folder.glob("*/*_*_*")}
    assert len(written) == 1
    times = {place: (place / "zarr.json").stat().st_mtime_ns for place in written}
    assert cli.main(["encode", str(image), "--levels", "0,1"]) == 0
    assert "3 tiles" in capsys.readouterr().out
    assert len(list(folder.glob("*/*_*_*"))) == 3
    assert all((place / "zarr.json").stat().st_mtime_ns == time for place, time in times.items())
    assert cli.main(["encode", str(image), "--area", "0,0,10,10"]) == 2


def test_tiles_encoded_several_together_are_kept_as_others(folder, store, sam_folder, make_raster, monkeypatch):
    weights.add(sam_folder("sam2"), "mine")
    image = str(make_raster(np.random.default_rng(1).integers(0, 255, (3, 300, 500)).astype(np.uint8)))
    kept = {}
    for batch in (1, 2):
        monkeypatch.setattr(sam, "best_hardware", lambda batch=batch: Hardware(torch.device("cpu"), batch=batch))
        made = Segmenter(store=TileStore(folder / str(batch), 10**9), tile_px=256)
        half = list(made.encode(image, model="mine", levels=[1]))
        steps = list(made.encode(image, model="mine", levels=[0, 1]))
        made.close()
        assert all(total == steps[-1][0] for _, total in steps)
        assert [done for done, _ in steps] == sorted({done for done, _ in steps})
        assert len(half) < len(steps)
        [group] = folder.glob(f"{batch}/*")
        tiles = [Tile(*map(int, place.name.split("_"))) for place in group.glob("*_*_*")]
        assert len(tiles) == steps[-1][1]
        kept[batch] = {tile: TileStore(group.parent, 10**9).get(group.name, tile) for tile in tiles}
    assert kept[1].keys() == kept[2].keys()
    for tile, alone in kept[1].items():
        assert np.array_equal(alone.valid, kept[2][tile].valid)
        for ours, theirs in zip(alone.features.values(), kept[2][tile].features.values(), strict=True):
            assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.999


def test_nothing_is_encoded_ahead_where_nothing_is_kept(make_raster, field_image, monkeypatch, capsys):
    monkeypatch.setenv("RASTERLASSO_CACHE", "off")
    assert cli.main(["encode", str(make_raster(field_image))]) == 2
    assert "RASTERLASSO_CACHE" in capsys.readouterr().err
