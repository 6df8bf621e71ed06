"""Boxes limit what is found, on a field that goes on beyond them."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from rasterlasso.contract.prompts import Box, Point, Prompts
from rasterlasso.engine.segmenting.box_limit import within_box
from rasterlasso.models.base import Candidate, PixelPrompts

FIELD = shapely.box(500_120, 4_499_640, 500_360, 4_499_800)
HALF = Box(500_110, 4_499_630, 500_240, 4_499_810)
"""Around the western half of the field."""


@pytest.fixture
def image(make_raster, field_image):
    return str(make_raster(field_image))


def test_clicks_after_a_box_do_not_lead_beyond_it(segmenter, image):
    points = tuple(Point(x, y) for x, y in ((500_200, 4_499_700), (500_160, 4_499_660), (500_230, 4_499_780)))
    found = segmenter.segment(image, Prompts(points, HALF)).polygon
    box = shapely.box(HALF.x0, HALF.y0, HALF.x1, HALF.y1)
    assert shapely.box(*box.buffer(8).bounds).covers(found)
    assert found.area == pytest.approx(FIELD.intersection(box).area, rel=0.08)


def test_a_click_beyond_the_box_says_otherwise(segmenter, image):
    points = (Point(500_200, 4_499_700), Point(500_330, 4_499_720))
    found = segmenter.segment(image, Prompts(points, HALF)).polygon
    assert found.area == pytest.approx(FIELD.area, rel=0.05)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(2, 40), st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_nothing_changes_within_the_box_and_nothing_is_left_beyond(left, top, width, height, seed):
    logits = np.random.default_rng(seed).normal(0, 3, (64, 64)).astype(np.float32)
    box = (float(left), float(top), float(left + width), float(top + height))
    nothing = PixelPrompts(np.empty((0, 2)), np.empty(0, np.bool_), box)
    [found] = within_box((Candidate(logits, 0.5),), nothing)
    inside = np.zeros((64, 64), np.bool_)
    inside[top : top + height, left : left + width] = True
    assert np.array_equal(found.logits[inside], logits[inside])
    slack = max(2.0, 0.03 * max(width, height)) + 1
    rows, cols = np.nonzero(found.logits > 0)
    if not np.array_equal(found.logits, logits):
        assert (rows + 0.5 > top - slack).all()
        assert (rows + 0.5 < top + height + slack).all()
        assert (cols + 0.5 > left - slack).all()
        assert (cols + 0.5 < left + width + slack).all()
