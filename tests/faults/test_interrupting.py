"""Ctrl+C in the midst of many objects."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import geopandas

LAUNCHER = Path(__file__).resolve().parents[2] / "engine" / "launch.py"
COUNT = 400


def test_what_was_found_until_then_is_written(make_raster, field_image, tmp_path):
    prompts = tmp_path / "prompts.json"
    places = [[500_130 + number % 20 * 10, 4_499_650 + number // 20 * 7, True] for number in range(COUNT)]
    prompts.write_text(json.dumps({"objects": [{"points": [place]} for place in places]}))
    out = tmp_path / "out.gpkg"
    command = [sys.executable, "-I", "-u", LAUNCHER, "segment", make_raster(field_image), "--prompts", prompts, "-o", out]
    # Who starts the tests in the background has them ignore Ctrl+C, and what they start with them.
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        for _ in range(3):
            assert process.stdout.readline().split(":")[0].isdigit()
        process.send_signal(signal.SIGINT)
        told, errors = process.communicate()
    assert process.returncode == 130, errors
    assert f"of {COUNT} objects" in errors
    assert "Traceback" not in errors
    found = len(geopandas.read_file(out))
    assert 2 <= found < COUNT  # the third may be told and not noted yet
    assert f"{found} polygons" in told


def test_a_script_that_never_closes_its_scene_ends_without_a_word(make_raster, field_image, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "import rasterlasso.engine.api as rl\n"
        "manager = rl.open(sys.argv[1])\n"
        "scene = manager.__enter__()\n"
        "for level in (0, -1):\n"
        "    print(scene.segment(points=[(500_240, 4_499_720, True)]).score)\n"
    )
    environment = {**os.environ, "RASTERLASSO_CACHE": str(tmp_path / "tiles")}
    command = [sys.executable, script, make_raster(field_image)]
    for _ in range(3):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
