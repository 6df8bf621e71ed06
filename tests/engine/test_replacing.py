"""Whatever fails while a file is written leaves the former one as it was."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import geopandas
import pyogrio
import pytest
import rasterio
import shapely

from rasterlasso.contract import replacing
from rasterlasso.contract.errors import OutputUnwritable
from rasterlasso.engine.files import export
from rasterlasso.engine.files.export import DRIVERS, write_frame

SUFFIXES = list(DRIVERS)


def frame(count=3, crs="EPSG:32613", **columns):
    shapes = [shapely.box(500_000 + 10 * n, 4_000_000, 500_008 + 10 * n, 4_000_008) for n in range(count)]
    return geopandas.GeoDataFrame({"number": range(count), **columns}, geometry=shapes, crs=crs)


def read(path):
    return geopandas.read_parquet(path) if path.suffix == ".parquet" else geopandas.read_file(path)


def content(folder):
    """Every file below a folder with its bytes."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    write_frame(frame(3), path)
    write_frame(frame(5), path)
    assert len(read(path)) == 5
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".")]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", ["a!b", "a;b", "a b?", "zip!", "größe"])
def test_the_path_is_the_one_that_was_given(tmp_path, suffix, name):
    folder = tmp_path / name
    folder.mkdir()
    path = folder / f"{name}{suffix}"
    write_frame(frame(2), path)
    assert path.exists()
    assert {each.stem for each in folder.iterdir()} == {name}
    shutil.copy(path, tmp_path / f"plain{suffix}")
    if suffix != ".shp":
        assert len(read(tmp_path / f"plain{suffix}")) == 2


def write_with_little_room(path, limit):
    """Writes a large frame in a process whose files may not grow larger than a limit, as on a disk that is full."""
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from rasterlasso.tests.engine.test_replacing import frame; from rasterlasso.engine.files.export import write_frame\n"
        "from rasterlasso.contract.errors import OutputUnwritable\n"
        f"data = frame(20_000)\nresource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "try:\n    write_frame(data, Path(sys.argv[1]))\nexcept OutputUnwritable as error:\n    sys.exit(str(error))\n"
    )
    engine = str(Path(__file__).resolve().parents[2] / "engine")
    launch = f"import sys; sys.path.insert(0, {engine!r}); import launch; launch.register_package()\n"
    return subprocess.run([sys.executable, "-c", launch + code, str(path)], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_the_former_file_byte_for_byte(tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    write_frame(frame(3), path)
    before = content(tmp_path)
    run = write_with_little_room(path, 150_000)
    assert run.returncode == 1, run.stderr
    assert path.name in run.stderr
    assert content(tmp_path) == before


def test_a_shapefile_that_can_not_be_put_in_place_comes_back(tmp_path, monkeypatch):
    path = tmp_path / "out.shp"
    write_frame(frame(3), path)
    (tmp_path / "out.qix").write_bytes(b"an index of the former file")
    before = content(tmp_path)
    put, calls = replacing._put, []

    def fail_at_the_third(made, place):
        calls.append(place)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        put(made, place)

    monkeypatch.setattr(replacing, "_put", fail_at_the_third)
    with pytest.raises(OutputUnwritable, match="No space left"):
        write_frame(frame(5), path)
    assert content(tmp_path) == before
    monkeypatch.setattr(replacing, "_put", put)
    write_frame(frame(5), path)
    assert not (tmp_path / "out.qix").exists(), "it was an index of the former file"


@pytest.fixture
def town(tmp_path):
    """A GeoPackage with a layer of the user's beside ours."""
    path = tmp_path / "town.gpkg"
    write_frame(frame(3), path)
    pyogrio.write_dataframe(frame(7), path, layer="parcels", driver="GPKG")
    return path


def test_other_layers_of_a_geopackage_stay(town):
    write_frame(frame(4), town)
    assert dict(zip(*zip(*pyogrio.list_layers(town), strict=True), strict=True)).keys() == {"polygons", "parcels"}
    assert len(geopandas.read_file(town, layer="polygons")) == 4
    assert len(geopandas.read_file(town, layer="parcels")) == 7


def test_a_geopackage_that_is_read_elsewhere_shows_the_new_layer_there(town):
    reader = sqlite3.connect(town)
    assert reader.execute("SELECT count(*) FROM polygons").fetchone() == (3,)
    write_frame(frame(4), town)
    assert reader.execute("SELECT count(*) FROM polygons").fetchone() == (4,)
    reader.close()


def test_a_locked_geopackage_is_refused_and_stays(town, monkeypatch):
    monkeypatch.setattr(replacing, "LOCK_S", 0.2)
    before = town.read_bytes()
    lock = sqlite3.connect(town, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    with pytest.raises(OutputUnwritable, match="another program"):
        write_frame(frame(4), town)
    lock.close()
    assert town.read_bytes() == before


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_write_protected_file_is_refused_and_stays(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"out{suffix}"
    write_frame(frame(3), path)
    path.chmod(stat.S_IREAD)
    before = content(tmp_path)
    if os.getuid() == 0:  # whom nothing is protected from
        monkeypatch.setattr(replacing.os, "access", lambda place, mode: mode != os.W_OK)
    with pytest.raises(OutputUnwritable, match="write-protected"):
        write_frame(frame(4), path)
    assert content(tmp_path) == before


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_of_another_kind_is_refused_and_stays(tmp_path, suffix):
    path = tmp_path / f"notes{suffix}"
    path.write_text("my only copy")
    with pytest.raises(OutputUnwritable, match="delete it"):
        write_frame(frame(2), path)
    assert path.read_text() == "my only copy"


def test_an_empty_file_is_no_file_of_another_kind(tmp_path):
    for suffix in SUFFIXES:
        path = tmp_path / f"out{suffix}"
        path.touch()
        write_frame(frame(2), path)
        assert len(read(path)) == 2


@pytest.mark.parametrize(
    "wkt",
    [
        'LOCAL_CS["Local Coordinates (m)",LOCAL_DATUM["Local Datum",0],UNIT["metre",1.0],AXIS["X",EAST],AXIS["Y",NORTH]]',
        'GEOGCS["Moon",DATUM["Moon",SPHEROID["Moon",1737400,0]],PRIMEM["Reference",0],UNIT["degree",0.0174532925199433]]',
    ],
)
def test_what_has_no_place_on_earth_is_refused_as_geojson(tmp_path, wkt):
    local = frame(2).set_crs(rasterio.crs.CRS.from_wkt(wkt).to_wkt(), allow_override=True)
    with pytest.raises(OutputUnwritable, match=r"choose \.gpkg"):
        write_frame(local, tmp_path / "out.geojson")
    assert content(tmp_path) == {}
    write_frame(local, tmp_path / "out.gpkg")
    assert len(read(tmp_path / "out.gpkg")) == 2


def test_a_file_that_does_not_hold_all_is_not_taken(tmp_path, monkeypatch):
    path = tmp_path / "out.fgb"
    write_frame(frame(3), path)
    before = path.read_bytes()
    monkeypatch.setattr(export.pyogrio, "read_info", lambda *given, **more: {"features": 1})
    with pytest.raises(OutputUnwritable, match="1 of 5 features"):
        write_frame(frame(5), path)
    assert path.read_bytes() == before


def test_links_and_permissions_stay(tmp_path):
    path, link = tmp_path / "real.fgb", tmp_path / "link.fgb"
    write_frame(frame(3), path)
    path.chmod(0o640)
    link.symlink_to(path)
    write_frame(frame(4), link)
    assert link.is_symlink()
    assert len(read(path)) == 4
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
