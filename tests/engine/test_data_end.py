"""Where data end beside an outline, on rasters with a frame and a corner of nodata."""

import numpy as np
import pytest
import shapely

from rasterlasso.engine.segmenting.data_end import data_end
from rasterlasso.engine.segmenting.session import Segmenter

ROWS, COLS, HOLE = 300, 400, 40


@pytest.fixture
def scene(make_raster, field_image):
    field_image[:, :HOLE, :HOLE] = 0
    segmenter = Segmenter(tile_px=128)
    yield segmenter.scene(str(make_raster(field_image, nodata=0)))
    segmenter.close()


def on_ground(scene, left, top, right, bottom):
    return shapely.transform(shapely.box(left, top, right, bottom), scene.source.to_map)


def in_pixels(scene, shape):
    return shapely.transform(shape, scene.source.to_pixel)


@pytest.mark.parametrize("level", [-1, 0, 1])
def test_the_strip_follows_nodata_beside_the_outline(scene, level):
    strip = data_end(scene, [on_ground(scene, HOLE, 10, 120, 100)], level)
    found = in_pixels(scene, strip)
    reach = 3 * 2.0**level
    assert found.covers(shapely.LineString([(HOLE, 10), (HOLE, HOLE - 1)]))
    assert shapely.box(HOLE - reach, 10 - reach, HOLE + reach, HOLE + reach).covers(found)


def test_the_strip_follows_the_frame(scene):
    found = in_pixels(scene, data_end(scene, [on_ground(scene, 300, 200, COLS, ROWS)], 0))
    assert found.covers(shapely.LineString([(COLS, 200), (COLS, ROWS), (300, ROWS)]))
    assert found.area == pytest.approx(200 * 3, rel=0.05)


def test_all_candidates_are_looked_at_and_where_data_go_on_there_is_no_strip(scene):
    inside, at_the_edge = on_ground(scene, 60, 100, 180, 180), on_ground(scene, 200, 100, COLS, 180)
    assert data_end(scene, [inside], 0) is None
    assert data_end(scene, [inside, at_the_edge], 0).equals(data_end(scene, [at_the_edge], 0))


def test_a_mosaic_of_tiles_is_read_in_pieces_that_leave_no_gap(scene):
    ring = on_ground(scene, 1, 1, COLS - 1, ROWS - 1)
    hole = in_pixels(scene, data_end(scene, [ring.difference(on_ground(scene, 0, 0, HOLE, HOLE))], 0))
    corner = shapely.LineString([(HOLE, 2), (HOLE, HOLE - 1), (HOLE - 1, HOLE), (2, HOLE)])
    assert hole.buffer(0.5).covers(corner)
    assert np.isfinite(shapely.get_coordinates(hole)).all()
