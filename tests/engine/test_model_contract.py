"""What every model in the registry must keep."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rasterlasso.models import registry
from rasterlasso.models.base import PixelPrompts
from rasterlasso.models.library.families import FAMILIES
from rasterlasso.models.sam.model import SamModel

KINDS = [kind for kind, family in FAMILIES.items() if family.library == "transformers"]


@pytest.fixture(scope="module", params=["builtin", *KINDS])
def model(request, sam_folder):
    if request.param in KINDS:
        return SamModel(request.param, sam_folder(request.param))
    return registry.entry(request.param).load()


@pytest.fixture(scope="module")
def scene():
    """A noisy (200, 260) image of fields with an invalid corner."""
    rng = np.random.default_rng(3)
    image = 90 + rng.integers(0, 12, (200, 260, 3))
    image[40:150, 30:140] += (60, 90, 20)
    image[60:120, 160:240] += (20, 10, 110)
    valid = np.ones((200, 260), np.bool_)
    valid[:30, :40] = False
    return image.astype(np.uint8), valid


@pytest.fixture(scope="module")
def embedding(model, scene):
    return model.encode(*scene)


def prompts(points=(), box=None):
    xy = np.array([(x, y) for x, y, _ in points], np.float64).reshape(-1, 2)
    return PixelPrompts(xy, np.array([foreground for *_, foreground in points], np.bool_), box)


def check(candidates, given_prompts, valid):
    assert 1 <= len(candidates) <= 3
    assert [c.score for c in candidates] == sorted((c.score for c in candidates), reverse=True)
    for candidate in candidates:
        assert candidate.logits.shape == valid.shape
        assert candidate.logits.dtype == np.float32
        assert np.isfinite(candidate.logits).all()
        assert 0 <= candidate.score <= 1
        assert not (candidate.logits[~valid] > 0).any()
        for pixel, foreground in given_prompts.pixels(valid.shape).items():
            if valid[pixel]:
                assert (candidate.logits[pixel] > 0) == foreground, (pixel, foreground)


@pytest.mark.parametrize("clicks", [(), ((100, 90, False), (60, 60, True))])
def test_a_prior_alone_is_answered_and_clicks_upon_it_are_obeyed(model, embedding, scene, clicks):
    _, valid = scene
    prior = np.zeros(valid.shape, np.float32)
    prior[45:145, 35:135] = 1
    given_prompts = replace(prompts(clicks), prior=prior)
    check(model.decode(embedding, given_prompts), given_prompts, valid)


points = st.tuples(st.floats(0, 259.99), st.floats(0, 199.99), st.booleans())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(points, max_size=12), st.tuples(st.floats(45, 259), st.floats(35, 199)))
def test_every_click_is_obeyed(model, embedding, scene, clicks, first):
    most = 12 if model.name == "builtin" else 2  # the others are slow, and each click asks for those before it
    asked = prompts([*clicks[:most], (*first, True)])
    check(model.decode(embedding, asked), asked, scene[1])


@pytest.mark.parametrize("box", [(25, 35, 145, 155), (150, 55, 245, 125), (-20, -20, 400, 400), (100, 100, 100.5, 100.5)])
def test_boxes_alone_and_with_clicks(model, embedding, scene, box):
    for clicks in ([], [(90, 100, True)], [(90, 100, True), (50, 60, False)], [(50, 60, False)]):
        asked = prompts(clicks, box)
        candidates = model.decode(embedding, asked)
        if candidates:
            check(candidates, asked, scene[1])


def test_the_same_prompts_give_the_same_answer(model, scene):
    asked = prompts([(85, 95, True), (200, 90, False), (100, 60, True)])
    first, second = (model.decode(model.encode(*scene), asked) for _ in range(2))
    assert all(np.array_equal(a.logits, b.logits) and a.score == b.score for a, b in zip(first, second, strict=True))


def test_contradicting_clicks_on_one_pixel_obey_the_newest(model, embedding, scene):
    asked = prompts([(85.2, 95.2, False), (85.7, 95.7, True)])
    check(model.decode(embedding, asked), asked, scene[1])


def test_forty_clicks(model, embedding, scene):
    rng = np.random.default_rng(5)
    clicks = [
        (x, y, bool(f))
        for x, y, f in zip(rng.uniform(45, 259, 40), rng.uniform(35, 199, 40), rng.integers(0, 2, 40), strict=True)
    ]
    asked = prompts([*clicks, (200, 90, True)])
    check(model.decode(embedding, asked), asked, scene[1])


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 2), (64, 64), (13, 1024)])
@pytest.mark.parametrize("content", ["constant", "noise", "half valid"])
def test_small_and_plain_tiles(model, shape, content):
    image = np.full((*shape, 3), 128, np.uint8)
    if content == "noise":
        image = np.random.default_rng(1).integers(0, 255, (*shape, 3)).astype(np.uint8)
    valid = np.ones(shape, np.bool_)
    if content == "half valid":
        valid[:, : shape[1] // 2] = False
    asked = prompts([(shape[1] - 0.5, shape[0] / 2, True)])
    check(model.decode(model.encode(image, valid), asked), asked, valid)


def test_a_tile_without_valid_pixels_finds_nothing(model):
    embedding = model.encode(np.zeros((50, 60, 3), np.uint8), np.zeros((50, 60), np.bool_))
    assert model.decode(embedding, prompts([(30, 25, True)])) == ()


def test_bytes_are_counted(model, embedding):
    assert embedding.nbytes >= 200 * 260


def test_the_best_does_not_depend_on_how_many_are_asked_for(model, embedding, scene):
    asked = prompts([(90, 100, True), (50, 60, False)])
    [alone] = model.decode(embedding, asked, most=1)
    best = model.decode(embedding, asked)[0]
    assert alone.score == best.score
    np.testing.assert_allclose(alone.logits, best.logits, atol=1e-4)
    assert len(model.decode(embedding, asked, most=2)) <= 2
