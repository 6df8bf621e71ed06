"""Runs over a whole raster: what they write as they go, and how they go on after they were stopped or killed."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given
from hypothesis import strategies as st

from rasterlasso.contract.looks import PRESETS
from rasterlasso.contract.prompts import Point
from rasterlasso.contract.proposals import EverythingParams
from rasterlasso.engine import cli
from rasterlasso.engine.files import streaming
from rasterlasso.engine.files.export import Record
from rasterlasso.engine.files.streaming import write_as_they_come
from rasterlasso.engine.proposing.proposals import Found
from rasterlasso.engine.proposing.run_log import FINISHED_KEPT_S, KEPT_S, RunLog
from rasterlasso.engine.proposing.tile_finds import TileFinds
from rasterlasso.engine.segmenting.session import Segmenter
from rasterlasso.engine.tasks.table import TASKS
from rasterlasso.engine.tiles.disk_store import TileStore
from rasterlasso.engine.tiles.grid import Tile

LAUNCHER = Path(__file__).resolve().parents[2] / "engine" / "launch.py"

SIDE = 120
TILE_PX = 256


@pytest.fixture
def image(make_raster):
    picture = 70 + np.random.default_rng(3).integers(0, 14, (3, 300, 360))
    for left, top in [(20, 15), (200, 20), (110, 160)]:
        picture[:, top : top + SIDE, left : left + SIDE] += 110
    return str(make_raster(picture.astype(np.uint8)))


@pytest.fixture
def engine(tmp_path):
    made = Segmenter(tile_px=TILE_PX, store=TileStore(tmp_path / "cache", 1 << 30))
    yield made
    made.close()


class Stopped(Exception):
    """Somebody wants no more of it."""


class Watch:
    """A checkpoint that counts the tiles that were searched, and stops before one of them."""

    def __init__(self, stop_before=None):
        self.searched = 0
        self._stop_before = stop_before
        self._is_next = False

    def __call__(self, stage, fraction):
        if stage == "search":
            self._is_next = True
        elif stage == "decode" and self._is_next:
            if self.searched == self._stop_before:
                raise Stopped
            self.searched += 1
            self._is_next = False


def everything(engine, params, watch=None):
    return [each.to_wire() for each in TASKS["segment_everything"].run(engine, params, watch or Watch())]


def without_times(found):
    return [{**each, "found": {**each["found"], "seconds": 0}} for each in found]


def test_a_run_that_was_stopped_goes_on_where_it_was(engine, image):
    params, whole = EverythingParams(image, side_px=SIDE), Watch()
    plain = Segmenter(tile_px=TILE_PX)
    expected = without_times(everything(plain, params, whole))
    plain.close()
    assert expected
    with pytest.raises(Stopped):
        everything(engine, params, Watch(stop_before=3))
    rest = Watch()
    assert without_times(everything(engine, params, rest)) == expected
    assert rest.searched == whole.searched - 3


def test_another_outline_or_score_asks_no_tile_again_and_another_size_does(engine, image):
    first = everything(engine, EverythingParams(image, side_px=SIDE))
    again = Watch()
    drawn = everything(engine, EverythingParams(image, side_px=SIDE, finish=PRESETS["building"], least_score=0.5), again)
    assert again.searched == 0
    assert 0 < len(drawn) <= len(first)
    other = Watch()
    everything(engine, EverythingParams(image, side_px=SIDE * 2), other)
    assert other.searched > 0


@pytest.mark.parametrize("kept_share", [0.1, 0.95])
def test_a_log_that_a_crash_cut_off_costs_its_last_tile(engine, image, tmp_path, kept_share):
    params, whole = EverythingParams(image, side_px=SIDE), Watch()
    expected = without_times(everything(engine, params, whole))
    [path] = (tmp_path / "cache" / "runs").iterdir()
    *whole_lines, last, _ = path.read_bytes().splitlines(keepends=True)  # the very last one says that the run has ended
    path.write_bytes(b"".join((*whole_lines, last[: int(kept_share * len(last))])))
    rest = Watch()
    assert without_times(everything(engine, params, rest)) == expected
    assert rest.searched == 1
    assert everything(engine, params, again := Watch())
    assert again.searched == 0


def test_a_changed_raster_is_searched_anew(engine, image, make_raster):
    params = EverythingParams(image, side_px=SIDE)
    assert everything(engine, params)
    make_raster(np.full((3, 300, 360), 90, np.uint8))
    again = Watch()
    everything(engine, params, again)
    assert again.searched > 0


def test_a_full_disk_stops_the_log_and_not_the_run(engine, image, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda number: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    assert everything(engine, EverythingParams(image, side_px=SIDE))


def test_old_logs_go(tmp_path):
    tile = TileFinds(Tile(0, 0, 0), ())
    ages = {"done": FINISHED_KEPT_S + 60, "new": 0, "stopped": FINISHED_KEPT_S + 60, "left": KEPT_S + 60}
    for name, age in ages.items():
        run_log = RunLog(tmp_path / f"{name}.run")
        run_log.put(tile)
        if name in ("done", "new"):
            run_log.finish()
        os.utime(tmp_path / f"{name}.run", (time.time() - age,) * 2)
    RunLog(tmp_path / "another.run")
    assert {path.stem for path in tmp_path.iterdir()} == {"new", "stopped"}


@given(
    st.lists(st.tuples(st.floats(0, 1), st.none() | st.integers(0, 3), st.lists(st.floats(-10, 10, width=32), max_size=4))),
    st.integers(-3, 9),
)
def test_what_a_tile_holds_comes_back_bit_for_bit(values, level):
    class Source:
        @staticmethod
        def to_pixel(xy):
            return xy / 2

    def found(score, choice, descriptor):
        polygon = shapely.box(score, 0, 7.1, 3.3)
        own = np.array(descriptor, np.float32)
        return Found(
            Tile(level, 4, 5), Point(score, 1.5), choice, polygon, shapely.transform(polygon, Source.to_pixel), score, 0.5, own
        )

    source: Any = Source
    finds = TileFinds(Tile(level, 4, 5), tuple(found(*each) for each in values))
    again = TileFinds.of(finds.to_text(), source)
    assert again.to_text() == finds.to_text()
    assert again.tile == finds.tile
    assert all(a.polygon_px.equals_exact(b.polygon_px) for a, b in zip(again.found, finds.found, strict=True))
    assert all((a.descriptor == b.descriptor).all() for a, b in zip(again.found, finds.found, strict=True))


def test_a_killed_command_goes_on_and_writes_what_an_undisturbed_one_does(make_raster, tmp_path):
    picture = 70 + np.random.default_rng(3).integers(0, 14, (3, 200, 1700))
    for left in range(50, 1600, 200):
        picture[:, 30:150, left : left + SIDE] += 110
    image = str(make_raster(picture.astype(np.uint8)))
    command = [sys.executable, "-I", str(LAUNCHER), "everything", image, "--size-px", str(SIDE), "-o"]
    cache = tmp_path / "kept"
    kept = {**os.environ, "RASTERLASSO_CACHE": str(cache)}
    undisturbed = subprocess.run([*command, str(tmp_path / "whole.gpkg")], capture_output=True, text=True, check=False)
    assert undisturbed.returncode == 0, undisturbed.stderr
    killed = subprocess.Popen([*command, str(tmp_path / "killed.gpkg")], env=kept, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not any(path.stat().st_size for path in (cache / "runs").glob("*.run")):
        assert killed.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < until
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "killed.gpkg").exists()
    subprocess.run([*command, str(tmp_path / "killed.gpkg")], env=kept, check=True, capture_output=True)
    whole, again = (geopandas.read_file(tmp_path / f"{name}.gpkg") for name in ("whole", "killed"))
    assert len(whole) > 0
    assert whole.geometry.equals(again.geometry)
    assert whole["likeness"].equals(again["likeness"])


def test_ctrl_c_writes_what_was_found_and_says_how_it_goes_on(image, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("RASTERLASSO_CACHE", str(tmp_path / "cache"))
    task = TASKS["segment_everything"]
    first = task.run

    def interrupted(*arguments):
        yield next(iter(first(*arguments)))
        raise KeyboardInterrupt

    monkeypatch.setattr(type(task), "run", property(lambda task: interrupted))
    out = tmp_path / "out.gpkg"
    assert cli.main(["everything", image, "--size-px", str(SIDE), "-o", str(out)]) == 130
    assert len(geopandas.read_file(out)) == 1
    assert "the same command goes on from there" in capsys.readouterr().err


def records(count):
    return [
        Record(
            shapely.box(number, 0, number + 1, 1), number / 10, "builtin", 0, 4.0, "a.tif", {"likeness": 0.5}, 2.0, "{}", None
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("suffix", [".gpkg", ".parquet", ".fgb", ".geojson", ".shp"])
@pytest.mark.parametrize("is_there", [False, True])
def test_batches_become_one_layer(tmp_path, monkeypatch, suffix, is_there):
    monkeypatch.setattr(streaming, "BATCH", 3)
    path = tmp_path / f"out{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if is_there:
            write_as_they_come(records(2), "EPSG:32613", path)
        assert write_as_they_come(iter(records(8)), "EPSG:32613", path) == 8
    read = geopandas.read_parquet(path) if suffix == ".parquet" else geopandas.read_file(path)
    by_score = read.sort_values("score")
    assert by_score["score"].tolist() == pytest.approx([number / 10 for number in range(8)])
    assert by_score.to_crs("EPSG:32613").geometry.area.tolist() == pytest.approx([1.0] * 8, rel=0.02)
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".")]


def test_other_layers_of_a_geopackage_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(streaming, "BATCH", 3)
    path = tmp_path / "out.gpkg"
    geopandas.GeoDataFrame({"name": ["theirs"]}, geometry=[shapely.Point(0, 0)], crs=4326).to_file(path, layer="theirs")
    assert write_as_they_come(iter(records(7)), "EPSG:32613", path) == 7
    assert geopandas.read_file(path, layer="theirs")["name"].tolist() == ["theirs"]
    assert len(geopandas.read_file(path, layer="polygons")) == 7


def test_without_records_nothing_is_written(tmp_path):
    for suffix in (".gpkg", ".parquet", ".fgb"):
        assert write_as_they_come(iter(()), None, tmp_path / f"out{suffix}") == 0
    assert not list(tmp_path.iterdir())


def test_a_run_is_repeated_from_its_recipe(image, tmp_path, capsys):
    out, again = tmp_path / "all.gpkg", tmp_path / "again.gpkg"
    assert cli.main(["everything", image, "--size-px", str(SIDE), "--least", "0.2", "-o", str(out)]) == 0
    recipe = tmp_path / "all.gpkg.recipe.json"
    capsys.readouterr()
    assert cli.main(["run", str(recipe), "-o", str(again)]) == 0
    assert "may differ" not in capsys.readouterr().err
    first, second = geopandas.read_file(out), geopandas.read_file(again)
    assert first.geometry.equals(second.geometry)
    assert first.drop(columns=["geometry", "created"]).equals(second.drop(columns=["geometry", "created"]))
    assert json.loads(recipe.read_text())["params"] == json.loads((tmp_path / "again.gpkg.recipe.json").read_text())["params"]


def test_what_has_changed_since_a_recipe_is_told(image, make_raster, tmp_path, capsys):
    out = tmp_path / "all.gpkg"
    assert cli.main(["everything", image, "--size-px", str(SIDE), "-o", str(out)]) == 0
    with rasterio.open(image) as source:
        pixels = source.read()
    make_raster(pixels[:, ::-1].copy())
    cli.main(["run", f"{out}.recipe.json", "-o", str(tmp_path / "again.gpkg")])
    assert "the imagery changed since" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["", "[]", '{"task": "models", "params": {}, "least_likeness": 0, "version": "", "model": ""}']
)
def test_what_is_no_recipe_is_refused(tmp_path, capsys, text):
    path = tmp_path / "bad.recipe.json"
    path.write_text(text)
    assert cli.main(["run", str(path), "-o", str(tmp_path / "out.gpkg")]) == 2
    assert "no recipe of a run" in capsys.readouterr().err
