"""What the finishing steps promise, on outlines of any shape and in any CRS."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely import affinity

from rasterlasso.contract.looks import PRESETS, Finish
from rasterlasso.engine.outlines.contours import polygonal
from rasterlasso.engine.outlines.finish import MIN_RIGHT_ANGLE_IOU, finished
from rasterlasso.engine.rasters.ground import area_m2, metres_per_pixel
from rasterlasso.engine.rasters.source import RasterSource

BLANK = np.zeros((1, 200, 300), np.uint8)
LONLAT = Affine(1e-5, 0, 10.0, 0, -1e-5, 60.0)


@pytest.fixture
def source(make_raster):
    with RasterSource(str(make_raster(BLANK))) as opened:
        yield opened


@pytest.fixture
def lonlat(make_raster):
    with RasterSource(str(make_raster(BLANK, transform=LONLAT, crs="EPSG:4326"))) as opened:
        yield opened


def on_map(source, shape_px):
    return shapely.transform(shape_px, source.to_map)


def in_px(source, shape):
    return shapely.transform(shape, source.to_pixel)


def right_angles(ring):
    edges = np.diff(np.asarray(ring.coords), axis=0)
    turns = np.degrees(np.arctan2(edges[:, 1], edges[:, 0]))
    return np.abs((np.diff(np.append(turns, turns[0])) + 180) % 360 - 180)


def wobbly(shape, seed=0):
    """An outline as a model draws it: vertices every two pixels, each off by a fraction of one."""
    xy = np.asarray(shape.segmentize(2.0).exterior.coords)[:-1]
    return shapely.Polygon(xy + np.random.default_rng(seed).normal(0, 0.3, xy.shape))


pieces = st.lists(
    st.tuples(st.floats(20, 280), st.floats(20, 180), st.floats(0.3, 60), st.floats(0.3, 60), st.floats(0, 90)),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pieces,
    st.builds(
        Finish,
        st.sampled_from([0.0, 0.5, 3.0]),
        st.booleans(),
        st.booleans(),
        st.sampled_from([0.0, 50.0]),
        st.sampled_from([-4.0, 0.0, 4.0]),
        straight_sides=st.booleans(),
    ),
)
def test_any_outline_stays_a_valid_right_handed_polygon(source, boxes, finish):
    shape = shapely.union_all([affinity.rotate(shapely.box(x, y, x + w, y + h), angle) for x, y, w, h, angle in boxes])
    found = finished(shapely.orient_polygons(on_map(source, shape)), source, 0, finish)
    assert found.is_valid
    assert found.area > 0
    for part in shapely.get_parts(found):
        assert part.exterior.is_ccw
        assert not any(hole.is_ccw for hole in part.interiors)
        xy = np.asarray(part.exterior.coords)
        assert (np.abs(np.diff(xy, axis=0)).max(axis=1) > 0).all()


def test_free_outlines_are_left_alone(source):
    shape = on_map(source, wobbly(shapely.box(40, 40, 120, 90)))
    assert finished(shape, source, 0, PRESETS["raw"]) is shape


@pytest.mark.parametrize("angle", [0, 17, 45, 80])
def test_a_building_gets_its_corners_back(source, angle):
    truth = affinity.rotate(
        shapely.Polygon([(60, 60), (160, 60), (160, 110), (110, 110), (110, 150), (60, 150)]), angle, origin=(110, 100)
    )
    found = in_px(source, finished(on_map(source, wobbly(truth)), source, 0, PRESETS["building"]))
    assert len(found.exterior.coords) - 1 == 6
    assert right_angles(found.exterior) == pytest.approx(np.full(6, 90), abs=0.01)
    assert found.intersection(truth).area / found.union(truth).area > 0.98


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 60), st.floats(0, 40), st.floats(15, 60), st.floats(15, 60)), min_size=1, max_size=3),
    st.floats(0, 90),
    st.integers(0, 99),
)
def test_every_corner_of_a_building_is_right(source, wings, angle, seed):
    """Wings that hang together, drawn as a model draws them, with spikes of a pixel or two."""
    roof = shapely.union_all([shapely.box(60 + x, 60 + y, 60 + x + w, 60 + y + h) for x, y, w, h in wings])
    roof = max(shapely.get_parts(roof), key=lambda part: part.area).buffer(0)
    drawn = polygonal(wobbly(affinity.rotate(shapely.Polygon(roof.exterior), angle, origin=(100, 90)), seed))
    found = in_px(source, finished(on_map(source, drawn), source, 0, PRESETS["building"]))
    assert found.geom_type == "Polygon"
    assert right_angles(found.exterior) == pytest.approx(np.full(len(found.exterior.coords) - 1, 90), abs=0.5)
    assert len(found.exterior.coords) - 1 <= 16
    lengths = np.hypot(*np.diff(np.asarray(found.exterior.coords), axis=0).T)
    assert lengths.min() > 1.5
    assert found.intersection(drawn).area / found.union(drawn).area > MIN_RIGHT_ANGLE_IOU


@pytest.mark.parametrize("angle", [0, 33, 70])
def test_a_field_has_straight_sides_and_the_corners_that_the_model_rounded(source, angle):
    truth = affinity.rotate(shapely.Polygon([(40, 50), (250, 40), (260, 120), (180, 160), (60, 150)]), angle, origin=(150, 100))
    drawn = wobbly(truth.buffer(-4).buffer(4))
    found = in_px(source, finished(on_map(source, drawn), source, 0, PRESETS["field"]))
    assert len(found.exterior.coords) - 1 == 5
    for corner in shapely.get_coordinates(truth):
        assert shapely.distance(shapely.MultiPoint(found.exterior.coords), shapely.Point(corner)) < 1.5
    assert found.intersection(truth).area / found.union(truth).area > 0.985


def test_a_field_bends_only_where_its_border_does(source):
    """A side along a river: the straight ones stay straight, the bend keeps within two pixels."""
    across = np.linspace(0, 200, 60)
    bend = np.stack((40 + across, 60 + 18 * np.sin(across / 32)), axis=1)
    truth = shapely.Polygon([*bend, (240, 170), (40, 170)])
    found = in_px(source, finished(on_map(source, wobbly(truth)), source, 0, PRESETS["field"]))
    assert 8 < len(found.exterior.coords) - 1 < 20
    assert sum(abs(y - 170) < 1.5 for _, y in found.exterior.coords[:-1]) == 2
    assert found.exterior.hausdorff_distance(truth.exterior) < 3
    assert found.intersection(truth).area / found.union(truth).area > 0.98


def test_the_longest_outline_is_straightened_with_its_holes(source):
    whole = shapely.Point(150, 100).buffer(90, quad_segs=400).difference(affinity.rotate(shapely.box(120, 80, 190, 130), 20))
    found = in_px(source, finished(on_map(source, whole), source, 0, Finish(straight_sides=True)))
    [hole] = found.interiors
    assert len(hole.coords) - 1 == 4
    assert found.intersection(whole).area / found.union(whole).area > 0.98


def test_a_chimney_is_no_courtyard(source):
    roof = shapely.box(40, 40, 140, 120)
    holed = roof.difference(shapely.box(60, 60, 64, 65)).difference(shapely.box(90, 70, 120, 100))
    found = in_px(source, finished(on_map(source, holed), source, 0, PRESETS["building"]))
    [courtyard] = found.interiors
    assert shapely.Polygon(courtyard).area == pytest.approx(900, rel=0.05)


def test_right_angles_are_not_forced_upon_round_things(source):
    pond = shapely.Point(100, 100).buffer(40, quad_segs=20).difference(shapely.Point(100, 100).buffer(34, quad_segs=20))
    found = in_px(source, finished(on_map(source, pond), source, 0, Finish(right_angles=True)))
    assert found.intersection(pond).area / found.union(pond).area > MIN_RIGHT_ANGLE_IOU


def test_simplification_keeps_within_its_tolerance(source):
    shape = wobbly(shapely.box(40, 40, 140, 120))
    found = in_px(source, finished(on_map(source, shape), source, 0, Finish(tolerance_px=1.5)))
    assert shapely.get_num_coordinates(found) < shapely.get_num_coordinates(shape) / 8
    assert found.hausdorff_distance(shape) <= 1.5 + 1e-6
    coarse = in_px(source, finished(on_map(source, shape), source, 2, Finish(tolerance_px=1.5)))
    assert coarse.hausdorff_distance(shape) <= 6 + 1e-6


def test_a_tolerance_in_metres_is_one_on_the_ground(source, lonlat):
    for opened in (source, lonlat):
        metres = metres_per_pixel(opened, np.array((150.0, 100.0)))
        shape = wobbly(shapely.box(40, 40, 140, 120))
        ground = shapely.transform(shape, lambda xy, metres=metres: xy * metres)
        found = in_px(opened, finished(on_map(opened, shape), opened, 0, Finish(tolerance_m=2.5)))
        assert shapely.get_num_coordinates(found) < shapely.get_num_coordinates(shape) / 2
        assert shapely.transform(found, lambda xy, metres=metres: xy * metres).hausdorff_distance(ground) <= 2.5 + 1e-3


def test_water_is_smooth_and_stays_where_it_was(source):
    lake = wobbly(shapely.Point(120, 100).buffer(60), seed=3)
    found = in_px(source, finished(on_map(source, lake), source, 0, PRESETS["water"]))
    assert np.max(right_angles(found.exterior)) < np.max(right_angles(lake.exterior))
    assert found.intersection(lake).area / found.union(lake).area > 0.97


def test_small_holes_are_filled_and_small_parts_dropped_by_true_area(lonlat):
    field = shapely.box(50, 50, 200, 150).difference(shapely.box(80, 80, 84, 84)).difference(shapely.box(120, 80, 150, 110))
    shape = shapely.union(field, shapely.box(220, 60, 224, 64))
    speck_m2 = area_m2(on_map(lonlat, shapely.box(80, 80, 84, 84)), lonlat.crs_wkt)
    kept = finished(on_map(lonlat, shape), lonlat, 0, Finish(min_area_m2=0.9 * speck_m2))
    assert shapely.get_num_geometries(kept) == 2
    cleaned = finished(on_map(lonlat, shape), lonlat, 0, Finish(min_area_m2=1.1 * speck_m2))
    assert shapely.get_num_geometries(cleaned) == 1
    assert len(cleaned.interiors) == 1


def test_growing_is_in_metres_whatever_the_crs(source, lonlat):
    for opened, width_m in ((source, 2.0), (lonlat, None)):
        metres = metres_per_pixel(opened, np.array((150.0, 100.0)))
        if width_m is not None:
            assert metres == pytest.approx(width_m, rel=1e-3)
        shape = shapely.box(100, 60, 180, 120)
        x0, y0, x1, y1 = in_px(opened, finished(on_map(opened, shape), opened, 0, Finish(grow_m=3.0))).bounds
        assert (100 - x0, x1 - 180) == pytest.approx((3 / metres[0], 3 / metres[0]), rel=0.01)
        assert (60 - y0, y1 - 120) == pytest.approx((3 / metres[1], 3 / metres[1]), rel=0.01)


def test_a_shape_that_would_vanish_stays(source):
    shape = on_map(source, shapely.box(100, 100, 102, 140))
    assert finished(shape, source, 0, Finish(grow_m=-10.0)).equals(shape)
