"""Tiles on disk: what is kept is found again, what is damaged is not, and nothing that goes wrong stops the work."""

import multiprocessing
import os
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
import zarr
from affine import Affine

from rasterlasso.contract.errors import CacheUnwritable
from rasterlasso.contract.prompts import Point, Prompts
from rasterlasso.engine.rasters.fingerprint import SAMPLE_BYTES, SAMPLES
from rasterlasso.engine.segmenting.session import Segmenter
from rasterlasso.engine.tiles import disk_store as tile_store
from rasterlasso.engine.tiles.disk_store import TileStore
from rasterlasso.engine.tiles.grid import Tile
from rasterlasso.engine.tiles.packing import StoredTile, pack
from rasterlasso.models.builtin.model import BuiltinModel
from rasterlasso.models.sam.model import SamModel

UTM = Affine(2, 0, 500_000, 0, -2, 4_500_000)
CLICK = Prompts((Point(500_240, 4_499_720),))


def stored(seed=0, side=40):
    rng = np.random.default_rng(seed)
    return StoredTile({"a": rng.normal(0, 3, (4, side, side)).astype(np.float32)}, rng.random((7, 9)) > 0.3)


def put(store, group, tile, value):
    store.put(group, tile, pack(value))
    store.close()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "tiles"


def test_a_tile_is_found_by_another_engine_and_in_its_group_only(folder):
    put(TileStore(folder, 10**9), "g", Tile(-1, 2, 3), stored())
    other = TileStore(folder, 10**9)
    found = other.get("g", Tile(-1, 2, 3))
    assert found is not None
    assert (found.valid == stored().valid).all()
    assert np.abs(found.features["a"] - stored().features["a"]).max() < 0.1
    assert other.get("h", Tile(-1, 2, 3)) is None
    assert other.get("g", Tile(-1, 3, 2)) is None


@pytest.mark.parametrize("text", ["[1, 2]", '{"a": "b"}', "[" * 5000, "7"])
def test_an_odd_record_of_files_is_taken_for_none(folder, image, text):
    first = Segmenter(store=TileStore(folder, 10**9))
    encodes(first, image)
    first.close()
    [record] = folder.glob("*/files.json")
    record.write_text(text)
    second = Segmenter(store=TileStore(folder, 10**9))
    assert encodes(second, image)[0] == 0
    second.close()
    assert str(image) in record.read_text()


def test_a_group_that_another_engine_empties_while_a_tile_is_written_is_made_again(folder, monkeypatch):
    write, times = tile_store._write, []

    def emptied_once(place, packed):
        times.append(place)
        if len(times) == 1:
            shutil.rmtree(place.parent, ignore_errors=True)
            raise FileNotFoundError(place)
        return write(place, packed)

    monkeypatch.setattr(tile_store, "_write", emptied_once)
    told = []
    store = TileStore(folder, 10**9, told.append)
    store.put("g", Tile(0, 0, 0), pack(stored()))
    store.close()
    assert not told
    assert TileStore(folder, 10**9).get("g", Tile(0, 0, 0)) is not None


def _write_in_no_room(folder, start):
    told = []
    store = TileStore(folder, 20_000, told.append)
    for row in range(start, start + 40):
        store.put("g", Tile(0, row, 0), pack(stored(row)))
    store.close()
    raise SystemExit(len(told))


def test_engines_that_make_room_at_once_do_not_blame_the_disk(folder):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_in_no_room, args=(folder, start)) for start in (0, 20, 40)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0


@pytest.mark.parametrize("kind", ["a file", "full"])
def test_where_nothing_can_be_kept_the_user_is_told_once(folder, monkeypatch, kind):
    if kind == "a file":
        folder.write_text("in the way")
    else:
        monkeypatch.setattr(tile_store, "_write", lambda *args: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    told = []
    store = TileStore(folder, 10**9, told.append)
    for row in range(5):
        store.put("g", Tile(0, row, 0), pack(stored()))
    store.close()
    [error] = told
    assert isinstance(error, CacheUnwritable)
    assert str(folder) in str(error)


def test_the_least_recently_used_tiles_make_room(folder):
    store = TileStore(folder, 10**9)
    for row in range(6):
        store._put("g", Tile(0, row, 0), pack(stored(row)))
        os.utime(folder / "g" / f"0_{row}_0", (1000 + row, 1000 + row))
    one = tile_store._size(folder / "g" / "0_0_0")
    assert store.get("g", Tile(0, 0, 0)) is not None
    small = TileStore(folder, 3 * one)
    small._put("g", Tile(0, 9, 0), pack(stored(9)))
    left = {place.name for place in (folder / "g").glob("0_*")}
    assert {"0_0_0", "0_9_0"} <= left
    assert "0_1_0" not in left
    assert len(left) <= 4


def test_the_folder_is_looked_through_only_where_it_may_be_full(folder, monkeypatch):
    looks = []
    size = tile_store._size
    monkeypatch.setattr(tile_store, "_size", lambda place: (looks.append(place.name), size(place))[1])
    store = TileStore(folder, 10**9)
    for row in range(40):
        store._put("g", Tile(0, row, 0), pack(stored(row)))
    of_others = [name for name in looks if not name.endswith(".part")]
    assert of_others == [], "what it wrote itself it knows"
    monkeypatch.setattr(tile_store, "COUNT_EVERY", 8)
    for row in range(40, 50):
        store._put("g", Tile(0, row, 0), pack(stored(row)))
    assert len([name for name in looks if not name.endswith(".part")]) >= 40, "others may have written meanwhile"


def test_what_others_wrote_is_seen_before_the_limit_is_passed_for_long(folder, monkeypatch):
    monkeypatch.setattr(tile_store, "COUNT_EVERY", 4)
    one = TileStore(folder, 10**9)
    one._put("g", Tile(0, 0, 0), pack(stored(0)))
    size = tile_store._size(folder / "g" / "0_0_0")
    mine, other = TileStore(folder, 10 * size), TileStore(folder, 10**9)
    for row in range(1, 30):
        other._put("g", Tile(0, row, 0), pack(stored(row)))
        mine._put("g", Tile(1, row, 0), pack(stored(row)))
    assert len(list((folder / "g").glob("*_*_*"))) <= 10 + 2 * 4


def _write_many(folder, start, count):
    store = TileStore(folder, 10**9)
    for row in range(start, start + count):
        store.put("g", Tile(0, row, 0), pack(stored(row)))
    store.close()


def test_several_engines_write_and_read_at_once(folder):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(folder, start, 12)) for start in (0, 4, 8)]
    for writer in writers:
        writer.start()
    reader = TileStore(folder, 10**9)
    seen = 0
    while any(writer.is_alive() for writer in writers):
        for row in range(20):
            found = reader.get("g", Tile(0, row, 0))
            if found is not None:
                seen += 1
                assert np.abs(found.features["a"] - stored(row).features["a"]).max() < 0.1
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert all(reader.get("g", Tile(0, row, 0)) is not None for row in range(20))
    assert not list(folder.glob("g/*.part"))
    assert seen


def test_a_group_that_another_engine_makes_meanwhile_loses_no_tile(folder, monkeypatch):
    make = zarr.create_group

    def slower(path, **options):
        make(path, **options)  # the other engine's
        return make(path, **options)

    monkeypatch.setattr(zarr, "create_group", slower)
    store = TileStore(folder, 10**9)
    store.put("g", Tile(0, 0, 0), pack(stored(0)))
    store.close()
    assert TileStore(folder, 10**9).get("g", Tile(0, 0, 0)) is not None


def encodes(made, path, **options):
    stages = []
    polygon = made.segment(str(path), CLICK, checkpoint=lambda stage, fraction: stages.append(stage), **options).polygon
    return stages.count("encode"), polygon


@pytest.fixture
def image(make_raster, field_image):
    return make_raster(field_image)


def test_a_new_engine_finds_the_tiles_of_the_last_one(folder, image):
    first = Segmenter(store=TileStore(folder, 10**9))
    count, polygon = encodes(first, image)
    first.close()
    second = Segmenter(store=TileStore(folder, 10**9))
    again, same = encodes(second, image)
    assert (count, again) == (1, 0)
    assert same.equals_exact(polygon), "a click has one answer, from memory and from disk"
    second.close()


def test_a_copy_of_raster_and_cache_is_used_elsewhere(folder, image, tmp_path):
    first = Segmenter(store=TileStore(folder, 10**9))
    encodes(first, image)
    first.close()
    other = tmp_path / "elsewhere"
    other.mkdir()
    shutil.copyfile(image, other / "renamed.tif")
    shutil.copytree(folder, other / "tiles")
    second = Segmenter(store=TileStore(other / "tiles", 10**9))
    assert encodes(second, other / "renamed.tif")[0] == 0
    second.close()


def test_a_raster_changed_in_place_is_encoded_again(folder, image):
    first = Segmenter(store=TileStore(folder, 10**9))
    encodes(first, image)
    first.close()
    status = image.stat()
    os.utime(image, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))
    second = Segmenter(store=TileStore(folder, 10**9))
    assert encodes(second, image)[0] == 1
    second.close()


def test_what_a_killed_engine_left_half_written_goes(folder):
    left = folder / "g" / "0123.part"
    left.mkdir(parents=True)
    os.utime(left, (1000, 1000))
    put(TileStore(folder, 10**9), "g", Tile(0, 0, 0), stored())
    assert not left.exists()


def test_radiometry_tile_size_and_model_have_tiles_of_their_own(folder, image, monkeypatch):
    def groups():
        return len(list(folder.iterdir()))

    first = Segmenter(store=TileStore(folder, 10**9))
    encodes(first, image)
    first.close()
    small = Segmenter(store=TileStore(folder, 10**9), tile_px=256)
    encodes(small, image)
    small.close()
    assert groups() == 2
    monkeypatch.setattr(BuiltinModel, "encoding", "1 bfloat16")
    newer = Segmenter(store=TileStore(folder, 10**9))
    assert encodes(newer, image)[0] == 1
    newer.close()
    assert groups() == 3


@pytest.mark.parametrize("kind", ["sam", "sam_hq", "sam2"])
def test_kept_embeddings_of_sams_answer_alike_in_a_quarter_of_the_bytes(folder, sam_folder, kind):
    from rasterlasso.models.base import PixelPrompts

    model = SamModel(kind, sam_folder(kind))
    image = np.random.default_rng(2).integers(0, 255, (200, 260, 3)).astype(np.uint8)
    embedding = model.encode(image, np.ones((200, 260), np.bool_))
    features = embedding.features()
    put(TileStore(folder, 10**9), "g", Tile(0, 0, 0), StoredTile(features, embedding.valid))
    found = TileStore(folder, 10**9).get("g", Tile(0, 0, 0))
    again = model.restored(found.features, found.valid)
    prompts = PixelPrompts(np.array([[100.0, 100.0]]), np.ones(1, np.bool_))
    before, after = (model.decode(each, prompts)[0].logits for each in (embedding, again))
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.99
    assert tile_store._size(folder / "g" / "0_0_0") <= sum(each.nbytes for each in features.values()) / 4 + 4096


def test_no_thread_is_left(folder):
    before = threading.active_count()
    put(TileStore(folder, 10**9), "g", Tile(0, 0, 0), stored())
    assert not [t for t in threading.enumerate() if t.name.startswith("tiles")]
    assert threading.active_count() <= before + 2  # zarr keeps a loop of its own


@pytest.mark.parametrize("kind", ["GPKG", "GTIFF_DIR"])
def test_parts_of_one_file_do_not_share_tiles(folder, tmp_path, field_image, kind):
    path = tmp_path / ("rasters.gpkg" if kind == "GPKG" else "pages.tif")
    options = {"count": 3, "height": 300, "width": 400, "dtype": "uint8", "crs": "EPSG:32613", "transform": UTM}
    for name, image in (("a", field_image), ("b", field_image[:, ::-1])):
        own = {"RASTER_TABLE": name, "TILE_FORMAT": "PNG"} if kind == "GPKG" else {}
        own["APPEND_SUBDATASET"] = "NO" if name == "a" else "YES"
        with rasterio.open(path, "w", driver="GPKG" if kind == "GPKG" else "GTiff", **options, **own) as dataset:
            dataset.write(image)
    parts = [f"GPKG:{path}:a", f"GPKG:{path}:b"] if kind == "GPKG" else [f"GTIFF_DIR:{page}:{path}" for page in (1, 2)]
    contents = [Segmenter(store=TileStore(folder, 10**9)).scene(part).content for part in parts]
    assert None not in contents
    assert contents[0] != contents[1]
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    shutil.copy(path, moved)
    there = parts[0].replace(str(path), str(moved / path.name))
    assert Segmenter(store=TileStore(folder, 10**9)).scene(there).content == contents[0]


def test_a_raster_that_changes_where_nobody_samples_is_encoded_again_in_the_same_session(folder, tmp_path):
    path = tmp_path / "large.tif"
    options = {"count": 3, "height": 1000, "width": 1000, "dtype": "uint8", "crs": "EPSG:32613", "transform": UTM}
    with rasterio.open(path, "w", driver="GTiff", **options) as dataset:
        dataset.write(np.full((3, 1000, 1000), 90, np.uint8))
    segmenter = Segmenter(store=TileStore(folder, 10**9))
    before = segmenter.scene(str(path)).content
    assert list(segmenter.encode(str(path), levels=[0]))
    first = written_at(folder)
    size = path.stat().st_size
    unseen = next(o for o in range(size // 2, size) if all(not s <= o < s + SAMPLE_BYTES for s in sampled(size)))
    with path.open("r+b") as file:
        file.seek(unseen)
        file.write(bytes([200]))
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))
    assert segmenter.scene(str(path)).content == before
    assert list(segmenter.encode(str(path), levels=[0]))
    segmenter.close()
    assert written_at(folder) > first


def written_at(folder):
    """When the one tile was written, once it is."""
    for _ in range(200):
        if found := list(folder.glob("*/0_0_0/zarr.json")):
            return found[0].stat().st_mtime_ns
        time.sleep(0.05)
    raise AssertionError("no tile was written")


def sampled(size):
    """Where the fingerprint's pieces begin."""
    return range(0, size, max(SAMPLE_BYTES, (size - SAMPLE_BYTES) // (SAMPLES - 1)))


def test_what_another_engine_moves_away_meanwhile_is_no_failure(folder, monkeypatch):
    told = []
    store = TileStore(folder, 10**9, told.append)
    put(store, "g", Tile(0, 0, 0), stored())
    gone = [folder / "g" / "0_9_9", folder / "g" / "gone.part"]
    glob = Path.glob
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [*glob(self, pattern), gone["part" in pattern]])
    other = TileStore(folder, 10**9, told.append)
    put(other, "g", Tile(0, 1, 0), stored())
    assert not told
    assert other.has("g", Tile(0, 1, 0))
