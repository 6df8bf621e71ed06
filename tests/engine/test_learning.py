"""The model follows what was accepted, and forgets it when told."""

import numpy as np
import pytest
import shapely

import rasterlasso.engine.api as rl
from rasterlasso.benchmarks.baselines import FloodFill
from rasterlasso.contract.prompts import Point, Prompts
from rasterlasso.engine.segmenting.session import Segmenter
from rasterlasso.models.base import PixelPrompts
from rasterlasso.models.builtin.model import BuiltinModel

TILES_PX = [(top, left) for top in (30, 130) for left in (20, 120, 220, 320)]
"""Corners of squares of 60 px, each of two halves that differ: is it the half or the square that is meant?"""


@pytest.fixture(scope="module")
def base():
    return BuiltinModel()


@pytest.fixture(scope="module")
def image():
    pixels = 90 + np.random.default_rng(3).integers(0, 10, (220, 400, 3))
    for top, left in TILES_PX:
        pixels[top : top + 60, left : left + 30] += (80, 50, 20)
        pixels[top : top + 60, left + 30 : left + 60] += (50, 80, 20)
    return pixels.astype(np.uint8)


@pytest.fixture(scope="module")
def embedding(base, image):
    return base.encode(image, np.ones(image.shape[:2], np.bool_))


def square(top, left):
    mask = np.zeros((220, 400), np.bool_)
    mask[top : top + 60, left : left + 60] = True
    return mask


def first_click(top, left):
    return PixelPrompts(np.array([[left + 15.0, top + 30.0]]), np.array([True]))


def mean_iou(model, embedding, places):
    ious = []
    for place in places:
        inside, truth = model.decode(embedding, first_click(*place))[0].logits > 0, square(*place)
        ious.append((inside & truth).sum() / (inside | truth).sum())
    return np.mean(ious)


def test_what_was_accepted_helps_with_what_follows(base, embedding):
    before = mean_iou(base, embedding, TILES_PX[5:])
    own = base.learner()
    assert mean_iou(own, embedding, TILES_PX[5:]) == before
    for place in TILES_PX[:5] * 4:
        own.learn(embedding, square(*place), lambda: None)
    assert mean_iou(own, embedding, TILES_PX[5:]) > before
    assert mean_iou(base, embedding, TILES_PX[5:]) == before


def test_learning_stops_where_it_is_told_to_and_answers_stay_finite(base, embedding):
    own = base.learner()
    calls = []

    def stop_at_second():
        calls.append(1)
        if len(calls) == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        own.learn(embedding, square(*TILES_PX[0]), stop_at_second)
    own.learn(embedding, np.zeros((220, 400), np.bool_), lambda: None)
    [best, *_] = own.decode(embedding, first_click(*TILES_PX[0]))
    assert np.isfinite(best.logits).all()


CLICK = Prompts((Point(500_240.0, 4_499_720.0),))


def test_a_segmenter_learns_for_one_raster_and_forgets(make_raster, field_image):
    path, other = str(make_raster(field_image)), str(make_raster(field_image, "other.tif"))
    segmenter = Segmenter()
    before = segmenter.segment(path, CLICK)
    for _ in range(4):
        assert segmenter.learn(path, shapely.box(500_120, 4_499_640, 500_240, 4_499_800), level=before.level)

    def answer(image, learned):
        return segmenter.segment(image, CLICK, learned=learned).polygon

    assert not answer(path, learned=True).equals(before.polygon)
    assert answer(path, learned=False).equals(before.polygon)
    assert answer(other, learned=True).equals(before.polygon)
    segmenter.forget()
    assert answer(path, learned=True).equals(before.polygon)
    segmenter.close()


def test_a_model_that_can_not_learn_says_so(make_raster, field_image):
    segmenter = Segmenter(models=[FloodFill()])
    assert not segmenter.learn(str(make_raster(field_image)), shapely.box(0, 0, 1, 1), model="floodfill", level=0)
    segmenter.close()


def test_the_python_interface_learns(make_raster, field_image):
    with rl.open(make_raster(field_image)) as scene:
        found = scene.segment([(500_240.0, 4_499_720.0, True)])
        assert scene.learn(found)
        assert scene.segment([(500_240.0, 4_499_720.0, True)]).polygon.is_valid
