"""Small objects in a wide view are outlined as if one had zoomed, and mean the same."""

import numpy as np
import pytest
import shapely

from rasterlasso.contract.prompts import Box, Point, Prompts
from rasterlasso.contract.recipe import Recipe

SIDE = 4096
SQUARE_PX = (900, 700, 1060, 820)
"""x0, y0, x1, y1 of a small field on a large raster."""

CLICK = Prompts((Point(500_000 + 2 * 980, 4_500_000 - 2 * 760),))
WIDE = 2


@pytest.fixture
def image(make_raster):
    noise = np.random.default_rng(3).integers(0, 8, (1, SIDE, SIDE), np.uint8)
    data = 50 + noise
    x0, y0, x1, y1 = SQUARE_PX
    data[:, y0:y1, x0:x1] += 110
    return str(make_raster(data))


def iou_with_field(found):
    x0, y0, x1, y1 = SQUARE_PX
    field = shapely.box(500_000 + 2 * x0, 4_500_000 - 2 * y1, 500_000 + 2 * x1, 4_500_000 - 2 * y0)
    return found.polygon.intersection(field).area / found.polygon.union(field).area


def test_a_small_object_in_a_wide_view_is_outlined_at_a_finer_level(segmenter, image):
    plain = segmenter.segment(image, CLICK, level=WIDE)
    closer = segmenter.segment(image, CLICK, level=WIDE, closer=True)
    assert (plain.level, plain.view_level) == (WIDE, None)
    assert (closer.level, closer.view_level) == (0, WIDE)
    assert iou_with_field(closer) > iou_with_field(plain)
    assert iou_with_field(closer) > 0.97


def test_what_fills_its_tile_stays_at_the_level_that_was_asked_for(segmenter, image):
    found = segmenter.segment(image, CLICK, level=-1, closer=True)
    assert (found.level, found.view_level) == (-1, -1)


def test_hovering_tells_the_same_once_the_finer_tile_is_there(segmenter, image):
    shown = []
    segmenter.segment(image, CLICK, level=WIDE)  # encodes the wide tile alone
    first = segmenter.glance(image, CLICK, model="builtin", level=WIDE, closer=True)
    found = segmenter.segment(image, CLICK, level=WIDE, closer=True, on_part=lambda offer: shown.append(offer()))
    assert first is not None
    assert [each.polygon for each in shown] == [first.polygon]
    again = segmenter.glance(image, CLICK, model="builtin", level=WIDE, closer=True, most=3)
    assert again is not None
    assert again.candidates == found.candidates
    shown.clear()
    segmenter.segment(image, CLICK, level=WIDE, closer=True, on_part=lambda offer: shown.append(offer()))
    assert shown == []  # nothing takes a while any more


@pytest.mark.parametrize(
    "prompts",
    [
        Prompts((*CLICK.points, Point(500_000 + 2 * 700, 4_500_000 - 2 * 760, foreground=False))),
        Prompts(box=Box(500_000 + 2 * 895, 4_500_000 - 2 * 825, 500_000 + 2 * 1065, 4_500_000 - 2 * 695)),
    ],
)
def test_corrections_and_boxes_are_heeded_at_the_finer_level(segmenter, image, prompts):
    found = segmenter.segment(image, prompts, level=WIDE, closer=True)
    assert found.level == 0
    assert iou_with_field(found) > 0.95


def test_a_recipe_keeps_both_levels_and_gives_the_same(segmenter, image):
    found = segmenter.segment(image, CLICK, level=WIDE, closer=True)
    kept = Recipe.of(Recipe(CLICK, view_level=found.view_level).to_text())
    assert kept.view_level == WIDE
    again = segmenter.segment(image, kept.prompts, level=kept.view_level, closer=True)
    assert again.polygon.equals(found.polygon)
    assert Recipe.of(Recipe(CLICK).to_text()).view_level is None
