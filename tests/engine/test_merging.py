"""Later clicks change the answer only around themselves."""

import torch

from rasterlasso.models.builtin.merging import FROM_CLICK, merged
from rasterlasso.models.builtin.network import NetWindow, PromptTensors

CELLS = 40


def asked(count, newest, previous):
    clicks = torch.tensor([[(80.0, 80.0)] * (count - 1) + [newest]])
    return PromptTensors(clicks, torch.ones(1, count, dtype=torch.int64), torch.zeros(1, 4), previous[None, None])


def square(row, col, side=6):
    cells = torch.zeros(CELLS, CELLS)
    cells[row : row + side, col : col + side] = 1
    return cells


def answers(mask, candidates=3):
    return (8 * mask - 4).repeat(1, candidates, 1, 1)


def test_a_change_around_the_newest_click_is_taken_and_one_far_away_is_not():
    before = square(18, 18)
    there, far = square(18, 24), square(2, 2)
    found = merged(answers((before + there + far).clamp(max=1)), 1, asked(FROM_CLICK, (4 * 26.0, 4 * 20.0), before))
    assert torch.equal(found[0, 1] > 0, before + there > 0)
    assert torch.equal(found[0, 0] > 0, before + there + far > 0), "the other candidates are left alone"


def test_what_the_newest_click_did_not_mean_is_not_taken_away():
    before = (square(18, 18) + square(2, 2)).clamp(max=1)
    found = merged(answers(square(18, 18)), 0, asked(FROM_CLICK, (4 * 20.0, 4 * 20.0), before))
    assert torch.equal(found[0, 0] > 0, before > 0)


def test_a_long_winding_change_is_followed_to_its_end():
    snake = torch.zeros(CELLS, CELLS)
    for index, row in enumerate(range(2, 38, 4)):
        snake[row, 2:38] = 1
        snake[row : row + 4, 37 if index % 2 == 0 else 2] = 1
    before = square(0, 0, 1)
    found = merged(answers((snake + before).clamp(max=1)), 0, asked(FROM_CLICK, (4 * 3.0, 4 * 2.0), before))
    assert bool((found[0, 0][snake > 0] > 0).all())


def test_early_clicks_may_change_everything():
    before, after = square(18, 18), square(2, 2)
    for count in range(1, FROM_CLICK):
        coarse = answers(after)
        assert merged(coarse, 0, asked(count, (80.0, 80.0), before)) is coarse
    coarse = answers(after)
    assert merged(coarse, 0, asked(FROM_CLICK, (80.0, 80.0), torch.zeros(CELLS, CELLS))) is coarse


def test_in_a_window_it_is_what_it_is_on_the_whole_tile():
    """Neither is square, so that rows, columns and corners can't be mixed up."""
    before = torch.zeros(32, 56)
    before[12:18, 30:40] = 1
    after = before.clone()
    after[8:12, 36:40] = 1  # at the click
    after[12:18, 20:24] = 1  # elsewhere
    clicks = torch.tensor([[(4 * 35.0, 4 * 15.0)] * (FROM_CLICK - 1) + [(4 * 38.0, 4 * 9.0)]])
    kinds = torch.ones(1, FROM_CLICK, dtype=torch.int64)
    prompts = PromptTensors(clicks, kinds, torch.zeros(1, 4), before[None, None])
    whole = merged(answers(after), 0, prompts)
    assert torch.equal(whole[0, 0] > 0, (after > 0) & ~((after > before) & (torch.arange(56) < 30)))
    window = NetWindow(32, 64, 96, 192)
    part = merged(window.of(answers(after), 4), 0, prompts.window(window))
    assert torch.equal(part, window.of(whole, 4))
