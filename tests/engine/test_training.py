"""Training's own code on small scenes; what it gives is measured by the benchmark, not here."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
import torch
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from rasterlasso.models.base import PixelPrompts
from rasterlasso.models.builtin.losses import mask_losses
from rasterlasso.models.builtin.model import WEIGHTS, BuiltinModel
from rasterlasso.models.builtin.training import (
    crops,
    lessons,
    parcels,
    reading,
    regions,
    scenes,
    school,
    shards,
    sheet,
    teacher,
)
from rasterlasso.models.builtin.training.sampler import Sampler
from rasterlasso.models.builtin.training.scenery import CROP_PX
from rasterlasso.models.builtin.training.trainer import Batch, Settings, Trainer, learning_rate
from rasterlasso.models.builtin.training.validation import Validation, split

UTM = Affine(2, 0, 500_000, 0, -2, 4_500_000)
SMALL = Settings(images=1, objects=2, rounds=2, late_share=0.5, late_rounds=2, bf16_decoder=False)


def write_scene(place, shapes, image, meta):
    place.mkdir(parents=True)
    rows, cols = image.shape[1:]
    with rasterio.open(place / "image.tif", "w", "GTiff", cols, rows, 3, "EPSG:32613", UTM, "uint8") as dataset:
        dataset.write(image.astype(np.uint8))
    to_map = [2, 0, 0, -2, 500_000, 4_500_000]
    labels = geopandas.GeoSeries([shapely.affinity.affine_transform(s, to_map) for s in shapes], crs="EPSG:32613")
    labels.to_file(place / "labels.gpkg", layer="labels")
    (place / "META.json").write_text(json.dumps(meta))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Nine fields, one with a hole; the same as roofs, held apart; and a narrow river."""
    root = tmp_path_factory.mktemp("train")
    rng = np.random.default_rng(4)
    image = 60 + rng.integers(0, 20, (3, 600, 600))
    shapes = []
    for row, col in np.ndindex(3, 3):
        top, left = 30 + 190 * row, 30 + 190 * col
        image[:, top : top + 150, left : left + 150] += rng.integers(20, 110, (3, 1, 1))
        shapes.append(shapely.box(left, top, left + 150, top + 150))
    shapes[4] = shapes[4].difference(shapely.box(280, 280, 320, 320))
    write_scene(root / "fields_one", shapes, image, {"classes": {"field": 9}})
    write_scene(
        root / "roofs", shapes, image, {"classes": {"building": 9}, "source_id": "nairobi", "trust": "human, moved per object"}
    )
    narrow = 60 + rng.integers(0, 20, (3, 120, 900))
    narrow[:, 50:80] += 100
    meta = {"classes": {"water": 1}, "source_id": "danube", "trust": "semi-automatic", "weight": 2}
    write_scene(root / "river", [shapely.box(0, 50, 900, 80)], narrow, meta)
    return root


@pytest.fixture(scope="module")
def prepared(data, tmp_path_factory):
    return reading.prepare(reading.usable_folders([data]), tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="module")
def loaded(prepared):
    return {scene.name: scene for scene in map(scenes.load, prepared)}


@pytest.fixture(scope="module")
def sampler(loaded):
    return Sampler(list(loaded.values()), 2)


def test_samples_follow_from_their_seed_and_show_objects(sampler):
    for index in range(40):
        sample, again = sampler.draw((1, index)), sampler.draw((1, index))
        assert np.array_equal(sample.image, again.image)
        assert np.array_equal(sample.masks, again.masks)
        assert sample.image.shape == (CROP_PX, CROP_PX, 3)
        assert sample.masks.shape == sample.unsure.shape == (2, CROP_PX, CROP_PX)
        assert sample.masks.any(axis=(1, 2)).all()


def test_shapes_lie_where_the_scene_has_them(loaded):
    fields = loaded["fields_one"]
    assert len(fields.objects) == 9
    assert fields.objects[0].bounds == pytest.approx((30, 30, 180, 180))
    assert len(fields.objects[4].rings) == 2


def test_scenes_tell_how_far_they_can_be_trusted(loaded):
    fields, roofs, river = (loaded[name].origin for name in ("fields_one", "roofs", "river"))
    assert (fields.family, fields.is_trusted, fields.uncertain_px) == ("field", True, 0)
    assert (roofs.source, roofs.is_trusted, roofs.uncertain_px) == ("nairobi", False, 2.5)
    assert (river.family, river.uncertain_px, river.weight, river.coarsest) == ("water", 3, 2, 6)


def test_only_what_may_be_shipped_is_learnt_from(data, tmp_path):
    place = tmp_path / "wide"
    place.mkdir()
    for name in ("a", "b"):
        (place / name).mkdir()
        (place / name / "labels.gpkg").touch()
    (place / "INDEX.json").write_text(
        json.dumps([{"name": "a", "use": "ship"}, {"name": "b", "use": "ship, share-alike image"}])
    )
    assert [folder.name for folder in reading.usable_folders([place])] == ["a"]


def test_whole_sources_are_held_apart(prepared):
    learnt, held_apart = split(prepared)
    assert {scenes.load(path).name for path in learnt} == {"fields_one", "river"}
    assert {scenes.load(path).name for path in held_apart} == {"roofs"}


def test_scenes_are_prepared_once_and_again_where_they_changed(data, tmp_path):
    folders = reading.usable_folders([data])
    first = reading.prepare(folders, tmp_path)
    stamps = [(path / "scene.json").stat().st_mtime_ns for path in first]
    assert [(path / "scene.json").stat().st_mtime_ns for path in reading.prepare(folders, tmp_path)] == stamps
    fewer = reading.prepare(folders[:1], tmp_path)
    assert set(tmp_path.iterdir()) == set(fewer)


def test_a_crop_keeps_inside_the_frame_and_tells_where_it_could_not(loaded):
    fields = loaded["fields_one"]
    for shape in fields.objects:
        to_crop = crops.inside_frame(crops.placing(*shape.bounds[:2], 1.0, np.random.default_rng(0)), fields.size_wh_px)
        assert crops.frame_mask(fields, to_crop).mean() > 0.98
    river = loaded["river"]
    to_crop = crops.inside_frame(crops.placing(450, 100, 1.0, np.random.default_rng(0)), river.size_wh_px)
    assert crops.frame_mask(river, to_crop).sum() == pytest.approx(120 * CROP_PX, rel=0.35)
    assert crops.warp(river, to_crop).shape == (CROP_PX, CROP_PX, 3)


def test_pixels_beyond_the_frame_are_never_learnt_from(loaded):
    river = Sampler([loaded["river"]], 1, {"water": 1.0})
    for index in range(10):
        sample = river.draw((3, index))
        batch = Batch.of([sample])
        assert (batch.weight[0, 0].numpy()[sample.unsure[0]] == 0).all()


def test_a_cut_object_is_filled_to_the_crops_edge_and_no_further(loaded):
    """What was mirrored into a crop used to be taken for background."""
    river = loaded["river"]
    to_crop = np.array([[0.5, 0, 0], [0, 0.5, 0]])
    mask, shown = crops.fill(river.objects[0], to_crop), crops.frame_mask(river, to_crop)
    assert mask[26:39, :].all()
    assert shown[:60].all()
    assert not shown[61:].any()


def test_the_band_where_a_label_may_be_wrong_lies_along_the_outline():
    mask = np.zeros((CROP_PX, CROP_PX), np.uint8)
    mask[100:200, :150] = 1
    band = crops.band_around(mask, 3)
    assert band[98:102, 50].all()
    assert not band[110:190, :140].any(), "the crop's own edge is no outline"
    assert not crops.band_around(mask, 0.5).any()


def test_regions_are_found_on_long_narrow_images():
    image = np.full((90, 1300, 3), 70, np.uint8)
    image[30:70, 500:700] = (200, 60, 30)
    [rings] = regions.find_regions(image, [])
    low, high = rings[0].min(axis=0), rings[0].max(axis=0)
    assert low == pytest.approx((500, 30), abs=8)
    assert high == pytest.approx((700, 70), abs=8)
    assert regions.find_regions(image, [[np.array([(480.0, 20.0), (720, 20), (720, 80), (480, 80)])]]) == []


@given(st.integers(0, 10_000))
def test_composed_parcels_and_roofs_lie_apart(seed):
    rng = np.random.default_rng(seed)
    ground = rng.integers(0, 255, (CROP_PX, CROP_PX, 3)).astype(np.uint8)
    made = parcels.farmland(ground, [], rng) if seed % 2 else parcels.village(ground, rng)
    image, masks = made
    assert image.shape == ground.shape
    assert masks.sum(axis=0).max(initial=0) <= 1
    assert all(mask.sum() >= parcels.SMALLEST_PARCEL_PX for mask in masks)


def square():
    mask = np.zeros((CROP_PX, CROP_PX), np.bool_)
    mask[60:200, 60:200] = True
    return lessons.Task(mask, np.zeros_like(mask), mask)


@pytest.mark.parametrize(("answer", "foreground"), [(-4.0, True), (4.0, False)])
def test_the_simulated_user_clicks_where_the_answer_is_wrong(answer, foreground):
    task = square()
    for seed in range(10):
        lesson = lessons.Lesson([task], (seed,))
        before = int((lesson.prompts().kinds >= 0).sum())
        lesson.answer(torch.full((1, CROP_PX, CROP_PX), answer))
        prompts = lesson.prompts()
        assert int((prompts.kinds >= 0).sum()) == before + 1
        col, row = prompts.clicks_xy[0, -1].int().tolist()
        assert bool(task.mask[row, col]) is foreground
        assert prompts.kinds[0, -1] == int(foreground)


def test_the_simulated_user_never_clicks_where_nobody_knows():
    task = square()
    unsure = ~task.mask
    given_up = lessons.wrong_click(
        lessons.Task(task.mask, unsure, task.mask), np.ones_like(task.mask), np.random.default_rng(0)
    )
    assert given_up is None


def test_the_first_click_on_two_objects_together_lies_in_the_one_that_is_asked_for_as_well(loaded):
    fields = Sampler([loaded["fields_one"]], 2, {"field": 1.0})
    drawn = [fields.draw((5, index)) for index in range(200)]
    together = [sample for sample in drawn if sample.first_in[0] == 1]
    for sample in together:
        assert (sample.masks[1] & ~sample.masks[0]).sum() == 0
        assert sample.masks[0].sum() > sample.masks[1].sum()


@given(st.integers(0, 10_000))
def test_rough_copies_are_probabilities(seed):
    copy = lessons.rough_copy(square().mask, np.random.default_rng(seed))
    assert copy.shape == (CROP_PX, CROP_PX)
    assert 0 <= copy.min() <= copy.max() <= 1


def test_unsure_pixels_change_no_loss():
    truth = torch.zeros(1, 1, 32, 32)
    truth[..., :16] = 1
    weight = torch.ones_like(truth)
    weight[..., 14:18] = 0
    good = torch.where(truth > 0, 6.0, -6.0)
    other = good.clone()
    other[..., 14:18] *= -1
    for one, two in zip(mask_losses(good, truth, weight), mask_losses(other, truth, weight), strict=True):
        assert torch.allclose(one, two)
    assert not torch.allclose(mask_losses(good, truth)[1], mask_losses(other, truth)[1])


def test_shards_hold_what_their_numbers_say(prepared, tmp_path):
    recipe = shards.Recipe(tuple(prepared), 2, 3)
    made = shards.Shards(recipe, tmp_path, disk_bytes=1)
    try:
        taken = made.samples(shards.SAMPLES - 1, 2)
    finally:
        made.close()
    sampler = Sampler([scenes.load(path) for path in prepared], 2)
    for number, sample in zip((shards.SAMPLES - 1, shards.SAMPLES), taken, strict=True):
        expected = sampler.draw((3, number))
        assert np.array_equal(sample.image, expected.image)
        assert np.array_equal(sample.masks, expected.masks)
        assert np.array_equal(sample.unsure, expected.unsure)
    assert len(list(tmp_path.glob("*.npz"))) <= 2, "used shards are deleted, and at least one is rendered ahead"


def batches(sampler, count):
    return [Batch.of([sampler.draw((8, number))]) for number in range(count)]


def test_a_run_that_goes_on_gives_the_same_weights_as_one_that_was_not_stopped(sampler, tmp_path):
    torch.manual_seed(0)
    whole = Trainer(SMALL, WEIGHTS)
    for batch in batches(sampler, 3):
        whole.update(batch)
    first = Trainer(SMALL, WEIGHTS)
    first.update(batches(sampler, 1)[0])
    first.save(tmp_path / "state.pt")
    second = Trainer(SMALL, WEIGHTS)
    second.resume(tmp_path / "state.pt")
    assert second.step == 1
    for batch in batches(sampler, 3)[1:]:
        second.update(batch)
    ours, theirs = second.averaged(), whole.averaged()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    shipped = load_file(WEIGHTS)
    assert not all(torch.equal(ours[name], shipped[name]) for name in theirs), "it has learnt something"


def test_rates_warm_up_and_fall_again_and_again():
    settings = Settings(warmup=10, cycle=100)
    rates = [learning_rate(step, settings) for step in range(320)]
    assert rates[0] < rates[9] == max(rates)
    assert rates[99] < 0.05 < 0.7 < rates[100] < 0.9
    assert rates[299] < 0.05 < rates[300]


def test_a_school_writes_what_it_did_and_its_weights_are_a_model(data, tmp_path):
    often = {"validate_every": school.LOG_EVERY, "validation_images": 2}
    options = school.Options((data,), tmp_path, threads=1, disk_bytes=1, steps=school.LOG_EVERY, **often)
    school.School(replace(SMALL, cycle=15), options).run()
    assert (tmp_path / "taught1.json").exists(), "the second cycle begins with what a teacher found"
    with (tmp_path / "log.csv").open() as file:
        [row] = csv.DictReader(file)
    assert int(row["step"]) == school.LOG_EVERY
    assert np.isfinite(float(row["loss"]))
    told = school.status(tmp_path)
    assert f"{school.LOG_EVERY} steps, {school.LOG_EVERY * 2} objects" in told
    assert "iou@1 all" in told
    [snapshot] = (tmp_path / "snapshots").iterdir()
    model = BuiltinModel(snapshot)
    embedding = model.encode(np.full((200, 300, 3), 90, np.uint8), np.ones((200, 300), np.bool_))
    [best, *_] = model.decode(embedding, PixelPrompts(np.array([[150.0, 100.0]]), np.array([True])))
    assert best.logits[100, 150] > 0


def test_status_where_nothing_was_trained(tmp_path):
    assert str(tmp_path) in school.status(tmp_path)


def children_of(pid):
    return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(condition, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_run_stops_on_a_signal_with_its_state_and_a_killed_one_leaves_no_process(data, tmp_path):
    command = [
        sys.executable,
        "-m",
        "rasterlasso.models.builtin.training",
        "--folder",
        str(tmp_path),
        "run",
        str(data),
        "--threads",
        "1",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    log = tmp_path / "output"

    def started():
        with log.open("wb") as output:
            return subprocess.Popen(command, stderr=output, env=environment)

    run = started()
    until(lambda: b"state in" in log.read_bytes() and any((tmp_path / "shards").glob("*.npz")))
    run.send_signal(signal.SIGTERM)
    assert run.wait(90) == 0, log.read_text()
    assert b"stopped at step" in log.read_bytes()
    assert (tmp_path / "state.pt").exists()
    run = started()
    until(lambda: b"state in" in log.read_bytes() and len(children_of(run.pid)) > 0)
    workers = children_of(run.pid)
    run.kill()
    run.wait(30)
    until(lambda: not any(is_alive(pid) for pid in workers))


def test_a_teacher_finds_what_nobody_labelled(tmp_path):
    """Bright lakes on even ground: whichever way they are looked at, they are the same."""
    image = np.full((700, 700, 3), 70, np.uint8)
    rows, cols = np.mgrid[:700, :700]
    image[np.hypot(rows % 350 - 175, cols % 350 - 175) < 110] = (40, 90, 220)
    origin = scenes.Origin("made", "water", 1.0, 1.0, False, 6.0)
    folder = tmp_path / "lake"
    folder.mkdir()
    scenes.save(scenes.Scene("lake", origin, scenes.halved(image), (), ()), folder)
    file = tmp_path / "taught1.json"
    assert teacher.teach_regions(load_file(WEIGHTS), [folder], file, lambda: True) == 0
    assert not file.exists(), "a stopped one leaves nothing"
    teacher.teach_regions(load_file(WEIGHTS), [folder], file, lambda: False)
    [shapes] = teacher.taught(file).values()
    lakes = [shape for shape in shapes if abs(shape.side_px - 220) < 25]
    assert lakes
    for shape in lakes:
        assert np.mod(shape.bounds, 350) == pytest.approx((65, 65, 285, 285), abs=12)
    recipe = shards.Recipe((folder,), 1, 0, file)
    assert len(recipe.scenes()[0].regions) == len(shapes)
    assert recipe.name != shards.Recipe((folder,), 1, 0).name


def test_validation_is_the_same_for_the_same_weights(prepared):
    _, held_apart = split(prepared)
    validation = Validation(held_apart, images_of_family=2)
    first, second = (validation.report(load_file(WEIGHTS)) for _ in range(2))
    assert first == second
    assert set(first.iou_at_1) == {"roof", "all"}
    assert 0.3 < first.score <= 1


def test_a_contact_sheet_shows_each_sample(data, tmp_path):
    import cv2

    sheet.draw_sheet((data,), tmp_path, 3, None, tmp_path / "sheet.png")
    picture = cv2.imread(str(tmp_path / "sheet.png"))
    assert picture.shape == (sheet.SHOWN_PX, sheet.COLUMNS * sheet.SHOWN_PX, 3)
    cells = [picture[:, start : start + sheet.SHOWN_PX] for start in range(0, 3 * sheet.SHOWN_PX, sheet.SHOWN_PX)]
    assert all(cell.std() > 0 for cell in cells)


def test_curves_are_drawn_of_what_was_written(tmp_path):
    import cv2

    from rasterlasso.models.builtin.training.curves import draw_curves

    (tmp_path / "log.csv").write_text("step,loss,iou@1\n20,1.5,0.5\n40,1.2,0.6\n")
    draw_curves(tmp_path, tmp_path / "before.png")
    (tmp_path / "validation.csv").write_text("step,iou@1 all\n20,0.5\n40,0.6\n")
    draw_curves(tmp_path, tmp_path / "after.png")
    before, after = (cv2.imread(str(tmp_path / name)) for name in ("before.png", "after.png"))
    assert before.shape == after.shape
    assert (before != after).any()
