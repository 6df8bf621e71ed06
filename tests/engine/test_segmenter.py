import zipfile

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import rasterio.warp
import shapely
from affine import Affine
from pyproj import CRS
from shapely import affinity

import rasterlasso.engine.api as rl
from rasterlasso.contract.errors import (
    CrsMissing,
    CrsUnknown,
    NothingFound,
    PolygonUnusable,
    PromptMissing,
    PromptNotANumber,
    PromptOnNodata,
    PromptOutsideRaster,
)
from rasterlasso.contract.model_errors import ModelUnknown
from rasterlasso.contract.prompts import Box, Point, Prompts
from rasterlasso.engine.rasters.ground import area_m2
from rasterlasso.engine.rasters.source import RasterSource
from rasterlasso.engine.segmenting.session import Segmenter
from rasterlasso.engine.tiles.disk_store import TileStore
from rasterlasso.engine.tiles.grid import Window
from rasterlasso.engine.tiles.memory_cache import TileCache
from rasterlasso.models.base import Candidate

FIELD_PX = shapely.box(60, 100, 180, 180)
MIDDLE_PX = (120, 140)
UTM = Affine(2, 0, 500_000, 0, -2, 4_500_000)


def iou(a, b):
    return a.intersection(b).area / a.union(b).area


def to_map(transform, shape):
    a, b, c, d, e, f = transform[:6]
    return affinity.affine_transform(shape, [a, b, d, e, c, f])


@pytest.mark.parametrize(
    ("transform", "crs"),
    [
        (UTM, "EPSG:32613"),
        (Affine(1e-4, 0, 10, 0, -1e-4, 50), "EPSG:4326"),
        (Affine(2, 0, 500_000, 0, 2, 4_500_000), "EPSG:32613"),
        (Affine.translation(500_000, 4_500_000) @ Affine.rotation(30) @ Affine.scale(2, -2), "EPSG:32613"),
        (Affine.translation(0, 300) @ Affine.scale(1, -1), None),
    ],
    ids=["north-up", "geographic", "south-up", "rotated", "without CRS"],
)
@pytest.mark.parametrize("level", [-2, -1, 0])
def test_a_click_finds_the_field_in_any_georeference(make_raster, field_image, transform, crs, level):
    with rl.open(make_raster(field_image, transform=transform, crs=crs), level=level) as scene:
        found = scene.segment([(*(transform @ MIDDLE_PX), True)])
    assert found.polygon.is_valid
    assert found.level == level
    assert iou(found.polygon, to_map(transform, FIELD_PX)) > 0.95
    assert (found.crs_wkt is None) == (crs is None)
    assert found.candidates[0].polygon is found.polygon
    assert set(found.stages) == {"read", "encode", "decode", "vectorize"}
    assert found.seconds == pytest.approx(sum(found.stages.values()))


def test_a_box_finds_the_field(make_raster, field_image):
    with rl.open(make_raster(field_image)) as scene:
        found = scene.segment(box=(500_100, 4_499_600, 500_380, 4_499_820))
    assert iou(found.polygon, to_map(UTM, FIELD_PX)) > 0.9


def test_a_rough_outline_is_improved_upon(make_raster, field_image):
    rough = shapely.Polygon([(48, 92), (170, 108), (190, 172), (120, 190), (66, 168)])
    path = make_raster(field_image)
    with rl.open(path) as scene:
        found = scene.segment(polygon=to_map(UTM, rough))
        assert iou(rough, FIELD_PX) < 0.85
        assert iou(found.polygon, to_map(UTM, FIELD_PX)) > 0.95
        lonlat = rasterio.warp.transform_geom("EPSG:32613", "EPSG:4326", to_map(UTM, rough).__geo_interface__)
        again = scene.segment(polygon=shapely.geometry.shape(lonlat), crs="EPSG:4326")
        assert iou(again.polygon, found.polygon) > 0.99
        corrected = scene.segment([(500_330, 4_499_720, False)], polygon=to_map(UTM, rough))
        assert not corrected.polygon.contains(shapely.Point(500_330, 4_499_720))


@pytest.mark.parametrize(
    ("polygon", "error"),
    [
        (shapely.Polygon([(500_100, 4_499_700), (500_200, 4_499_700), (500_100, 4_499_700)]), PolygonUnusable),
        (shapely.LineString([(500_100, 4_499_700), (500_200, 4_499_720)]), PolygonUnusable),
        (shapely.box(0, 0, 10, 10), PromptOutsideRaster),
        (shapely.Polygon([(500_100, 4_499_700), (500_200, np.inf), (500_300, 4_499_600)]), PolygonUnusable),
    ],
    ids=["flat", "line", "elsewhere", "infinite"],
)
def test_useless_outlines_are_refused(make_raster, field_image, polygon, error):
    with rl.open(make_raster(field_image)) as scene, pytest.raises(error):
        scene.segment(polygon=polygon)


def test_coordinates_in_another_crs(make_raster, field_image):
    path = make_raster(field_image)
    with rl.open(path) as scene:
        own = scene.segment([(500_240, 4_499_720, True), (500_020, 4_499_980, False)]).polygon
        lonlat = rasterio.warp.transform("EPSG:32613", "EPSG:4326", [500_240, 500_020], [4_499_720, 4_499_980])
        clicks = [(x, y, not index) for index, (x, y) in enumerate(zip(*lonlat, strict=True))]
        assert scene.segment(clicks, crs="EPSG:4326").polygon.equals(own)
        with pytest.raises(CrsUnknown, match="EPSG:0"):
            scene.segment([(1, 2, True)], crs="EPSG:0")
    with rl.open(make_raster(field_image, crs=None)) as scene, pytest.raises(CrsMissing, match="no CRS"):
        scene.segment([(1, 2, True)], crs="EPSG:4326")


def test_an_object_larger_than_a_tile_is_found_at_the_level_that_was_asked_for(make_raster):
    image = 40 + np.random.default_rng(2).integers(0, 6, (1, 3000, 3600))
    image[:, 500:2500, 400:3200] += 150
    with rl.open(make_raster(image.astype(np.uint8)), level=1) as scene:
        found = scene.segment([(*(UTM @ (1800, 1500)), True)])
    assert found.level == 1
    assert iou(found.polygon, to_map(UTM, shapely.box(400, 500, 3200, 2500))) > 0.98


def test_prompts_too_far_apart_for_a_tile(make_raster):
    image = 40 + np.random.default_rng(2).integers(0, 6, (1, 2000, 2400))
    image[:, 100:200, 100:2300] += 150
    with rl.open(make_raster(image.astype(np.uint8))) as scene:
        found = scene.segment([(*(UTM @ (150, 150)), True), (*(UTM @ (2200, 150)), True)])
    assert iou(found.polygon, to_map(UTM, shapely.box(100, 100, 2300, 200))) > 0.8


def test_a_background_click_far_away_changes_neither_tile_nor_level(make_raster, field_image):
    with rl.open(make_raster(field_image), level=-2) as scene:
        alone = scene.segment([(*(UTM @ MIDDLE_PX), True)])
        corrected = scene.segment([(*(UTM @ MIDDLE_PX), True), (*(UTM @ (20, 290)), False)])
    assert (alone.level, corrected.level) == (-2, -2)
    assert corrected.polygon.equals(alone.polygon)


def test_nodata_is_never_part_of_a_polygon(make_raster, field_image):
    field_image[:, 120:140, 100:130] = 0
    with rl.open(make_raster(field_image, nodata=0)) as scene:
        found = scene.segment([(*(UTM @ (80, 150)), True)])
    assert found.polygon.intersection(to_map(UTM, shapely.box(102, 122, 128, 138))).is_empty


def test_bad_prompts_are_refused(make_raster, field_image):
    field_image[:, :20, :20] = 0
    path = make_raster(field_image, nodata=0)
    inside = (*(UTM @ MIDDLE_PX), True)
    with rl.open(path) as scene:
        refused: list[tuple[list[tuple[float, float, bool]], tuple[float, float, float, float] | None, type[Exception]]] = [
            ([], None, PromptMissing),
            ([(*inside[:2], False)], None, PromptMissing),
            ([(0, 0, True)], None, PromptOutsideRaster),
            ([inside, (0, 0, True)], None, PromptOutsideRaster),
            ([(float("inf"), 0, True)], None, PromptNotANumber),
            ([(*(UTM @ (5, 5)), True)], None, PromptOnNodata),
            ([], (0, 0, 10, 10), PromptOutsideRaster),
        ]
        for points, box, error in refused:
            with pytest.raises(error):
                scene.segment(points, box)
        assert scene.segment([inside, (0, 0, False), (*(UTM @ (5, 5)), False)]).polygon.equals(scene.segment([inside]).polygon)
    with pytest.raises(ModelUnknown, match="builtin"):
        rl.open(path, model="none")


def test_the_nodata_error_names_the_click_itself(make_raster, field_image):
    field_image[:, :20, :20] = 0
    with rl.open(make_raster(field_image, nodata=0)) as scene, pytest.raises(PromptOnNodata) as caught:
        scene.segment([(*(UTM @ MIDDLE_PX), True), (*(UTM @ (5, 6)), True)])
    assert (caught.value.params["x"], caught.value.params["y"]) == pytest.approx(UTM @ (5, 6))


def test_a_tile_is_encoded_once(make_raster, field_image):
    cache, path = TileCache(), str(make_raster(field_image))
    segmenter = Segmenter(cache)
    x, y = UTM @ MIDDLE_PX
    stages = []

    def remember(stage, fraction):
        stages.append(stage)

    segmenter.segment(path, Prompts((Point(x, y),)), checkpoint=remember)
    segmenter.segment(path, Prompts((Point(x, y), Point(500_010, 4_499_990, False))), checkpoint=remember)
    segmenter.segment(path, Prompts(box=Box(x - 200, y - 150, x + 200, y + 150)), checkpoint=remember)
    assert stages.count("encode") == 1
    assert len(cache) == 1
    segmenter.close()


def test_a_changed_file_is_read_again(make_raster, field_image):
    segmenter, path = Segmenter(), str(make_raster(field_image))
    prompts = Prompts((Point(*(UTM @ MIDDLE_PX)),))
    before = segmenter.segment(path, prompts).polygon
    field_image[:, 140:180] = 50
    field_image[:, 142:180] += np.random.default_rng(1).integers(0, 8, (3, 38, 400)).astype(np.uint8)
    make_raster(field_image)
    after = segmenter.segment(path, Prompts((Point(*(UTM @ (120, 120))),))).polygon
    assert after.area < 0.7 * before.area
    segmenter.close()


@pytest.mark.parametrize("kind", ["vrt", "nested vrt", "archive", "table"])
def test_a_file_behind_the_one_that_is_opened_is_read_again(make_raster, field_image, tmp_path, kind):
    """The old outline was given, of a VRT of a VRT from the disk even by other engines."""
    store = tmp_path / "store"
    leaf = str(make_raster(field_image))
    other = np.roll(field_image, (30, 60), (1, 2))

    def changed(image):
        make_raster(image)
        if kind == "archive":
            with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
                archive.write(leaf, "image.tif")
        if kind == "table":
            (tmp_path / "all.gpkg").unlink(missing_ok=True)
            rasterio.shutil.copy(leaf, tmp_path / "all.gpkg", driver="GPKG")

    changed(field_image)
    rasterio.shutil.copy(leaf, tmp_path / "one.vrt", driver="VRT")
    rasterio.shutil.copy(tmp_path / "one.vrt", tmp_path / "two.vrt", driver="VRT")
    (tmp_path / "two.vrt").write_text((tmp_path / "one.vrt").read_text().replace("image.tif", "one.vrt"))
    path = {
        "vrt": str(tmp_path / "one.vrt"),
        "nested vrt": str(tmp_path / "two.vrt"),
        "archive": f"/vsizip/{tmp_path}/all.zip/image.tif",
        "table": f"GPKG:{tmp_path}/all.gpkg:all",
    }[kind]

    def asked(segmenter):
        return segmenter.segment(path, Prompts((Point(*(UTM @ (150, 160))),))).polygon

    first = Segmenter(store=TileStore(store, 1 << 30))
    before = asked(first)
    changed(other)
    after = asked(first)
    first.close()
    second = Segmenter(store=TileStore(store, 1 << 30))
    again = asked(second)
    second.close()
    assert after.bounds != pytest.approx(before.bounds, abs=8)
    assert iou(again, after) > 0.98  # from the disk, eight bits a value


def test_a_checkpoint_stops_the_work(make_raster, field_image):
    class Stop(Exception):
        pass

    def stop_at_encode(stage, fraction):
        if stage == "encode":
            raise Stop

    with rl.open(make_raster(field_image)) as scene, pytest.raises(Stop):
        scene.segment([(*(UTM @ MIDDLE_PX), True)], checkpoint=stop_at_encode)


def test_lake_granby_is_found_by_one_click(sample_image):
    """About 29.4 km² by public figures."""
    for level in (-1, -2, -3):
        with rl.open(sample_image, level=level) as scene:
            found = scene.segment([(-105.865, 40.155, True)])
        assert area_m2(found.polygon, found.crs_wkt) / 1e6 == pytest.approx(29.4, rel=0.15)


def test_true_areas_do_not_depend_on_the_crs():
    """A square of 1000 m at 60° N has that area in UTM, in degrees and, stretched fourfold, in Web Mercator."""
    square = shapely.box(500_000, 6_651_000, 501_000, 6_652_000).segmentize(50)
    for code in ("EPSG:32633", "EPSG:4326", "EPSG:3857"):
        xy = shapely.transform(
            square, lambda xy, code=code: np.column_stack(rasterio.warp.transform("EPSG:32633", code, xy[:, 0], xy[:, 1]))
        )
        assert area_m2(xy, rasterio.crs.CRS.from_string(code).to_wkt()) == pytest.approx(1e6, rel=1e-3)
    assert area_m2(square, None) is None


def test_real_fields_come_out_valid(data):
    import geopandas

    folder = data / "scenes" / "fields_naip_us_01"
    labels = geopandas.read_file(folder / "labels.gpkg")
    fields = labels[labels.inside_frac > 0.99].nlargest(5, "area_px")
    overlaps = []
    with rl.open(folder / "image.tif") as scene:
        for field in fields.geometry:
            click = shapely.maximum_inscribed_circle(field).coords[0]
            found = scene.segment([(*click, True)])
            assert found.polygon.is_valid
            assert found.polygon.contains(shapely.Point(click))
            overlaps.append(max(iou(candidate.polygon, field) for candidate in found.candidates))
    assert np.median(overlaps) > 0.6


def test_areas_do_not_depend_on_the_antimeridian():
    wkt = CRS.from_epsg(3832).to_wkt()  # Pacific Disc Mercator, whose middle is 150° east
    step = 111_319.49
    across, west = shapely.box(29.5 * step, 0, 30.5 * step, step), shapely.box(28 * step, 0, 29 * step, step)
    alone = area_m2(across, wkt)
    assert alone == pytest.approx(area_m2(west, wkt), rel=1e-6)
    assert area_m2(shapely.MultiPolygon([across, west]), wkt) == pytest.approx(2 * alone, rel=1e-6)
    holed = shapely.box(25 * step, -2 * step, 34 * step, 3 * step).difference(across)
    assert area_m2(holed, wkt) == pytest.approx(area_m2(shapely.Polygon(holed.exterior), wkt) - alone, rel=1e-6)


def test_pixels_off_earth_have_no_ground_size(make_raster, field_image):
    local = 'LOCAL_CS["site",UNIT["metre",1]]'
    with rl.open(make_raster(field_image, crs=local)) as scene:
        assert scene.gsd_m is None
        assert scene.segment([(*(UTM @ MIDDLE_PX), True)]).gsd_m is None
        with pytest.raises(CrsUnknown, match="no way"):
            scene.segment([(10.0, 50.0, True)], crs="EPSG:4326")


class Bright:
    """A model by rule: what is bright, left of all background clicks; nothing where the newest foreground click is dark."""

    name = "bright"

    def encode(self, image, valid):
        return np.where(valid, image[..., 0], 0).astype(np.float32)

    def decode(self, embedding, prompts, most=3):
        clicks = prompts.points_xy.astype(int)
        meant, others = clicks[prompts.foreground], clicks[~prompts.foreground]
        if len(meant) and embedding[meant[-1, 1], meant[-1, 0]] < 128:
            return ()
        logits = np.where(embedding > 128, 6, -6).astype(np.float32)
        for col, _ in others:
            logits[:, col:] = -6
        return (Candidate(logits, 0.9),)


def line(make_raster):
    """Bright and two pixels wide, from the left to the right edge of 1024 px, in tiles of 256; coarser levels show it dark."""
    image = np.full((3, 256, 1024), 20, np.uint8)
    image[:, 101:103] = 220
    image[:, 200:] = 120  # dark, too, but contrast enough to be seen as it is
    return str(make_raster(image)), Segmenter(models=(Bright(),), tile_px=256)


def at(col, row, foreground=True):
    return Point(500_000 + 2 * (col + 0.5), 4_500_000 - 2 * (row + 0.5), foreground)


def test_a_click_that_finds_nothing_does_not_spoil_the_next_one(make_raster):
    path, segmenter = line(make_raster)
    with pytest.raises(NothingFound):
        segmenter.segment(path, Prompts((at(50, 20),)), model="bright", level=0)
    both = segmenter.segment(path, Prompts((at(50, 20), at(50, 101))), model="bright", level=0)
    assert both.polygon.contains(shapely.Point(at(50, 101).x, at(50, 101).y - 1))


def test_what_no_coarser_level_shows_is_answered_at_the_finer_one(make_raster):
    path, segmenter = line(make_raster)
    found = segmenter.segment(path, Prompts((at(50, 101),)), model="bright", level=0)
    assert found.polygon.contains(shapely.Point(at(50, 101).x, at(50, 101).y - 1))


def test_foreground_off_the_first_tile_stays_when_a_background_click_cuts_the_object_there(make_raster):
    path, segmenter = line(make_raster)
    clicks = at(50, 101), at(700, 101), at(120, 101, foreground=False)
    places = [shapely.Point(click.x, click.y - 1) for click in clicks]
    before = segmenter.segment(path, Prompts(clicks[:2]), model="bright", level=0)
    assert all(before.polygon.contains(place) for place in places)
    after = segmenter.segment(path, Prompts(clicks), model="bright", level=0)
    assert [after.polygon.contains(place) for place in places] == [True, True, False]


def test_clicks_on_valid_pixels_among_speckled_nodata_are_never_refused(make_raster):
    rng = np.random.default_rng(3)
    image = np.full((3, 700, 700), 60, np.uint8)
    image[:, 200:500, 150:600] = 180
    image[:, rng.random((700, 700)) < 0.05] = 0
    path = str(make_raster(image, nodata=0))
    segmenter = Segmenter(models=(Bright(),), tile_px=256)
    with RasterSource(path) as source:
        half = source.read_valid((1, 2, 3), Window(0, 0, 700, 700, 350, 350))
    seen_as_nodata = np.repeat(np.repeat(~half, 2, axis=0), 2, axis=1)
    places = np.argwhere((seen_as_nodata & (image[0] > 0))[210:490, 160:590]) + np.array((210, 160))
    for row, col in places[:: len(places) // 4]:
        assert segmenter.segment(path, Prompts((at(col, row),)), model="bright", level=0).polygon.area > 0
    row, col = np.argwhere(image[0, 210:490, 160:590] == 0)[0] + np.array((210, 160))
    with pytest.raises(PromptOnNodata):
        segmenter.segment(path, Prompts((at(col, row),)), model="bright", level=0)


def test_a_click_does_not_move_to_another_object_over_nodata(make_raster):
    image = np.full((3, 1000, 1000), 200, np.uint8)
    image[:, 100:900, 100:900] = 0
    image[:, 501, 501] = 200  # valid, but a coarse level shows none of it
    path = str(make_raster(image, nodata=0))
    segmenter = Segmenter(models=(Bright(),), tile_px=256)
    with pytest.raises(PromptOnNodata):
        segmenter.segment(path, Prompts((at(501, 501),)), model="bright", level=2)
