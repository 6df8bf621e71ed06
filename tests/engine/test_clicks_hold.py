"""What a click says holds in each outline style."""

import numpy as np
import pytest
import shapely

from rasterlasso.contract.looks import PRESETS, Finish
from rasterlasso.contract.prompts import Point, Prompts

MIDDLE = Point(500_240, 4_499_720)
CORNERS = [(x, y) for x in (500_126, 500_354) for y in (4_499_646, 4_499_794)]


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "raw"])
def test_a_style_never_takes_in_or_leaves_out_a_click_against_what_it_says(segmenter, make_raster, field_image, name):
    """Straight sides and right angles put a corner back that a click had cut off."""
    path = str(make_raster(field_image))
    rng = np.random.default_rng(3)
    checked = 0
    for x, y in (corner for corner in CORNERS for _ in range(4)):
        dx, dy = rng.uniform(-9, 9, 2)
        clicks = (MIDDLE, Point(x + dx, y + dy, foreground=False))
        raw, styled = (segmenter.segment(path, Prompts(clicks), finish=finish).polygon for finish in (Finish(), PRESETS[name]))
        for click in clicks:
            place = shapely.Point(click.x, click.y)
            if raw.contains(place) == click.foreground and raw.boundary.distance(place) > 0.1:
                checked += 1
                assert styled.contains(place) == click.foreground, (name, click)
    assert checked > 20
