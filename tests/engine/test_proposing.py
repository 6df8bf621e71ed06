"""Objects that nobody clicked: like some that are known, and all of a size."""

import geopandas
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from rasterlasso.contract.errors import AreaTooLarge, NoExamples, PolygonUnusable, SearchForgotten, SizeUnknown
from rasterlasso.contract.prompts import Point
from rasterlasso.contract.proposals import AnswersParams, EverythingParams, Proposal, SimilarParams
from rasterlasso.contract.requests import Shape
from rasterlasso.engine import cli
from rasterlasso.engine.proposing.distinct import OVERLAP, distinct
from rasterlasso.engine.proposing.proposals import Found, Sizes, tiles_of
from rasterlasso.engine.proposing.ranking import Ranking
from rasterlasso.engine.proposing.settling import Settling
from rasterlasso.engine.segmenting.session import Segmenter
from rasterlasso.engine.tasks.table import TASKS
from rasterlasso.engine.tiles.disk_store import TileStore
from rasterlasso.engine.tiles.grid import Tile, TileGrid

SIDE = 64
CORNERS = [(30 + 120 * column, 25 + 115 * row) for row in range(2) for column in range(3)]
"""Left and top pixel of each of six equal roofs."""

ALL = list(range(len(CORNERS)))
SMALL_TILE_PX = 384
"""The roofs are looked for at twice the resolution: on 720 × 440 px, so on several tiles, and seams run through them."""


@pytest.fixture
def image(make_raster):
    picture = 70 + np.random.default_rng(3).integers(0, 14, (3, 220, 360))
    for left, top in CORNERS:
        picture[0, top : top + SIDE, left : left + SIDE] += 110
        picture[1:, top : top + SIDE, left : left + SIDE] += 40
    return str(make_raster(picture.astype(np.uint8)))


def roof(number):
    left, top = CORNERS[number]
    x, y = 500_000 + 2 * left, 4_500_000 - 2 * top
    return shapely.box(x, y - 2 * SIDE, x + 2 * SIDE, y)


def shapes(*polygons):
    return tuple(Shape(number, shapely.to_wkb(each, hex=True)) for number, each in enumerate(polygons))


def run(segmenter, task, params, checkpoint=lambda stage, fraction: None):
    return list(TASKS[task].run(segmenter, params, checkpoint))


def iou(a, b):
    return a.intersection(b).area / a.union(b).area


def found_roofs(proposals):
    return [number for number in ALL if any(iou(each.found.polygon, roof(number)) > 0.8 for each in proposals)]


@pytest.fixture
def engine():
    made = Segmenter(tile_px=SMALL_TILE_PX)
    yield made
    made.close()


def test_the_rest_is_found_once_each_whichever_tiles_it_lies_on(engine, image):
    told = []
    proposals = run(
        engine, "find_similar", SimilarParams(image, shapes(roof(0), roof(5))), lambda stage, fraction: told.append(fraction)
    )
    likely = [each for each in proposals if each.likeness > 0.4]
    assert found_roofs(likely) == [1, 2, 3, 4]
    assert len(likely) == 4
    assert [each.likeness for each in proposals] == sorted((each.likeness for each in proposals), reverse=True)
    assert all(each.area_m2 == pytest.approx((2 * SIDE) ** 2, rel=0.1) for each in likely)
    assert told == sorted(told)
    assert max(told) < 1


def test_a_click_gives_what_was_proposed(engine, image):
    for each in run(engine, "find_similar", SimilarParams(image, shapes(roof(0)))):
        again = engine.segment(image, each.prompts, level=each.found.level)
        polygons = [candidate.polygon for candidate in again.candidates]
        assert any(polygon.equals(each.found.polygon) for polygon in polygons)
        if each.choice is None:
            assert again.polygon.equals(each.found.polygon)
        assert Proposal.from_wire(each.to_wire()).prompts == each.prompts


def test_answers_count_at_once_and_can_be_taken_back(engine, image):
    proposals = run(engine, "find_similar", SimilarParams(image, shapes(roof(0))))
    numbers = [each.id for each in proposals]
    accepted, rejected = numbers[:1], numbers[-1:]
    left = run(engine, "answer_similar", AnswersParams(tuple(accepted), tuple(rejected)))
    assert not {each.id for each in left} & {*accepted, *rejected}
    assert [each.likeness for each in left] == sorted((each.likeness for each in left), reverse=True)
    again = run(engine, "answer_similar", AnswersParams((), (10_000, -1)))
    assert [each.id for each in again if each.id in numbers] == numbers


def test_an_answer_without_a_search_says_so(engine):
    with pytest.raises(SearchForgotten):
        run(engine, "answer_similar", AnswersParams((0,), ()))


def test_examples_off_the_raster_are_none(engine, image):
    with pytest.raises(NoExamples):
        run(engine, "find_similar", SimilarParams(image, shapes(shapely.box(0, 0, 1, 1))))
    with pytest.raises(NoExamples):
        run(engine, "find_similar", SimilarParams(image, ()))


def test_an_area_limits_where_clicks_are_tried(engine, image):
    x0, y0, x1, y1 = shapely.union_all([roof(4), roof(5)]).bounds
    proposals = run(engine, "find_similar", SimilarParams(image, shapes(roof(0)), area=(x0, y0, x1, y1)))
    assert found_roofs(proposals) == [4, 5]


def test_everything_of_a_size_is_found_once_each_and_whole(engine, image):
    proposals = run(engine, "segment_everything", EverythingParams(image, side_m=2.0 * SIDE))
    assert found_roofs(proposals) == ALL
    assert [each.id for each in proposals] == list(range(len(proposals)))
    polygons = [each.found.polygon for each in proposals]
    for index, polygon in enumerate(polygons):
        others = polygons[:index] + polygons[index + 1 :]
        assert all(polygon.intersection(each).area <= OVERLAP * min(polygon.area, each.area) for each in others)


def test_a_search_stops_when_nobody_wants_it_any_more(engine, image):
    class Stopped(Exception):
        pass

    def checkpoint(stage, fraction):
        if stage == "decode":
            raise Stopped

    with pytest.raises(Stopped):
        run(engine, "segment_everything", EverythingParams(image, side_px=SIDE), checkpoint)


def test_the_verbs_write_what_they_find_and_its_likeness(image, tmp_path, capsys):
    like = tmp_path / "roofs.gpkg"
    geopandas.GeoDataFrame(geometry=[roof(0), roof(5)], crs="EPSG:32613").to_crs(4326).to_file(like)
    out = tmp_path / "similar.gpkg"
    assert cli.main(["similar", image, "--like", str(like), "-o", str(out)]) == 0
    written = geopandas.read_file(out)
    assert len(written) == 4
    assert written["likeness"].min() >= 0.4
    assert written["prompts"].str.contains("points").all()
    out = tmp_path / "all.parquet"
    assert cli.main(["everything", image, "--size", str(2 * SIDE), "--finish", "building", "-o", str(out)]) == 0
    assert len(geopandas.read_parquet(out)) >= len(ALL)
    assert "polygons" in capsys.readouterr().out


def test_a_size_in_metres_needs_a_crs(make_raster, tmp_path, capsys):
    image = make_raster(np.full((3, 64, 64), 90, np.uint8), crs=None)
    with pytest.raises(SizeUnknown):
        run(Segmenter(), "segment_everything", EverythingParams(str(image), side_m=20.0))
    assert cli.main(["everything", str(image), "--size", "20", "-o", str(tmp_path / "out.gpkg")]) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert "give the size in pixels" in line


def found(polygon, score=0.8, row=0, looks=()):
    return Found(Tile(0, row, 0), Point(0.0, 0.0), None, polygon, polygon, score, 0.9, np.array(looks, np.float32))


boxes = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(2, 30), st.integers(2, 30)).map(
    lambda each: shapely.box(each[0], each[1], each[0] + each[2], each[1] + each[3])
)


@given(st.lists(st.tuples(boxes, st.floats(0.01, 1)), max_size=25))
def test_of_what_overlaps_the_likeliest_stays(pairs):
    all_found, likeness = [found(polygon) for polygon, _ in pairs], np.array([score for _, score in pairs])
    kept = distinct(all_found, likeness) if pairs else []
    assert list(likeness[kept]) == sorted(likeness[kept], reverse=True)

    def overlap(one, other):
        a, b = pairs[one][0], pairs[other][0]
        return a.intersection(b).area > OVERLAP * min(a.area, b.area)

    assert not any(overlap(one, other) for one in kept for other in kept if one != other)
    for dropped in set(range(len(pairs))) - set(kept):
        assert any(overlap(dropped, other) and likeness[other] >= likeness[dropped] for other in kept)


def test_one_answer_of_each_kind_moves_what_looks_alike():
    box = shapely.box(0, 0, 10, 10)
    ranking = Ranking([found(box, looks=(float(each % 2), 1.0)) for each in range(20)], np.array([100.0]))
    assert np.ptp(ranking.likeness((), ())) == 0
    likeness = ranking.likeness({0}, {1})
    assert likeness[2::2].min() > likeness[3::2].max()


@given(st.floats(10, 1e5))
def test_objects_are_looked_for_where_they_fill_a_part_of_a_tile(side_px):
    grid = TileGrid(10**6, 10**6)
    side_there = side_px / 2.0 ** Sizes.about(side_px).level(grid)
    assert 100 < side_there < 240


def test_examples_of_no_shape_are_refused_by_name(engine, image):
    with pytest.raises(PolygonUnusable):
        run(engine, "find_similar", SimilarParams(image, (Shape(0, "00"),)))
    endless = shapely.Polygon([(500_000, 4_500_000), (float("inf"), 4_500_000), (500_000, 4_499_000)])
    with pytest.raises(PolygonUnusable):
        run(engine, "find_similar", SimilarParams(image, shapes(endless)))


@pytest.mark.parametrize("size", ["inf", "nan", "0", "-3"])
def test_what_is_no_size_is_refused_by_the_command_line(image, tmp_path, size):
    with pytest.raises(SystemExit) as ended:
        cli.main(["everything", image, f"--size-px={size}", "-o", str(tmp_path / "out.gpkg")])
    assert ended.value.code == 2


def test_an_area_of_too_many_tiles_is_refused_before_it_is_searched():
    with pytest.raises(AreaTooLarge):
        tiles_of(TileGrid(10**8, 10**8), Sizes.about(20.0))


@pytest.mark.parametrize(("granularity", "kept"), [(0.0, ["whole"]), (-1.0, ["left", "right"]), (1.0, ["whole"])])
def test_parts_or_wholes_stay_where_both_are_found(granularity, kept):
    side = 100.0
    shapes_px = {
        "whole": (shapely.box(0, 0, side, side), 0.8),
        "left": (shapely.box(0, 0, side / 2, side), 0.75),
        "right": (shapely.box(side / 2, 0, side, side), 0.75),
    }
    settling = Settling(2**0.5 * side, granularity)
    settling.add(found(polygon, score) for polygon, score in shapes_px.values())
    rest = [each.polygon_px for each, _ in settling.rest()]
    assert sorted(name for name, (polygon, _) in shapes_px.items() if polygon in rest) == sorted(kept)


def test_wholes_stay_though_their_parts_are_likelier():
    settling = Settling(100.0, 1.0)
    settling.add([found(shapely.box(0, 0, 50, 100), 0.8), found(shapely.box(0, 0, 100, 100), 0.7)])
    assert [each.polygon_px.area for each, _ in settling.rest()] == [100 * 100]


def test_another_granularity_asks_no_tile_again(image, tmp_path):
    store, asked = TileStore(tmp_path, 1 << 30), []
    segmenter = Segmenter(tile_px=SMALL_TILE_PX, store=store)
    run(segmenter, "segment_everything", EverythingParams(image, side_px=SIDE))
    parts = EverythingParams(image, side_px=SIDE, granularity=-1.0)
    run(segmenter, "segment_everything", parts, lambda stage, fraction: asked.append(stage))
    segmenter.close()
    assert "decode" not in asked


@pytest.mark.parametrize("granularity", [-1.1, 2.0, float("nan")])
def test_a_granularity_that_is_none_is_refused(granularity):
    with pytest.raises(ValueError, match="granularity"):
        EverythingParams("image.tif", side_px=SIDE, granularity=granularity)
