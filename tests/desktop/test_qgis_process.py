"""Each algorithm on real imagery, run by qgis_process as scripts and servers run it."""

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import geopandas
import pytest
import shapely
from shapely import Point

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = shutil.which("qgis_process.bin") or "qgis_process"  # Debian's own script around it is broken
LAKES = [(-105.865, 40.155), (-105.845, 40.11)]
"""Lake Granby and Shadow Mountain Lake are one water in the scene, seen from two places."""

EXTENT = "-105.96,-105.72,40.08,40.24 [EPSG:4326]"
INI = "[PythonPlugins]\nrasterlasso=true\n[rasterlasso]\nengine_python={python}\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory, engine_python):
    """Results of an algorithm, by its name and parameters."""
    home = tmp_path_factory.mktemp("home")
    (home / "runtime").mkdir(mode=0o700)
    profile = home / "data" / "QGIS" / "QGIS3" / "profiles" / "default"
    with zipfile.ZipFile(ROOT / os.environ["RASTERLASSO_PACKAGE"]) as archive:
        archive.extractall(profile / "python" / "plugins")
    (profile / "QGIS").mkdir()
    (profile / "QGIS" / "QGIS3.ini").write_text(INI.format(python=engine_python))
    environment = os.environ | {
        "HOME": str(home),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_RUNTIME_DIR": str(home / "runtime"),
        "QT_QPA_PLATFORM": "offscreen",
    }

    def ask(name, **parameters):
        given = [f"--{key}={value}" for key, value in parameters.items()]
        command = [PROGRAM, "--json", "run", f"rasterlasso:{name}", *given]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
        if done.returncode:
            return done.stdout + done.stderr
        return json.loads(done.stdout[done.stdout.index("{") :])["results"]

    return ask


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("layers")


@pytest.fixture(scope="module")
def points(folder):
    path = folder / "points.gpkg"
    geopandas.GeoDataFrame({"name": ["one", "other"]}, geometry=[Point(*lake) for lake in LAKES], crs="EPSG:4326").to_file(path)
    return path


@pytest.fixture(scope="module")
def lakes(run, folder, points, sample_image):
    """What points on them give."""
    path = folder / "lakes.gpkg"
    found = run("segmentatpoints", IMAGE=sample_image, POINTS=points, OUTPUT=path)
    assert isinstance(found, dict), found
    assert found["FOUND"] == 2
    return path


def read(path):
    found = geopandas.read_file(path)
    assert len(found)
    assert found.geometry.is_valid.all()
    return found


def test_points_boxes_and_rough_outlines(run, folder, lakes, sample_image):
    at_points = read(lakes)
    assert at_points.geometry.iloc[0].contains(Point(*LAKES[0]))
    boxes = folder / "boxes.gpkg"
    at_points.assign(geometry=at_points.geometry.envelope).to_file(boxes)
    for name, given in (("segmentinboxes", boxes), ("refinepolygons", lakes)):
        output = folder / f"{name}.gpkg"
        assert run(name, IMAGE=sample_image, INPUT=given, OUTPUT=output)["FOUND"] == 2
        first, before = read(output).geometry.iloc[0], at_points.geometry.iloc[0]
        assert first.intersection(before).area > 0.5 * first.union(before).area


def test_everything_and_similar(run, folder, lakes, sample_image):
    found = run("segmenteverything", IMAGE=sample_image, SIZE=8000, EXTENT=EXTENT, OUTPUT=folder / "all.gpkg")
    assert found["FOUND"] == len(read(folder / "all.gpkg"))
    run("findsimilar", IMAGE=sample_image, EXAMPLES=lakes, EXTENT=EXTENT, LEAST=0, OUTPUT=folder / "like.gpkg")
    assert (read(folder / "like.gpkg")["likeness"] >= 0).all()


def test_layers_are_reshaped_and_replayed(run, folder, lakes, sample_image):
    run("regularize", IMAGE=sample_image, INPUT=lakes, OUTPUT=folder / "angles.gpkg")
    assert read(folder / "angles.gpkg").geometry.count_coordinates().sum() < read(lakes).geometry.count_coordinates().sum()
    halves = folder / "halves.gpkg"
    lake, (west, south, east, north) = read(lakes).geometry.iloc[0], read(lakes).total_bounds
    middle = shapely.box(west, south, (west + east) / 2, north)
    parts = [lake.intersection(middle), lake.difference(middle)]
    geopandas.GeoDataFrame(geometry=parts, crs="EPSG:4326").to_crs("EPSG:32613").to_file(halves)
    run("simplifycoverage", INPUT=halves, TOLERANCE=200, OUTPUT=folder / "simpler.gpkg")
    one, other = read(folder / "simpler.gpkg").geometry
    assert one.intersection(other).area < 1
    run("replay", IMAGE=sample_image, INPUT=lakes, OUTPUT=folder / "again.gpkg")
    first, again = read(lakes).geometry.iloc[0], read(folder / "again.gpkg").geometry.iloc[0]
    assert shapely.equals_exact(first.normalize(), again.normalize(), 1e-9)


def test_the_raster_is_encoded_and_data_sets_are_made(run, folder, lakes, sample_image):
    assert isinstance(run("encoderaster", IMAGE=sample_image), dict)
    exported = run("exporttrainingdata", IMAGE=sample_image, INPUT=lakes, CHIP=96, VALIDATION=0, OUTPUT=folder / "set")
    assert isinstance(exported, dict), exported
    labels = next(path.parent for path in (folder / "set").rglob("*.txt") if path.parent.parent.name == "labels")
    run("importpredictions", DATASET=folder / "set", TEXTS=labels, OUTPUT=folder / "predicted.gpkg")
    assert read(folder / "predicted.gpkg").union_all().intersects(Point(*LAKES[0]))
    told = run("detectclasses", IMAGE=sample_image, MODEL="builtin", OUTPUT=folder / "none.gpkg")
    assert "knows no classes" in told or "builtin" in told
