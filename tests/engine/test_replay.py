"""A digitized layer, asked again of newer imagery."""

import warnings
from dataclasses import replace
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from affine import Affine

import rasterlasso.engine.api as rl
from rasterlasso.contract.edits import Edit
from rasterlasso.contract.looks import PRESETS, Stretch
from rasterlasso.contract.prompts import Box, Point, Prompts
from rasterlasso.contract.recipe import Recipe
from rasterlasso.engine import cli
from rasterlasso.engine.files.export import Record, write
from rasterlasso.engine.tasks import replay as task

FIELD = shapely.box(500_120, 4_499_640, 500_360, 4_499_800)
CLICK = "500240,4499720"


def replay(capsys, *arguments):
    code = cli.main(["replay", *(str(each) for each in arguments)])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def digitized(make_raster, field_image, tmp_path):
    layer = tmp_path / "fields.gpkg"
    assert (
        cli.main(["segment", str(make_raster(field_image)), "--point", CLICK, "--not", "500010,4499990", "-o", str(layer)]) == 0
    )
    return layer


@pytest.fixture
def grown_field(field_image):
    """The same place later: the field reaches 60 px further east."""
    later = field_image.copy()
    later[:, 100:180, 180:240] = later[:, 100:180, 120:180]
    return later


def test_the_same_image_gives_the_same_polygons(capsys, digitized, tmp_path):
    code, out, _ = replay(capsys, digitized, "--image", tmp_path / "image.tif")
    assert code == 0
    assert "1 of 1 found again, mean IoU with the old 1.00" in out
    [row] = geopandas.read_file(tmp_path / "fields-replayed.gpkg").itertuples()
    assert row.iou == pytest.approx(1)
    assert row.geometry.equals(geopandas.read_file(digitized).geometry[0])


SUFFIXES = (".gpkg", ".shp", ".geojson", ".fgb", ".parquet")
PLACES = {
    (-105.865, 40.155): SUFFIXES,
    **dict.fromkeys([(-105.841, 40.21), (-105.6, 40.3), (-105.75, 40.35), (-105.9, 40.5), (-105.55, 40.15)], (".gpkg",)),
}


@pytest.mark.parametrize(("place", "suffixes"), PLACES.items())
def test_hover_click_and_replay_agree_on_real_imagery(sample_image, tmp_path, place, suffixes):
    """Whatever the finish, the candidate that was chosen and the format of the file.

    A click after another acceptance gave another candidate than the hover showed; replaying with another finish reported
    changes; GeoJSON gave the prompts back as a dictionary, and Parquet not at all.
    """
    records, shapes, path = [], [], str(sample_image)
    with rl.segmenter() as segmenter:
        crs = segmenter.scene(path).source.crs_wkt
        shown = Stretch((3, 2, 1), (0.0, 0.0, 0.0), (200.0, 180.0, 160.0), 1.2)
        for finish in PRESETS.values():
            stretch = shown if finish.smooth else None
            prompts = Prompts((Point(*place),))
            looked: dict[str, Any] = {"model": "builtin", "level": -2, "stretch": stretch, "finish": finish}
            clicked = segmenter.segment(path, prompts, **looked)
            hovered = segmenter.glance(path, prompts, most=3, **looked)
            assert hovered is None or hovered.candidates == clicked.candidates
            for number, candidate in enumerate(clicked.candidates):
                choice = sum(other.polygon.area < candidate.polygon.area for other in clicked.candidates) if number else None
                records.append(
                    Record.of(clicked, path, {"number": len(records)}, Recipe(prompts, None, finish, stretch, choice))
                )
                shapes.append(candidate.polygon)
        for suffix in suffixes:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                write(records, crs, tmp_path / f"made{suffix}")
            features = task.read(tmp_path / f"made{suffix}")
            order = features["number"]  # FlatGeobuf has one of its own
            for row, number in zip(task.replayed(segmenter, features, path), order, strict=True):
                if row.status == "no prompts":
                    assert suffix == ".shp"  # its texts are too short for a stretch
                else:
                    assert row.found.polygon.equals(shapes[number])


@pytest.mark.parametrize("crs", ["EPSG:32613", "EPSG:4326"])
def test_what_was_changed_by_hand_is_done_again(capsys, make_raster, field_image, tmp_path, crs):
    """A hedge added and a barn cut out, kept in the CRS of the prompts; on the same image the shape is the same."""
    path = make_raster(field_image)
    hedge, barn = shapely.box(500_350, 4_499_700, 500_380, 4_499_760), shapely.box(500_150, 4_499_660, 500_180, 4_499_690)
    shapes = geopandas.GeoSeries([shapely.Point(500_240, 4_499_720), hedge, barn], crs="EPSG:32613").to_crs(crs)
    click, *sides = shapes
    edits = (Edit(added=shapely.to_wkb(sides[0], hex=True)), Edit(removed=shapely.to_wkb(sides[1], hex=True)))
    with rl.segmenter() as segmenter:
        found = segmenter.segment(str(path), Prompts((Point(500_240, 4_499_720),)))
    changed = replace(found, polygon=found.polygon.union(hedge).difference(barn))
    recipe = Recipe(Prompts((Point(click.x, click.y),)), crs, edits=edits)
    write([Record.of(changed, str(path), {}, recipe)], found.crs_wkt, tmp_path / "fields.gpkg")
    code, out, err = replay(capsys, tmp_path / "fields.gpkg", "--image", path)
    assert code == 0, err
    [row] = geopandas.read_file(tmp_path / "fields-replayed.gpkg").itertuples()
    assert row.iou > 0.999, out
    assert row.geometry.contains(shapely.Point(500_370, 4_499_730))
    assert not row.geometry.contains(shapely.Point(500_165, 4_499_675))


def test_a_feature_of_which_nothing_is_left_by_hand_is_told(capsys, make_raster, field_image, tmp_path):
    path = make_raster(field_image)
    with rl.segmenter() as segmenter:
        found = segmenter.segment(str(path), Prompts((Point(500_240, 4_499_720),)))
    all_of_it = Edit(removed=shapely.to_wkb(found.polygon.buffer(10), hex=True))
    recipe = Recipe(Prompts((Point(500_240, 4_499_720),)), edits=(all_of_it,))
    write([Record.of(found, str(path), {}, recipe)], found.crs_wkt, tmp_path / "fields.gpkg")
    code, _, err = replay(capsys, tmp_path / "fields.gpkg", "--image", path)
    [row] = geopandas.read_file(tmp_path / "fields-replayed.gpkg").itertuples()
    assert (code, row.status) == (
        0,
        "Nothing was found at these prompts. Click nearer the middle of the object, or zoom in.",
    ), err


def test_newer_imagery_of_another_scale_shows_the_change(capsys, digitized, make_raster, grown_field, tmp_path):
    coarser = np.ascontiguousarray(grown_field[:, ::2, ::2])
    newer = make_raster(coarser, "newer.tif", transform=Affine(4.0, 0, 500_000.0, 0, -4.0, 4_500_000.0))
    output = tmp_path / "change.geojson"
    code, _, _ = replay(capsys, digitized, "--image", newer, "-o", output)
    assert code == 0
    [row] = geopandas.read_file(output).itertuples()
    assert row.gsd_m == pytest.approx(2, rel=0.01)
    assert row.status == "found"
    assert row.level == -1
    assert row.iou == pytest.approx(120 / 180, abs=0.05)
    assert row.area_m2 == pytest.approx(1.5 * row.old_m2, rel=0.06)


def test_features_that_cannot_be_found_are_kept_with_the_reason(capsys, make_raster, field_image, tmp_path):
    layer = tmp_path / "mine.gpkg"
    far, here = Prompts((Point(0.0, 0.0),)), Prompts((), Box(500_100, 4_499_620, 500_380, 4_499_820))
    good = Recipe(here, "EPSG:32613").to_text()
    texts = [
        Recipe(far, "EPSG:32613").to_text(),
        None,
        "garbled",
        good,
        good,
        Recipe(here, "USER:100001").to_text(),
    ]
    table = {"name": ["far", "bare", "bad", "good", "empty", "foreign"], "prompts": texts}
    geometry = [FIELD, FIELD, FIELD, FIELD, None, FIELD]
    geopandas.GeoDataFrame(table, geometry=geometry, crs="EPSG:32613").to_file(layer)
    code, out, _ = replay(capsys, layer, "--image", make_raster(field_image))
    assert code == 0
    assert "1 of 6 found again" in out
    rows = {row.name: row for row in geopandas.read_file(tmp_path / "mine-replayed.gpkg").itertuples(index=False)}
    assert rows["good"].iou > 0.85
    assert "outside" in rows["far"].status
    assert rows["bare"].status == "no prompts"
    assert all(rows[name].geometry is None for name in ("far", "bare", "bad", "empty", "foreign"))


def test_a_file_of_several_layers_wants_a_name(capsys, digitized, tmp_path):
    other = geopandas.GeoDataFrame({"name": ["a"]}, geometry=[FIELD], crs="EPSG:32613")
    other.to_file(digitized, layer="others")
    code, _, err = replay(capsys, digitized, "--image", tmp_path / "image.tif")
    assert code == 2
    assert "polygons, others" in err
    code, _, _ = replay(capsys, digitized, "--layer-name", "polygons", "--image", tmp_path / "image.tif")
    assert code == 0


def test_other_files_are_refused_with_a_cure(capsys, make_raster, field_image, tmp_path):
    image, layer = make_raster(field_image), tmp_path / "plain.gpkg"
    code, _, err = replay(capsys, tmp_path / "none.gpkg", "--image", image)
    assert (code, err.count("\n")) == (2, 1)
    assert "none.gpkg" in err
    geopandas.GeoDataFrame({"name": ["a"]}, geometry=[FIELD], crs="EPSG:32613").to_file(layer)
    code, _, err = replay(capsys, layer, "--image", image)
    assert code == 2
    assert "prompts" in err
    code, _, err = replay(capsys, layer, "--image", image, "-o", tmp_path / "x.docx")
    assert code == 2
    assert ".gpkg" in err
