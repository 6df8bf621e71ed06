"""A digitized layer, asked again of newer imagery."""

import geopandas
import numpy as np
import pytest
import shapely
from affine import Affine

from rasterlasso.contract.prompts import Box, Point, Prompts, prompts_text
from rasterlasso.engine import cli

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
    good = prompts_text(here, "EPSG:32613")
    texts = [prompts_text(far, "EPSG:32613"), None, "garbled", good, good, prompts_text(here, "USER:100001")]
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
