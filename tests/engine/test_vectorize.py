import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rasterlasso.engine.outlines.contours import MIN_HOLE_PX, TOLERANCE_PX, outline, outline_of_mosaic, polygonal, simplified
from rasterlasso.engine.spreading.mosaic import OneTile
from rasterlasso.engine.spreading.spread import refinement
from rasterlasso.engine.tiles.grid import TileGrid

NOWHERE = np.empty((0, 2))


def logits_of(mask):
    return np.where(mask, 4, -4).astype(np.float32)


def disc(shape, center_xy, radius):
    rows, cols = np.indices(shape) + 0.5
    return radius - np.hypot(cols - center_xy[0], rows - center_xy[1])


@settings(deadline=None)
@given(arrays(np.float32, st.tuples(st.integers(1, 24), st.integers(1, 24)), elements=st.floats(-20, 20, width=32)))
def test_any_logits_give_a_valid_polygon_near_their_mask(logits):
    found = outline(logits, NOWHERE, NOWHERE)
    if found is None:
        assert logits.max() < 1e-3  # what is inside by less has no area that a double can tell
        return
    assert found.is_valid
    assert found.area > 0
    rows, cols = logits.shape
    assert shapely.box(-1e-6, -1e-6, cols + 1e-6, rows + 1e-6).covers(found)


@settings(deadline=None)
@given(
    arrays(np.bool_, st.tuples(st.integers(3, 16), st.integers(3, 16))),
    st.floats(0.1, 0.5),
)
def test_what_is_simplified_stays_valid_and_near(mask, tolerance):
    shape = polygonal(shapely.union_all([shapely.box(x, y, x + 1, y + 1) for y, x in np.argwhere(mask)]))
    if shape is None:
        return
    found = simplified(shape, tolerance)
    assert found.is_valid
    assert shapely.get_num_coordinates(found) <= shapely.get_num_coordinates(shape)
    # GEOS keeps within twice the tolerance where parts touch or a ring would collapse.
    assert found.boundary.hausdorff_distance(shape.boundary) <= 2 * tolerance + 1e-9


def test_a_ring_does_not_lose_the_vertex_that_keeps_it_off_another():
    below = shapely.Polygon([(0, 0), (9, 0), (10, 1.2), (11, 0), (20, 0), (20, -9), (0, -9)])
    above = shapely.Polygon([(0, 0.6), (9, 0.6), (10, 1.3), (11, 0.6), (20, 0.6), (20, 9), (0, 9)])
    found = simplified(shapely.MultiPolygon([below, above]), 1.0)
    assert found.is_valid
    assert len(found.geoms) == 2
    assert found.hausdorff_distance(shapely.MultiPolygon([below, above])) <= 1


def test_a_disc_is_outlined_to_a_fraction_of_a_pixel():
    circle = shapely.Point(50.3, 41.8).buffer(30, quad_segs=90)
    found = outline(disc((90, 100), (50.3, 41.8), 30).astype(np.float32), NOWHERE, NOWHERE)
    assert found.hausdorff_distance(circle) < TOLERANCE_PX + 0.1
    assert found.area == pytest.approx(circle.area, rel=0.01)


def test_a_mask_over_the_whole_tile_ends_at_its_frame():
    found = outline(np.full((40, 60), 5, np.float32), NOWHERE, NOWHERE)
    assert found.equals(shapely.box(0, 0, 60, 40))
    assert len(found.exterior.coords) == 5


def test_parts_without_a_foreground_click_are_dropped():
    mask = np.zeros((60, 120), bool)
    mask[10:50, 10:50] = mask[10:50, 70:110] = True
    clicked = outline(logits_of(mask), np.array([[90.0, 30.0]]), NOWHERE)
    assert clicked.geom_type == "Polygon"
    assert clicked.bounds[0] > 60
    assert outline(logits_of(mask), NOWHERE, NOWHERE).geom_type == "MultiPolygon"


def test_small_holes_close_unless_a_background_click_made_them():
    mask = np.zeros((60, 60), bool)
    mask[10:50, 10:50] = True
    mask[20:23, 20:23] = False
    mask[30:40, 30:40] = False
    found = outline(logits_of(mask), NOWHERE, NOWHERE)
    assert len(found.interiors) == 1
    assert shapely.Polygon(found.interiors[0]).area > MIN_HOLE_PX
    assert len(outline(logits_of(mask), NOWHERE, np.array([[21.5, 21.5]])).interiors) == 2


def test_one_extreme_logit_does_not_move_the_outline():
    logits = logits_of(np.indices((20, 20))[1] < 10)
    calm = outline(logits, NOWHERE, NOWHERE)
    logits[10, 10] = -1e6
    assert outline(logits, NOWHERE, NOWHERE).hausdorff_distance(calm) < 0.5


def test_bow_ties_and_lines_become_areas_or_nothing():
    bow_tie = polygonal(shapely.Polygon([(0, 0), (4, 4), (4, 0), (0, 4)]))
    assert bow_tie.is_valid
    assert bow_tie.area == pytest.approx(8)
    assert polygonal(shapely.LineString([(0, 0), (1, 1)])) is None


def test_an_object_on_a_giant_grid_is_outlined_at_once():
    grid = TileGrid(1 << 26, 1 << 26, 256)  # as of map servers: more tiles than could be walked
    first = grid.tile_at(1, 30_000_000, 30_000_000)
    box = grid.box(first)
    coarse = OneTile(grid, first, disc((256, 256), (128, 128), 120).astype(np.float32))
    spread = refinement(grid, coarse, {first})
    found = outline_of_mosaic(grid, spread.mosaic, spread.outlined, NOWHERE, NOWHERE)
    assert found.is_valid
    assert found.area == pytest.approx(np.pi * 240**2, rel=0.01)
    assert not found.interiors
    assert found.centroid.coords[0] == pytest.approx((2 * (box.left + 128), 2 * (box.top + 128)), abs=2)
