import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from rasterlasso.contract.errors import RasterError
from rasterlasso.engine import cli
from rasterlasso.engine.files.export import shapefile_names
from rasterlasso.engine.rasters.source import RasterSource

CLICK = "500240,4499720"


@pytest.fixture
def image(make_raster, field_image):
    return str(make_raster(field_image))


def run(capsys, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        before = warnings.showwarning
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
        finally:
            warnings.showwarning = before
    out, err = capsys.readouterr()
    return code, out, err.splitlines()


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".fgb", ".parquet"])
def test_each_format_holds_the_field(capsys, image, tmp_path, suffix):
    output = tmp_path / f"out{suffix}"
    code, out, err = run(capsys, "segment", image, "--point", CLICK, "--not", "500010,4499990", "-o", output)
    assert (code, err) == (0, [])
    frame = geopandas.read_parquet(output) if suffix == ".parquet" else geopandas.read_file(output)
    [shape] = frame.to_crs("EPSG:32613").geometry
    assert shape.is_valid
    assert shape.area == pytest.approx(240 * 160, rel=0.05)
    assert shape.contains(shapely.Point(500_240, 4_499_720))
    assert frame.crs.to_epsg() == (4326 if suffix == ".geojson" else 32613)
    assert {"score", "model", "level", "area_m2", "source"} <= set(frame.columns)
    assert "1 polygon" in out


def test_a_shapefile_has_no_room_for_long_prompts(capsys, image, tmp_path):
    output = tmp_path / "out.shp"
    beside = [word for x in range(500_010, 500_100, 4) for word in ("--not", f"{x},4499990")]
    code, _, err = run(capsys, "segment", image, "--point", CLICK, *beside, "-o", output)
    assert code == 0
    assert [line for line in err if "prompts of 1 of 1 features" in line]
    assert geopandas.read_file(output)["prompts"].isna().all()


def test_geojson_is_what_the_rfc_says(capsys, image, tmp_path):
    output = tmp_path / "out.geojson"
    run(capsys, "segment", image, "--point", CLICK, "-o", output)
    body = json.loads(output.read_text())
    assert "crs" not in body
    ring = shapely.LinearRing(np.array(body["features"][0]["geometry"]["coordinates"][0][0]))
    assert ring.is_ccw
    assert shapely.box(-180, -90, 180, 90).contains(ring)


def test_a_second_run_replaces_its_layer_and_leaves_others(capsys, image, tmp_path):
    output = tmp_path / "out.gpkg"
    geopandas.GeoDataFrame({"a": [1]}, geometry=[shapely.Point(0, 0)], crs="EPSG:4326").to_file(output, layer="mine")
    for _ in range(2):
        assert run(capsys, "segment", image, "--point", CLICK, "-o", output)[0] == 0
    assert len(geopandas.read_file(output, layer="polygons")) == 1
    assert len(geopandas.read_file(output, layer="mine")) == 1


def test_many_objects_with_their_properties(capsys, image, tmp_path):
    prompts = tmp_path / "prompts.json"
    far_outside = {"points": [[0, 0, True]]}
    field = {
        "points": [[500240, 4499720, True]],
        "properties": {"class": "field", "landowner_name": "A", "landowner_number": 3},
    }
    prompts.write_text(json.dumps({"crs": "EPSG:32613", "objects": [field, far_outside, field]}))
    code, _, err = run(capsys, "segment", image, "--prompts", prompts, "-o", tmp_path / "out.shp")
    assert code == 2
    assert sum("object 2" in line for line in err) == 1
    assert sum("10 characters" in line for line in err) == 1
    frame = geopandas.read_file(tmp_path / "out.shp")
    assert frame["class"].tolist() == ["field", "field"]
    assert (frame["landowner_"][0], frame["landowne_1"][0]) == ("A", 3)


def test_negative_coordinates_are_no_options(capsys, sample_image, tmp_path):
    output = tmp_path / "lake.gpkg"
    code, _, err = run(capsys, "segment", sample_image, "--point", "-105.865,40.155", "--level", "-2", "-o", output)
    assert (code, err) == (0, [])
    assert geopandas.read_file(output)["area_m2"][0] / 1e6 == pytest.approx(29.4, rel=0.15)


@pytest.mark.parametrize(
    "arguments",
    [
        ["missing.tif", "--point", CLICK, "-o", "out.gpkg"],
        ["{text}", "--point", CLICK, "-o", "out.gpkg"],
        ["{image}", "--point", "0,0", "-o", "out.gpkg"],
        ["{image}", "--not", CLICK, "-o", "out.gpkg"],
        ["{image}", "-o", "out.gpkg"],
        ["{image}", "--point", CLICK, "-o", "out.xyz"],
        ["{image}", "--point", CLICK, "-o", "no/such/folder/out.gpkg"],
        ["{image}", "--point", CLICK, "--crs", "EPSG:99999999", "-o", "out.gpkg"],
        ["{image}", "--point", CLICK, "--model", "none", "-o", "out.gpkg"],
        ["{image}", "--prompts", "{text}", "-o", "out.gpkg"],
        ["{image}", "--prompts", "missing.json", "-o", "out.gpkg"],
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_bad_input_is_one_line_and_exit_code_2(capsys, image, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.tif").write_text("no raster, no JSON")
    arguments = [argument.format(image=image, text="text.tif") for argument in arguments]
    code, out, err = run(capsys, "segment", *arguments)
    assert (code, out, len(err)) == (2, "", 1)
    assert err[0].startswith("rasterlasso: ")
    assert not (tmp_path / "out.gpkg").exists()


def test_an_output_that_can_not_be_written(capsys, image, tmp_path):
    (tmp_path / "out.gpkg").mkdir()
    code, _, err = run(capsys, "segment", image, "--point", CLICK, "-o", tmp_path / "out.gpkg")
    assert (code, len(err)) == (2, 1)
    assert "can't be written" in err[0]


def test_a_raster_without_crs_is_said_once(capsys, make_raster, field_image, tmp_path):
    path = make_raster(field_image, crs=None)
    code, _, err = run(capsys, "segment", path, "--point", CLICK, "-o", tmp_path / "out.gpkg")
    assert (code, len(err)) == (0, 1)
    assert "no CRS" in err[0]


def test_models_and_doctor(capsys):
    code, out, _ = run(capsys, "models")
    assert (code, out.split("\t")[0]) == (0, "builtin")
    code, out, _ = run(capsys, "doctor")
    assert code == 0
    assert "ok   built-in model" in out


def test_the_installed_command_says_no_traceback(tmp_path):
    command = Path(sys.executable).with_name("rasterlasso")
    done = subprocess.run(
        [command, "segment", "none.tif", "--point", "1,2", "-o", "x.gpkg"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["rasterlasso: none.tif: no such file. Check the path, or that its drive is mounted."]


def test_every_odd_raster_is_segmented_or_refused_in_one_line(capfd, data, tmp_path):
    for path in sorted((data / "odd").glob("*.tif")):
        x, y = 0.0, 0.0
        try:
            with RasterSource(path) as source:
                [(x, y)] = source.to_map(np.array([[source.width_px / 2 + 0.5, source.height_px / 2 + 0.5]]))
        except RasterError:
            pass
        capfd.readouterr()
        code = cli.main(["segment", str(path), "--point", f"{x},{y}", "-o", str(tmp_path / "out.gpkg")])
        lines = [line for line in capfd.readouterr().err.splitlines() if "has no CRS" not in line]
        assert (code, len(lines)) in ((0, 0), (2, 1)), (path.name, code, lines)


names = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=20), unique=True, max_size=60
)


@given(names)
def test_shapefile_names_fit_and_never_clash(fields):
    short = shapefile_names(fields)
    assert list(short) == fields
    assert all(len(name.encode()) <= 10 for name in short.values())
    assert len({name.lower() for name in short.values()}) == len(fields)


@pytest.mark.parametrize("suffix", ["gpkg", "shp", "geojson", "parquet"])
def test_properties_that_clash_with_our_own_or_differ_in_type_are_kept(capsys, image, tmp_path, suffix):
    prompts = tmp_path / "prompts.json"
    point = [[500240, 4499720, True]]
    given = [{"Level": "high", "fid": 7, "id": 1}, {"Level": "low", "fid": 7, "id": "2b"}]
    prompts.write_text(json.dumps({"crs": "EPSG:32613", "objects": [{"points": point, "properties": own} for own in given]}))
    output = tmp_path / f"out.{suffix}"
    code, _, err = run(capsys, "segment", image, "--prompts", prompts, "-o", output)
    assert code == 0, err
    frame = geopandas.read_parquet(output) if suffix == "parquet" else geopandas.read_file(output)
    assert frame["Level_"].tolist() == ["high", "low"]
    assert frame["fid_"].tolist() == [7, 7]
    assert frame["id"].astype(str).tolist() == ["1", "2b"]
    assert frame["level"].tolist() == [0, 0]


def test_values_that_a_format_can_not_hold_are_told_in_one_line(capsys, image, tmp_path):
    prompts = tmp_path / "prompts.json"
    own = {"points": [[500240, 4499720, True]], "properties": {"number": 2**70}}
    prompts.write_text(json.dumps({"crs": "EPSG:32613", "objects": [own]}))
    code, _, [line] = run(capsys, "segment", image, "--prompts", prompts, "-o", tmp_path / "out.parquet")
    assert code == 2
    assert "out.parquet" in line


def launched(*arguments, **environment):
    """The command line in a process of its own, as the plugin's folder starts it."""
    launcher = Path(__file__).resolve().parents[2] / "engine" / "launch.py"
    command = [sys.executable, "-I", "-B", str(launcher), *arguments]
    return command, {**os.environ, **environment}


@pytest.mark.parametrize("value", ["ten", "-1", "nan", "inf", ""])
def test_a_setting_of_no_sense_is_one_line(image, tmp_path, value):
    command, environment = launched(
        "segment", image, "--point", CLICK, "-o", str(tmp_path / "o.gpkg"), RASTERLASSO_CACHE_GB=value
    )
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert run.returncode == 2
    [line] = run.stderr.splitlines()
    assert "RASTERLASSO_CACHE_GB" in line


def test_a_pipe_that_nobody_reads_is_silence():
    command, environment = launched("models", "list")
    reader = subprocess.Popen(["true"], stdin=subprocess.PIPE)
    reader.wait()
    run = subprocess.run(command, env=environment, stdout=reader.stdin, stderr=subprocess.PIPE, text=True, timeout=60)
    reader.stdin.close()
    assert run.stderr == ""
    assert run.returncode == cli.EXIT_PIPE_CLOSED


def test_a_raster_whose_name_is_no_utf_8_is_one_line(image, tmp_path):
    odd = os.fsencode(tmp_path) + b"/gr\xfcn.tif"
    shutil.copy(image, odd)
    command, environment = launched("segment", odd, "--point", CLICK, "-o", str(tmp_path / "o.gpkg"))
    run = subprocess.run(command, env=environment, capture_output=True, timeout=60)
    assert run.returncode == 2
    assert len(run.stderr.splitlines()) == 1
    assert b"rename it" in run.stderr
