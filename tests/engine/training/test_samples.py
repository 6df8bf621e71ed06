"""Training's own code on small scenes; what it gives is measured by the benchmark, not here."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rasterlasso.models.builtin.losses import mask_losses
from rasterlasso.models.builtin.training import (
    crops,
    lessons,
    parcels,
    reading,
    regions,
    scenes,
    shards,
)
from rasterlasso.models.builtin.training.sampler import Sampler
from rasterlasso.models.builtin.training.scenery import CROP_PX
from rasterlasso.models.builtin.training.trainer import Batch
from rasterlasso.models.builtin.training.validation import split


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
        x, y, *_ = shape.bounds
        to_crop = crops.inside_frame(crops.placing(x, y, 1.0, np.random.default_rng(0)), fields.size_wh_px)
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
