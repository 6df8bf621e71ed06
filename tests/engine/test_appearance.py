import numpy as np
import torch

from rasterlasso.models.builtin.appearance import sharpened

NO_CLICKS = torch.zeros((0, 3), dtype=torch.int64)


def picture(noise, contrast):
    """(3, 120, 160) in -0.5..0.5 with a brighter square at 40..80, 50..100; and where it is."""
    rng = np.random.default_rng(2)
    image = rng.normal(0, noise, (3, 120, 160)).astype(np.float32)
    truth = np.zeros((120, 160), bool)
    truth[40:80, 50:100] = True
    image[:, truth] += contrast
    return torch.from_numpy(image.clip(-0.5, 0.5)), torch.from_numpy(truth)


def soft(truth, shift):
    """Logits of a soft square that is `shift` pixels too large on each side."""
    rows, cols = torch.meshgrid(torch.arange(120.0), torch.arange(160.0), indexing="ij")
    inside = torch.minimum(
        torch.minimum(rows - 40 + shift, 80 + shift - 1 - rows), torch.minimum(cols - 50 + shift, 100 + shift - 1 - cols)
    )
    return (0.4 * inside + 0.2)[None]


def iou(logits, truth):
    inside = logits[0] > 0
    return float((inside & truth).sum() / (inside | truth).sum())


def test_an_outline_moves_to_where_the_colours_change():
    image, truth = picture(0.03, 0.4)
    for shift in (-3, 3):
        before = soft(truth, shift)
        assert iou(before, truth) < 0.8 < 0.9 < iou(sharpened(before, image, NO_CLICKS), truth)


def test_where_colours_tell_nothing_the_answer_stays():
    image, truth = picture(0.2, 0.0)
    before = soft(truth, 3)
    assert iou(sharpened(before, image, NO_CLICKS), before[0] > 0) > 0.97


def test_empty_and_full_answers_stay():
    image, _ = picture(0.03, 0.4)
    for value in (-5.0, 5.0):
        whole = torch.full((1, 120, 160), value)
        assert torch.equal(sharpened(whole, image, NO_CLICKS), whole)


def test_colours_that_contradict_a_click_do_not_count():
    image, truth = picture(0.03, 0.4)
    before = soft(truth, 3)
    inside_but_unwanted = torch.tensor([[60, 75, 0]])
    assert torch.equal(sharpened(before, image, inside_but_unwanted), before)
    agreed = torch.tensor([[60, 75, 1], [20, 20, 0]])
    assert iou(sharpened(before, image, agreed), truth) > 0.9
