"""Objects larger than a tile, by the built-in model on small tiles."""

import geopandas
import numpy as np
import pytest
import shapely
from rasterio.features import rasterize

from rasterlasso.contract.prompts import Point, Prompts
from rasterlasso.engine.segmenting.session import Segmenter

TILE_PX = 512


def iou(a, b):
    return a.intersection(b).area / a.union(b).area


def to_map(xy_px):
    return np.column_stack((500_000 + 2 * xy_px[:, 0], 4_500_000 - 2 * xy_px[:, 1]))


def point(x_px, y_px, foreground=True):
    return Point(500_000 + 2 * x_px, 4_500_000 - 2 * y_px, foreground)


def river_px(width_px, margin_px=100):
    """A band of 220 px that winds through an image of 1,400 px height."""
    xs = np.arange(margin_px, width_px - margin_px + 1, 10.0)
    return shapely.Polygon(np.vstack((np.c_[xs, middle_px(xs) - 110], np.c_[xs, middle_px(xs) + 110][::-1])))


def middle_px(x_px):
    return 700 + 300 * np.sin(x_px / 520)


def painted(polygon_px, shape):
    rng = np.random.default_rng(5)
    inside = rasterize([polygon_px], shape, dtype=np.uint8)
    image = np.where(inside, 40 + rng.integers(0, 12, shape), 130 + rng.integers(0, 40, shape))
    return image.astype(np.uint8)[None]


@pytest.fixture
def segmenter():
    made = Segmenter(tile_px=TILE_PX)
    yield made
    made.close()


def longest_edge_on_a_tile_border_px(polygon_px):
    """The longest run of an outline along a line on which tiles, or their halves and quarters, begin."""
    longest = 0.0
    for ring in [ring for part in shapely.get_parts(polygon_px) for ring in (part.exterior, *part.interiors)]:
        xy = np.asarray(ring.coords)
        for axis in (0, 1):
            steps = np.abs(np.diff(xy[:, 1 - axis]))
            place = xy[:-1, axis]
            along = (np.abs(np.diff(xy[:, axis])) < 0.05) & (np.abs(place / 128 - np.rint(place / 128)) * 128 < 0.3)
            longest = max(longest, steps[along].max(initial=0.0))
    return longest


def test_a_river_of_many_tiles_is_one_seamless_polygon_from_one_click(segmenter, make_raster):
    river = river_px(5200)
    path = str(make_raster(painted(river, (1400, 5200))))
    found = segmenter.segment(path, Prompts((point(1000, middle_px(1000)),)), level=0)
    shape = shapely.transform(found.polygon, lambda xy: np.column_stack(((xy[:, 0] - 5e5) / 2, (4.5e6 - xy[:, 1]) / 2)))
    assert found.level == 0
    assert isinstance(shape, shapely.Polygon)
    assert iou(shape, river) > 0.97
    assert longest_edge_on_a_tile_border_px(shape) <= 3


def test_a_click_costs_what_it_may_and_the_same_asked_again_goes_on(make_raster):
    river = river_px(5200)
    path = str(make_raster(painted(river, (1400, 5200))))
    prompts = Prompts((point(1000, middle_px(1000)),))
    whole, first = (Segmenter(tile_px=TILE_PX) for _ in range(2))
    expected = whole.segment(path, prompts, level=0)
    part = first.segment(path, prompts, level=0, most_tiles=4)
    assert part.tiles_left > 4
    assert part.polygon.contains(shapely.Point(prompts.points[0].x, prompts.points[0].y))
    rest = first.segment(path, prompts, level=0)
    assert (expected.tiles_left, rest.tiles_left) == (0, 0)
    assert iou(rest.polygon, expected.polygon) > 0.999
    for made in (whole, first):
        made.close()


def test_a_long_thin_river_goes_on_where_only_its_far_end_reaches_the_next_tile(make_raster):
    xs = np.arange(37, 2963, 2.0)
    middle = 375 + 162 * np.sin(xs / 375)
    river = shapely.Polygon(np.vstack((np.c_[xs, middle - 44], np.c_[xs, middle + 44][::-1])))
    segmenter = Segmenter()
    found = segmenter.segment(
        str(make_raster(painted(river, (750, 3000)))), Prompts((point(1500, 375 + 162 * np.sin(4)),)), level=0
    )
    segmenter.close()
    assert iou(found.polygon, shapely.transform(river, to_map)) > 0.95


def test_small_tiles_give_what_one_tile_gives(segmenter, make_raster):
    shape = shapely.Point(460, 420).buffer(350).difference(shapely.Point(800, 400).buffer(90))
    path, click = str(make_raster(painted(shape, (900, 1000)))), Prompts((point(420, 420),))
    one = Segmenter()
    assert iou(segmenter.segment(path, click, level=0).polygon, one.segment(path, click, level=0).polygon) > 0.98
    one.close()


def test_what_leaves_the_raster_is_closed_at_its_frame(segmenter, make_raster):
    sea = shapely.Polygon([(0, 0), (3000, 0), (3000, 600), (2200, 840), (1200, 660), (0, 1040)])
    path = str(make_raster(painted(sea, (1400, 3000))))
    found = segmenter.segment(path, Prompts((point(1400, 300),)), level=0)
    assert iou(found.polygon, shapely.transform(sea, to_map)) > 0.97
    x0, _y0, x1, y1 = found.polygon.bounds
    assert (x0, x1, y1) == pytest.approx((500_000, 506_000, 4_500_000), abs=0.1)


def test_a_far_correction_changes_its_surroundings_only(segmenter, make_raster):
    river = river_px(5200)
    path = str(make_raster(painted(river, (1400, 5200))))
    first = point(1000, middle_px(1000))
    before = segmenter.segment(path, Prompts((first,)), level=0).polygon
    asked = []
    on_bank = point(4400, middle_px(4400) + 150)
    after = segmenter.segment(path, Prompts((first, on_bank)), level=0, on_part=asked.append).polygon
    assert after.contains(shapely.Point(on_bank.x, on_bank.y))
    changed = before.symmetric_difference(after)
    assert changed.bounds[0] > 500_000 + 2 * 3000
    assert len(asked) < 20


def test_prompts_have_one_answer_whatever_was_asked_before(make_raster):
    river = river_px(3600)
    path = str(make_raster(painted(river, (1400, 3600))))
    first, second = point(1000, middle_px(1000)), point(3000, 80, False)
    patient, hasty = Segmenter(tile_px=TILE_PX), Segmenter(tile_px=TILE_PX)
    patient.segment(path, Prompts((first,)), level=0)
    answers = [each.segment(path, Prompts((first, second)), level=0).polygon for each in (patient, hasty)]
    assert answers[0].equals(answers[1])
    patient.close()
    hasty.close()


def test_parts_grow_and_a_stopped_one_goes_on_later(segmenter, make_raster):
    class Enough(Exception):
        pass

    river = river_px(3600)
    path, click = str(make_raster(painted(river, (1400, 3600)))), Prompts((point(1000, middle_px(1000)),))
    parts = []

    def stop_after_some(offer):
        parts.append(offer().polygon)
        if len(parts) == 5:
            raise Enough

    with pytest.raises(Enough):
        segmenter.segment(path, click, level=0, on_part=stop_after_some)
    assert parts[-1].area > parts[0].area
    assert all(part.is_valid for part in parts)
    stages = []
    whole = segmenter.segment(path, click, level=0, checkpoint=lambda stage, fraction: stages.append(stage)).polygon
    assert iou(whole, shapely.transform(river, to_map)) > 0.97
    fresh = Segmenter(tile_px=TILE_PX)
    assert fresh.segment(path, click, level=0).polygon.equals(whole)
    fresh.close()


def test_real_lakes_on_small_tiles(data):
    """A lake of two thirds of a tile is found as well on tiles of half the size, and mostly alike."""
    path = str(data / "scenes" / "water_naip_nd_2015_5m_west" / "image.tif")
    lakes = geopandas.read_file(data / "scenes" / "water_naip_nd_2015_5m_west" / "labels.gpkg")
    one, small = Segmenter(), Segmenter(tile_px=512)
    right, alike = [], []
    for lake in lakes[lakes.inside_frac > 0.99].nlargest(5, "area_px").geometry:
        x0, y0, x1, y1 = lake.bounds
        x, y = shapely.maximum_inscribed_circle(lake).coords[0]
        level = round(np.log2(max(x1 - x0, y1 - y0) / 5 / 683))
        whole, pieced = [each.segment(path, Prompts((Point(x, y),)), level=level).polygon for each in (one, small)]
        right.append((iou(whole, lake), iou(pieced, lake)))
        alike.append(iou(whole, pieced))
    on_one, on_small = np.mean(right, axis=0)
    assert on_small > on_one - 0.02
    assert np.median(alike) > 0.98
    one.close()
    small.close()


def test_answers_to_go_on_from_take_a_limited_memory(segmenter, make_raster, monkeypatch):
    """They were limited by their number alone: those of 32 large lakes took gigabytes."""
    river = river_px(2000)
    path = str(make_raster(painted(river, (1400, 2000))))
    for number in range(6):
        segmenter.segment(path, Prompts((point(600 + 20 * number, middle_px(600 + 20 * number)),)), level=0)
    weights = [found.nbytes for found, _ in segmenter._answered._kept.values()]
    assert min(weights) > 100_000, "of each the tiles' answers are kept"
    assert segmenter._answered.weight == sum(weights), "each weighs what it takes now"
    monkeypatch.setattr(segmenter._answered, "_limit", 2 * max(weights))
    segmenter.segment(path, Prompts((point(900, middle_px(900)),)), level=0)
    assert segmenter._answered.weight <= 2 * max(weights)


def test_hundreds_of_clicks_are_answered_afresh(make_raster):
    """Each click's answer asked for the one before it, until Python's own limit."""
    image = np.full((1, 200, 200), 60, np.uint8)
    image[0, 40:160, 40:160] = 180
    path = str(make_raster(image))
    rng = np.random.default_rng(0)
    points = tuple(point(float(x), float(y)) for x, y in rng.uniform(45, 155, (400, 2)))
    segmenter = Segmenter(tile_px=256)
    try:
        found = segmenter.segment(path, Prompts(points), level=0)
    finally:
        segmenter.close()
    assert iou(found.polygon, shapely.box(500_080, 4_499_680, 500_320, 4_499_920)) > 0.9
