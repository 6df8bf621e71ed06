"""What a click is answered with besides the best: shapes of the ground, not of how it was looked at."""

import numpy as np
import pytest
import shapely

from rasterlasso.contract.prompts import Box, Point, Prompts
from rasterlasso.engine.rasters.ground import area_m2
from rasterlasso.engine.segmenting.session import Segmenter

FRAME_PX = 12
"""Answers follow the frame of the raster, a little inside of it."""

LONGEST_STRAIGHT_PX = 12
"""In native pixels, along a row or column of the sample's: contours of a network's answers are never that straight."""


@pytest.fixture(scope="module")
def segmenter():
    made = Segmenter()
    yield made
    made.close()


def straight_runs_px(ring_px):
    """Lengths of the parts of a ring that go along one row or column, as far as it follows one."""
    steps = np.diff(ring_px, axis=0)
    for axis in (0, 1):
        along = np.abs(steps[:, axis]) < 1e-3
        run = 0.0
        for is_straight, step in zip(along, steps[:, 1 - axis], strict=True):
            run = run + abs(step) if is_straight else 0.0
            yield run


@pytest.mark.parametrize("level", [-3, -2, -1])
@pytest.mark.parametrize("place", [(-105.845, 40.11), (-105.9, 40.2), (-105.75, 40.3), (-105.6, 40.2)])
def test_no_candidate_is_cut_along_a_ruler(segmenter, sample_image, place, level):
    found = segmenter.segment(str(sample_image), Prompts((Point(*place),)), model="builtin", level=level)
    source = segmenter.scene(str(sample_image)).source
    inner = shapely.box(*(FRAME_PX,) * 2, source.width_px - FRAME_PX, source.height_px - FRAME_PX)
    for candidate in found.candidates:
        shape = shapely.transform(candidate.polygon, source.to_pixel)
        for ring in shapely.get_rings(shapely.get_parts(shape)):
            edges = shapely.linestrings(np.stack((ring.coords[:-1], ring.coords[1:]), 1))
            corners = np.array(ring.coords)
            away = shapely.contains(inner, edges)
            longest = max(straight_runs_px(corners[np.flatnonzero(away)])) if away.sum() > 2 else 0
            assert longest < LONGEST_STRAIGHT_PX, candidate.score


def test_a_box_means_the_same_lake_at_each_level(segmenter, sample_image):
    box = Prompts(box=Box(-105.90, 40.12, -105.765, 40.18))
    found = [segmenter.segment(str(sample_image), box, model="builtin", level=level) for level in (-1, -2, -3)]
    areas = [area_m2(each.polygon, each.crs_wkt) for each in found]
    assert max(areas) < 1.05 * min(areas)
    assert areas == pytest.approx([29.4e6] * 3, rel=0.15)
