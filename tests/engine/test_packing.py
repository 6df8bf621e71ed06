"""Tiles as bytes: what is packed comes back, and what is not what was packed is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rasterlasso.engine.tiles.packing import StoredTile, pack, unpack

TILE = StoredTile({"a": np.arange(48, dtype=np.float32).reshape(4, 3, 4)}, np.ones((3, 4), np.bool_))


@given(arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 6)), elements=st.floats(-1e4, 1e4, width=32)))
def test_eight_bits_are_off_by_half_a_step_at_most(values):
    found = unpack(pack(StoredTile({"a": values}, np.ones((3, 5), np.bool_))))
    steps = (values.max(axis=1) - values.min(axis=1)) / 255
    assert (np.abs(found.features["a"] - values) <= 0.51 * steps[:, None] + 1e-3).all()
    assert found.valid.all()


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_bytes_that_are_not_what_was_packed_are_refused(place, change):
    data = pack(TILE)
    data[place % len(data)] ^= change
    with pytest.raises(ValueError, match=r"damaged|not written whole"):
        unpack(data)
