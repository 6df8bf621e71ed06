"""Training's own code on a small scene; what it gives is measured by the benchmark, not here."""

import csv

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine

from rasterlasso.models.base import PixelPrompts
from rasterlasso.models.builtin.model import BuiltinModel
from rasterlasso.models.builtin.scenery import CROP_PX
from rasterlasso.models.builtin.train import LOG_EVERY, ClickSession, Settings, Training
from rasterlasso.models.builtin.training_data import Sampler, read_scenes

UTM = Affine(2, 0, 500_000, 0, -2, 4_500_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A scene of nine fields, one with a hole."""
    place = tmp_path_factory.mktemp("train") / "fields_one"
    place.mkdir()
    rng = np.random.default_rng(4)
    image = 60 + rng.integers(0, 20, (3, 600, 600))
    shapes = []
    for row, col in np.ndindex(3, 3):
        top, left = 30 + 190 * row, 30 + 190 * col
        image[:, top : top + 150, left : left + 150] += rng.integers(20, 110, (3, 1, 1))
        shapes.append(shapely.box(left, top, left + 150, top + 150))
    shapes[4] = shapes[4].difference(shapely.box(280, 280, 320, 320))
    with rasterio.open(place / "image.tif", "w", "GTiff", 600, 600, 3, "EPSG:32613", UTM, "uint8") as dataset:
        dataset.write(image.astype(np.uint8))
    to_map = [2, 0, 0, -2, 500_000, 4_500_000]
    labels = geopandas.GeoSeries([shapely.affinity.affine_transform(s, to_map) for s in shapes], crs="EPSG:32613")
    labels.to_file(place / "labels.gpkg", layer="labels")
    return place.parent


@pytest.fixture(scope="module")
def scenes(folder):
    return read_scenes(folder)


def test_samples_follow_from_their_seed_and_show_objects(scenes):
    sampler = Sampler(scenes[0], 3)
    for index in range(12):
        sample, again = sampler.draw((1, index)), sampler.draw((1, index))
        assert np.array_equal(sample.image, again.image)
        assert np.array_equal(sample.masks, again.masks)
        assert sample.image.shape == (CROP_PX, CROP_PX, 3)
        assert sample.masks.shape == (3, CROP_PX, CROP_PX)
        assert sample.masks.any(axis=(1, 2)).all()


def test_shapes_lie_where_the_scene_has_them(scenes):
    [scene] = scenes[0]
    assert len(scene.objects) == 9
    assert scene.objects[0].bounds == pytest.approx((30, 30, 180, 180))
    assert len(scene.objects[4].rings) == 2


def test_the_simulated_user_clicks_where_the_answer_is_wrong():
    import torch

    masks = np.zeros((1, CROP_PX, CROP_PX), np.bool_)
    masks[0, 60:200, 60:200] = True
    session = ClickSession(masks, np.random.default_rng(1))
    before = session.prompts().kinds.shape[1]
    answer = torch.full((1, CROP_PX, CROP_PX), -4.0)
    session.answer(answer)
    prompts = session.prompts()
    assert prompts.kinds.shape[1] == before + 1
    col, row = prompts.clicks_xy[0, -1].int().tolist()
    assert masks[0, row, col]
    assert prompts.kinds[0, -1] == 1


def test_a_run_goes_on_where_it_was_stopped_and_gives_a_model(scenes, tmp_path):
    sampler = Sampler(scenes[0], 1)
    small = {"images": 2, "objects": 1, "rounds": 2, "bf16": False}
    Training(Settings(steps=2, **small), None, tmp_path).run(sampler)
    going_on = Training(Settings(steps=LOG_EVERY, **small), None, tmp_path)
    assert going_on.step == 2
    going_on.run(sampler)
    with (tmp_path / "log.csv").open() as file:
        [row] = csv.DictReader(file)
    assert int(row["step"]) == LOG_EVERY
    assert np.isfinite(float(row["loss"]))
    model = BuiltinModel(tmp_path / "clicknet.safetensors")
    embedding = model.encode(np.full((200, 300, 3), 90, np.uint8), np.ones((200, 300), np.bool_))
    [best, *_] = model.decode(embedding, PixelPrompts(np.array([[150.0, 100.0]]), np.array([True])))
    assert best.logits[100, 150] > 0
