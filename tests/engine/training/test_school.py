"""A run of training: it goes on, stops, validates, teaches itself, and tells how it went."""

import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from rasterlasso.models.base import PixelPrompts
from rasterlasso.models.builtin.model import WEIGHTS, BuiltinModel
from rasterlasso.models.builtin.training import (
    scenes,
    school,
    shards,
    sheet,
    teacher,
)
from rasterlasso.models.builtin.training.trainer import Batch, Settings, Trainer, learning_rate
from rasterlasso.models.builtin.training.validation import Validation, split

SMALL = Settings(images=1, objects=2, rounds=2, late_share=0.5, late_rounds=2)


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


def test_every_few_steps_objects_are_as_large_as_a_tile(sampler):
    samples = [sampler.draw((8, number)) for number in range(5)]
    settings = replace(SMALL, images=5, wide_every=4)
    usual, wide = (Batch.of_step(samples, step, settings) for step in (3, 4))
    assert usual.images.shape == (5, 3, 320, 320)
    assert wide.images.shape == (2, 3, 640, 640)
    assert float(wide.truth.mean()) == pytest.approx(float(usual.truth[: len(wide.truth)].mean()), rel=0.02)
    trainer = Trainer(SMALL, WEIGHTS)
    assert np.isfinite(trainer.update(wide).loss)


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


def until(condition, seconds=300):
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
