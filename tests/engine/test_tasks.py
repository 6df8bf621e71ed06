"""The use cases in the table, asked in each of the ways there are."""

import json

import geopandas
import pytest
import shapely

from rasterlasso.contract.errors import ProtocolError
from rasterlasso.contract.prompts import Point, Prompts
from rasterlasso.contract.requests import ObjectPrompts, SegmentedObject, SegmentObjectsParams, Shape, ShapesParams
from rasterlasso.engine import api, cli
from rasterlasso.engine.tasks.table import TASKS

FIELD = shapely.box(500_120, 4_499_640, 500_360, 4_499_800)


@pytest.fixture
def image(make_raster, field_image):
    return str(make_raster(field_image))


def wkb(shape):
    return shapely.to_wkb(shape, hex=True)


def run(task, params):
    told = []
    with api.segmenter() as segmenter:
        items = list(TASKS[task].run(segmenter, params, lambda stage, fraction: told.append(fraction)))
    return items, told


@pytest.mark.parametrize("task", list(TASKS))
def test_each_row_leads_to_a_module_and_its_parameters_cross_the_pipe(task):
    assert callable(TASKS[task].run)
    with pytest.raises(ProtocolError):
        TASKS[task].params.from_wire({})


@pytest.mark.parametrize(
    ("task", "shape"),
    [("segment_boxes", FIELD.buffer(6)), ("refine_polygons", FIELD.buffer(12).simplify(8))],
)
def test_shapes_become_exact_outlines(image, task, shape):
    [item], told = run(task, ShapesParams(image, (Shape(7, wkb(shape)),)))
    assert item.id == 7
    assert item.error is None
    assert item.found.polygon.intersection(FIELD).area / item.found.polygon.union(FIELD).area > 0.9
    assert item.area_m2 == pytest.approx(FIELD.area, rel=0.06)
    assert told == sorted(told)
    assert max(told) <= 1


def test_what_can_not_be_found_is_told_and_the_others_are_done(image):
    objects = (
        ObjectPrompts(0, Prompts((Point(0.0, 0.0),))),
        ObjectPrompts(1, Prompts()),
        ObjectPrompts(2, Prompts((Point(500_240.0, 4_499_720.0),))),
    )
    (outside, nothing, found), _ = run("segment_objects", SegmentObjectsParams(image, objects))
    assert outside.error.code == "PromptOutsideRaster"
    assert nothing.error.code == "PromptMissing"
    assert found.found is not None
    for item in (outside, found):
        assert SegmentedObject.from_wire(json.loads(json.dumps(item.to_wire()))).id == item.id


def test_shapes_may_be_in_another_crs(image):
    there = geopandas.GeoSeries([FIELD.buffer(6)], crs="EPSG:32613").to_crs("EPSG:4326").iloc[0]
    [item], _ = run("segment_boxes", ShapesParams(image, (Shape(0, wkb(there)),), "EPSG:4326"))
    assert item.found.polygon.intersection(FIELD).area / item.found.polygon.union(FIELD).area > 0.9


@pytest.mark.parametrize("verb", ["boxes", "refine"])
def test_verbs_keep_the_attributes_of_a_layer(image, tmp_path, capsys, verb):
    rough = geopandas.GeoDataFrame(
        {"owner": ["Ada", "nobody"]}, geometry=[FIELD.buffer(8), shapely.box(0, 0, 10, 10)], crs="EPSG:32613"
    )
    rough.to_crs("EPSG:4326").to_file(tmp_path / "rough.gpkg", layer="rough")
    code = cli.main([verb, image, str(tmp_path / "rough.gpkg"), "-o", str(tmp_path / "out.gpkg")])
    out, err = capsys.readouterr()
    assert code == 2, "one of them was not found"
    assert "object 2" in err
    assert "1 polygon" in out
    [row] = geopandas.read_file(tmp_path / "out.gpkg").to_dict("records")
    assert row["owner"] == "Ada"
    assert row["geometry"].area == pytest.approx(FIELD.area, rel=0.06)


@pytest.mark.parametrize("content", ["", "no layer"])
def test_a_layer_that_can_not_be_read_is_named_in_one_line(image, tmp_path, capsys, content):
    layer = tmp_path / "rough.gpkg"
    layer.write_text(content)
    assert cli.main(["boxes", image, str(layer), "-o", str(tmp_path / "out.gpkg")]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "rough.gpkg" in line
