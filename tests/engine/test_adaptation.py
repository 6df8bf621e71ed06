import torch
from hypothesis import given
from hypothesis import strategies as st

from rasterlasso.models.builtin.adaptation import corrected
from rasterlasso.models.builtin.network import PromptTensors

SIDE = 32


def prompts(*clicks):
    """Clicks as (column, row, kind) in cells."""
    xy = torch.tensor([[(4 * col + 2.0, 4 * row + 2.0) for col, row, _ in clicks]])
    kinds = torch.tensor([[kind for *_, kind in clicks]])
    return PromptTensors(xy, kinds, torch.zeros(1, 4), torch.zeros(1, 1, SIDE, SIDE))


def halves():
    """Features of unit length that differ between left and right."""
    embedded = torch.zeros(1, 2, SIDE, SIDE)
    embedded[:, 0, :, : SIDE // 2] = 1
    embedded[:, 1, :, SIDE // 2 :] = 1
    return embedded


def test_a_click_carries_what_is_near_and_alike():
    logits = corrected(torch.full((1, 3, SIDE, SIDE), -2.0), halves(), prompts((8, 16, 1)))
    assert (logits[0, :, 16, 8] > 0).all()
    assert (logits[0, :, 14:19, 6:11] > 0).all()
    assert (logits[0, :, :, SIDE // 2 :] < -1.9).all()


def test_what_is_right_already_stays():
    logits = torch.full((1, 3, SIDE, SIDE), 2.0)
    assert corrected(logits, halves(), prompts((8, 16, 1))) is logits
    assert corrected(logits, halves(), prompts((0, 0, -1))) is logits


places = st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(0, 1))


@given(st.lists(places, min_size=1, max_size=12, unique_by=lambda click: click[:2]))
def test_many_clicks_are_drawn_to_their_sides(clicks):
    spread = [(4 * col, 4 * row, kind) for col, row, kind in clicks]
    logits = corrected(torch.zeros(1, 1, SIDE, SIDE), halves(), prompts(*spread))
    assert torch.isfinite(logits).all()
    assert sum((2 * kind - 1) * logits[0, 0, row, col] for col, row, kind in spread) > 0
