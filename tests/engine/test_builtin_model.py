"""What the trained network can do beyond the contract of every model."""

import numpy as np
import pytest
import torch

from rasterlasso.models.base import PixelPrompts
from rasterlasso.models.builtin.model import BuiltinModel

TRUTH = np.zeros((200, 260), np.bool_)
TRUTH[40:150, 30:140] = True


@pytest.fixture(scope="module")
def model():
    return BuiltinModel()


@pytest.fixture(scope="module")
def embedding(model):
    image = 90 + np.random.default_rng(3).integers(0, 12, (200, 260, 3))
    image[TRUTH] += (60, 90, 20)
    return model.encode(image.astype(np.uint8), np.ones(TRUTH.shape, np.bool_))


def prompts(*points, prior=None):
    xy = np.array([(x, y) for x, y, _ in points], np.float64).reshape(-1, 2)
    return PixelPrompts(xy, np.array([foreground for *_, foreground in points], np.bool_), None, prior)


def iou(candidate):
    inside = candidate.logits > 0
    return (inside & TRUTH).sum() / (inside | TRUTH).sum()


def test_a_prior_mask_alone_is_followed(model, embedding):
    prior = np.zeros(TRUTH.shape, np.float32)
    prior[44:146, 34:136] = 1
    assert iou(model.decode(embedding, prompts(prior=prior))[0]) > 0.8


def test_a_field_is_found_by_one_click_and_by_a_box(model, embedding):
    box = PixelPrompts(np.zeros((0, 2)), np.zeros(0, np.bool_), (25, 35, 145, 155))
    for asked in (prompts((85, 95, True)), box):
        assert iou(model.decode(embedding, asked)[0]) > 0.9


def test_an_answer_does_not_depend_on_what_was_asked_before(model, embedding):
    clicks = [(85, 95, True), (150, 160, False), (60, 60, True)]
    for count in (1, 2, 3):
        step_by_step = model.decode(embedding, prompts(*clicks[:count]))
    fresh = model.encode(np.zeros((1, 1, 3), np.uint8), np.ones((1, 1), np.bool_))
    fresh = type(fresh)(embedding.maps, embedding.valid)
    at_once = model.decode(fresh, prompts(*clicks))
    assert all(np.array_equal(a.logits, b.logits) for a, b in zip(step_by_step, at_once, strict=True))


def test_many_earlier_answers_do_not_pile_up(model, embedding):
    for x in range(10, 110):
        model.decode(embedding, prompts((x, 95, True)))
    assert len(embedding.answers) <= 64


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="it would work here")
def test_a_device_that_does_not_work_gives_way_to_the_cpu(caplog, field_image):
    model = BuiltinModel(device=torch.device("mps"))
    [message] = [record.getMessage() for record in caplog.records]
    assert "mps" in message
    embedding = model.encode(np.moveaxis(field_image, 0, -1).astype(np.uint8), np.ones((300, 400), np.bool_))
    assert model.decode(embedding, PixelPrompts(np.array([[120.0, 140.0]]), np.array([True])))
