"""A disk that is full, in earnest: a small file system in memory, seen by one process alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rasterlasso.engine.files.export import DRIVERS

LAUNCHER = Path(__file__).resolve().parents[2] / "engine" / "launch.py"
CLICKS = ["--point", "500240,4499720", "--not", "500010,4499990"]
ROOM_KIB = 512


def can_mount():
    tried = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    return tried.returncode == 0


pytestmark = pytest.mark.skipif(
    shutil.which("unshare") is None or not can_mount(),
    reason="this system lets nobody but its administrator mount a file system",
)


def on_a_small_disk(folder, script, **variables):
    """Run a script of the shell with a file system of 512 KiB at `folder`; what it prints."""
    command = f"mount -t tmpfs -o size={ROOM_KIB}k tmpfs {folder} && cd {folder} && {script}"
    environment = {**os.environ, **variables}
    return subprocess.run(["unshare", "-rm", "sh", "-c", command], capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def lasso(make_raster, field_image):
    """The command that writes the field into a file."""
    image = make_raster(field_image)
    return lambda out: f"{sys.executable} -I {LAUNCHER} segment {image} {' '.join(CLICKS)} -o {out}"


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("suffix", list(DRIVERS))
def test_the_former_file_stays_and_the_reason_is_told(lasso, disk, suffix):
    out = f"out{suffix}"
    fill = "dd if=/dev/zero of=rest bs=1k 2>/dev/null"
    done = on_a_small_disk(
        disk,
        f"{lasso(out)} >/dev/null && sha256sum out.* && ls | wc -l && {{ {fill}; {lasso(out)} >/dev/null; echo code $?; "
        "rm rest; sha256sum out.*; ls | wc -l; }",
    )
    before, after = done.stdout.split("code 2\n")
    assert before == after, "byte for byte, and nothing beside it"
    [line] = done.stderr.splitlines()
    assert "can't be written" in line
    assert out in line


def test_without_room_for_tiles_clicks_go_on_and_the_user_is_told_once(lasso, disk, tmp_path):
    out = tmp_path / "out.gpkg"
    script = f"dd if=/dev/zero of=rest bs=1k 2>/dev/null; {lasso(out)}; echo code $?; rm rest; ls -A"
    done = on_a_small_disk(disk, script, RASTERLASSO_CACHE=str(disk / "tiles"))
    told, left = done.stdout.split("code 0\n")
    assert "1 polygon" in told
    assert left.split() in ([], ["tiles"])
    assert len([line for line in done.stderr.splitlines() if "No space left" in line]) <= 1
    assert "Traceback" not in done.stderr
    assert out.exists()
