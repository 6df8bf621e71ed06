import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from rasterlasso.models.click_simulation import Click, first_click, next_click

masks = arrays.arrays(np.bool_, st.tuples(st.integers(1, 24), st.integers(1, 24)))


def test_the_first_click_is_farthest_from_the_outline():
    mask = np.zeros((60, 80), np.bool_)
    mask[10:31, 20:41] = True
    mask[15:18, 41:70] = True
    assert first_click(mask) == Click(20, 30, True)


def test_the_frame_counts_as_outline():
    assert first_click(np.ones((21, 31), np.bool_)).row == 10


def test_the_next_click_is_in_the_largest_wrong_region():
    truth = np.zeros((60, 80), np.bool_)
    truth[10:30, 10:30] = True
    answer = truth.copy()
    answer[10:30, 10:13] = False
    answer[40:55, 40:55] = True
    assert next_click(truth, answer) == Click(47, 47, False)
    answer[40:55, 40:55] = False
    click = next_click(truth, answer)
    assert click.foreground
    assert click.col == 11


@given(masks, st.data())
def test_a_next_click_is_always_on_a_wrong_pixel(truth, data):
    answer = data.draw(arrays.arrays(np.bool_, truth.shape))
    click = next_click(truth, answer)
    if click is None:
        assert (truth == answer).all()
    else:
        assert truth[click.row, click.col] == click.foreground != answer[click.row, click.col]
