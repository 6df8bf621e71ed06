import json
import sys
from dataclasses import replace

import geopandas
import numpy as np
import pytest
import shapely
from shapely import affinity

from rasterlasso.benchmarks import report
from rasterlasso.benchmarks.baselines import BASELINES
from rasterlasso.benchmarks.clicks import Trial, is_visible, run_trial, summary
from rasterlasso.benchmarks.one_prompt import OnePrompt
from rasterlasso.benchmarks.scenes import read_scene
from rasterlasso.engine import cli
from rasterlasso.models import registry

FIELDS_PX = {
    "field": shapely.box(60, 100, 180, 180),
    "outside": shapely.box(380, 20, 500, 80),
    "tiny": shapely.box(5, 5, 10, 10),
}


@pytest.fixture
def scenes(make_raster, field_image, tmp_path):
    """A folder of one scene: an object, one that the frame cuts, and one that is too small."""
    folder = tmp_path / "scenes" / "one"
    folder.mkdir(parents=True)
    make_raster(field_image).rename(folder / "image.tif")
    to_map = [2, 0, 0, -2, 500_000, 4_500_000]
    shapes = [affinity.affine_transform(shape, to_map) for shape in FIELDS_PX.values()]
    labels = geopandas.GeoDataFrame({"id": range(3), "class": list(FIELDS_PX)}, geometry=shapes, crs="EPSG:32613")
    labels.to_file(folder / "labels.gpkg", layer="labels")
    return folder.parent


def trial(ious, cls="field", model="builtin"):
    one_prompt, times = OnePrompt(0.7, 0.8, 0.5, 0.6), (0.1,) * len(ious)
    return Trial("scene", model, cls, "1", ious, ious, (1.0,) * len(ious), 0.5, times, (), one_prompt, 0.9, 12, 8)


def test_only_whole_and_large_enough_objects_count(scenes):
    scene = read_scene(scenes / "one")
    assert [target.cls for target in scene.targets] == ["field"]
    assert scene.targets[0].level == round(np.log2(120 / 341.3))
    scene.source.close()


def test_figures_follow_the_protocol():
    figures = summary([trial((0.5, 0.82, 0.86, 0.95)), trial((0.3,) * 20)])
    assert figures["NoC@80"] == (2 + 20) / 2
    assert figures["NoC@85"] == (3 + 20) / 2
    assert figures["NoC@90"] == (4 + 20) / 2
    assert figures["IoU@1"] == pytest.approx(0.4)
    assert figures["IoU@10"] == pytest.approx((0.95 + 0.3) / 2)
    assert figures["failures"] == 0.5
    assert figures["NoC@95"] == (4 + 20) / 2
    assert (figures["jittered"], figures["wide"], figures["vertices"]) == (0.7, 0.5, 1.5)


def test_one_prompt_alone_is_asked_in_each_view(scenes):
    scene = read_scene(scenes / "one")
    found = run_trial(scene, scene.targets[0], registry.entry("builtin").load())
    scene.source.close()
    assert found.one_prompt.box > 0.9
    assert found.one_prompt.jittered > 0.8
    assert 0.8 < found.one_prompt.wide <= 1
    assert 0.8 < found.one_prompt.near <= 1
    assert 0.4 < found.ceiling < 1
    assert found.label_vertices == 4
    assert found.vertices >= 4


def test_intervals_hold_the_means():
    trials = [replace(trial((iou,)), scene=str(number)) for number, iou in enumerate((0.5, 0.7, 0.9))]
    [row] = [line for line in report.intervals_table(trials).splitlines() if line.startswith("| IoU@1 ")]
    assert row == "| IoU@1 | 0.50 to 0.90 |"


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda b: b.name)
def test_a_baseline_digitizes_an_easy_field(scenes, baseline):
    scene = read_scene(scenes / "one")
    found = run_trial(scene, scene.targets[0], baseline())
    scene.source.close()
    assert found.noc(0.9) <= 8
    assert len(found.clicks) == len(found.ious) == len(found.boundary_ious) <= 20


def test_the_command_writes_table_json_and_pictures(scenes, tmp_path, capsys):
    out, pictures = tmp_path / "out.json", tmp_path / "pictures"
    code = cli.main(["bench", "clicks", str(scenes), "--baselines", "--json", str(out), "--pictures", str(pictures)])
    assert code == 0
    printed = capsys.readouterr().out
    document = json.loads(out.read_text())
    for name in ("builtin", *(baseline.name for baseline in BASELINES)):
        assert f"| overall | {name} |" in printed
        [row] = [f for f in document["figures"] if f["model"] == name and f["group"] == "class field"]
        assert 0 < row["IoU@1"] <= 1
    assert {path.name for path in pictures.iterdir()} == {"curves.png", "contact-sheet.png"}


def test_workers_give_the_same_figures_and_learning_is_reported(scenes, tmp_path, capsys):
    figures = []
    for workers in ("1", "2"):
        out = tmp_path / f"{workers}.json"
        assert cli.main(["bench", "clicks", str(scenes), "--learn", "--workers", workers, "--json", str(out)]) == 0
        figures.append([(f["group"], f["model"], f["IoU@1"], f["NoC@85"]) for f in json.loads(out.read_text())["figures"]])
    assert figures[0] == figures[1]
    assert {model for _, model, *_ in figures[0]} == {"builtin", "builtin + learning"}
    assert "first ten" in capsys.readouterr().out


def test_an_interrupted_run_is_taken_up(scenes, tmp_path, capsys):
    out = tmp_path / "out.json"
    assert cli.main(["bench", "clicks", str(scenes), "--json", str(out)]) == 0
    document = json.loads(out.read_text())
    document["trials"][0]["ious"] = [0.123]
    out.write_text(json.dumps(document))
    capsys.readouterr()
    assert cli.main(["bench", "clicks", str(scenes), "--json", str(out), "--resume", "--baselines"]) == 0
    printed = capsys.readouterr()
    assert "builtin" not in printed.err
    assert "grabcut" in printed.err
    kept = [t["ious"] for t in json.loads(out.read_text())["trials"] if t["model"] == "builtin"]
    assert [0.123] in kept
    assert cli.main(["bench", "clicks", str(scenes), "--json", str(out), "--resume", "--limit", "1"]) == 2
    assert "another --limit" in capsys.readouterr().err
    assert cli.main(["bench", "clicks", str(scenes), "--resume"]) == 2
    assert "nothing to go on from" in capsys.readouterr().err


def test_the_first_ten_objects_are_set_against_the_next_ten():
    trials = [trial((0.9,), model=model) for model in ("builtin", "builtin + learning") for _ in range(10)]
    slow = [trial((0.5, 0.9), model=model) for model in ("builtin", "builtin + learning") for _ in range(10)]
    ordered = [*trials[:10], *slow[:10], *trials[10:], *slow[10:]]
    assert report.learning_table(ordered).splitlines()[2:] == [
        "| scene | builtin | 1.0 | 2.0 |",
        "| scene | builtin + learning | 1.0 | 2.0 |",
    ]


def test_a_folder_without_scenes_is_refused(tmp_path, capsys):
    assert cli.main(["bench", "clicks", str(tmp_path)]) == 2
    assert "no scene here" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["no class", "no labels"])
def test_bad_labels_are_refused_by_name(scenes, damage, capsys):
    labels = scenes / "one" / "labels.gpkg"
    if damage == "no class":
        geopandas.read_file(labels).drop(columns="class").to_file(labels, layer="labels")
    else:
        labels.write_bytes(b"not a database")
    assert cli.main(["bench", "clicks", str(scenes)]) == 2
    assert "labels.gpkg: no scene here" in capsys.readouterr().err


def test_a_missing_library_is_named(scenes, capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "rasterlasso.benchmarks.baselines")
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert cli.main(["bench", "clicks", str(scenes), "--baselines"]) == 2
    assert "The benchmark lacks cv2" in capsys.readouterr().err


def test_a_table_has_a_row_for_each_group_and_model():
    lines = report.table([trial((0.9,)), trial((0.5, 0.9), "lake")]).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| overall", "| class field", "| class lake", "| scene"]


def test_an_object_without_data_is_left_out(make_raster, field_image, scenes):
    field_image[:, 95:185, 55:185] = 0
    make_raster(field_image, nodata=0).replace(scenes / "one" / "image.tif")
    scene = read_scene(scenes / "one")
    assert not is_visible(scene, scene.targets[0])
    scene.source.close()


def test_the_simulated_user_is_repeatable(scenes):
    scene = read_scene(scenes / "one")
    model = registry.entry("builtin").load()
    first, second = (run_trial(scene, scene.targets[0], model) for _ in range(2))
    scene.source.close()
    assert (first.ious, first.clicks) == (second.ious, second.clicks)
