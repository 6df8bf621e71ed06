"""Borders shared with neighbours, and outlines as lines."""

import itertools
import math
import random

import pytest
from qgis.core import (
    QgsFeature,
    QgsGeometry,
    QgsPointXY,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)

from helpers import FIELD, accept_one, polygon_layer
from rasterlasso.plugin.geo.wkb import rings_of
from rasterlasso.plugin.target import topology
from rasterlasso.plugin.target.lines import outline_as_lines
from rasterlasso.plugin.target.topology import with_shared_borders


def test_neighbours_share_every_vertex_without_gap_or_overlap(project):
    old = "Polygon ((0 0, 100 0, 100 100, 0 100, 0 0))"
    layer = polygon_layer(project, old, "Polygon ((0 102, 100 101, 100 200, 0 200, 0 102))")
    new = QgsGeometry.fromWkt("Polygon ((97 -3, 103 50, 99 104, 98 150, 200 150, 200 0, 97 -3))")
    mine, changed = with_shared_borders(new, layer, 5)
    others = {feature.id(): changed.get(feature.id(), feature.geometry()) for feature in layer.getFeatures()}
    first, second = others.values()
    assert mine.isGeosValid()
    assert mine.intersection(first).area() == pytest.approx(0, abs=1e-9)
    assert mine.intersection(second).area() == pytest.approx(0, abs=1e-9)
    assert first.area() == pytest.approx(100 * 100)
    strip = QgsGeometry.fromRect(QgsRectangle(95, 5, 110, 95))
    covered = QgsGeometry.unaryUnion([mine, first]).intersection(strip)
    assert covered.area() == pytest.approx(strip.area(), rel=1e-6)


@pytest.mark.parametrize("seed", range(40))
def test_many_neighbours_share_their_borders_whatever_their_shapes(project, seed):
    dice = random.Random(seed)
    layer = polygon_layer(project)
    layer.startEditing()
    for _ in range(8):
        corners = sorted((dice.uniform(0, 2 * math.pi), dice.uniform(20, 60)) for _ in range(dice.randint(5, 40)))
        x, y = dice.uniform(0, 150), dice.uniform(0, 150)
        ring = [QgsPointXY(x + r * math.cos(angle), y + r * math.sin(angle)) for angle, r in corners]
        new = QgsGeometry.fromPolygonXY([ring]).makeValid()
        mine, changed = with_shared_borders(new, layer, 4)
        for each, fitted in changed.items():
            layer.changeGeometry(each, fitted)
        if not mine.equals(new) or not layer.featureCount():
            feature = QgsFeature(layer.fields())
            feature.setGeometry(mine)
            layer.addFeature(feature)
    shapes = [feature.geometry() for feature in layer.getFeatures()]
    assert len(shapes) > 2
    assert all(shape.isGeosValid() for shape in shapes)
    for first, second in itertools.combinations(shapes, 2):
        assert first.intersection(second).area() == pytest.approx(0, abs=1e-9)
    for part in QgsGeometry.unaryUnion(shapes).asGeometryCollection():
        for ring in part.asPolygon()[1:]:
            hole = QgsGeometry.fromPolygonXY([ring])
            assert not hole.buffer(-2, 4).isEmpty()


def test_a_polygon_without_neighbours_stays_as_it_is(project):
    layer = polygon_layer(project, "Polygon ((0 0, 1 0, 1 1, 0 0))")
    new = QgsGeometry.fromWkt("Polygon ((50 50, 60 50, 60 60, 50 50))")
    mine, changed = with_shared_borders(new, layer, 5)
    assert mine.equals(new)
    assert changed == {}


def test_accepting_beside_a_neighbour_shares_its_border_in_one_undo_step(bench, project):
    _x0, y0, x1, y1 = FIELD
    layer = polygon_layer(project, QgsGeometry.fromRect(QgsRectangle(x1 - 3, y0, x1 + 200, y1)).asWkt())
    bench.digitizer.set_target(layer)
    bench.digitizer.acceptance.share_borders = True
    accept_one(bench)
    assert bench.messages == []
    old, new = sorted(layer.getFeatures(), key=lambda feature: feature.geometry().boundingBox().xMinimum(), reverse=True)
    assert new.geometry().intersection(old.geometry()).area() == pytest.approx(0, abs=1e-6)
    assert new.geometry().touches(old.geometry()) or new.geometry().distance(old.geometry()) < 1e-9
    assert layer.undoStack().count() == 1
    layer.undoStack().undo()
    assert layer.featureCount() == 1


def test_a_line_layer_gets_the_outline_without_the_frame(bench, project):
    lines = QgsVectorLayer("LineString?crs=EPSG:32613", "lines", "memory")
    project.addMapLayer(lines)
    bench.digitizer.set_target(lines)
    accept_one(bench)
    [feature] = lines.getFeatures()
    assert feature.geometry().length() == pytest.approx(2 * (240 + 160), rel=0.05)


def test_lines_leave_out_what_follows_the_end_of_the_data_and_keep_what_meets_it():
    square = QgsGeometry.fromRect(QgsRectangle(0, 0, 100, 60))
    frame = QgsGeometry.fromRect(QgsRectangle(-2, -2, 2, 200)).combine(QgsGeometry.fromRect(QgsRectangle(-2, -2, 200, 2)))
    cut = outline_as_lines(square, frame, 6.0)
    assert cut.length() == pytest.approx(160, abs=4)
    assert not cut.isMultipart() or len(cut.asMultiPolyline()) == 1
    crossed = outline_as_lines(square, QgsGeometry.fromRect(QgsRectangle(48, -5, 52, 65)), 6.0)
    assert crossed.length() == pytest.approx(square.length())
    inside = square.buffer(-10, 4)
    assert outline_as_lines(inside, frame, 6.0).length() == pytest.approx(inside.length())
    assert outline_as_lines(square, None, 6.0).length() == pytest.approx(square.length())
    assert outline_as_lines(square, square.buffer(5, 4), 6.0).isEmpty()


def test_a_line_layer_gets_no_line_along_nodata(bench, project, make_image):
    layer = QgsRasterLayer(str(make_image("holes.tif", nodata_corner=True)), "holes")
    project.addMapLayer(layer)
    bench.digitizer.set_imagery(layer)
    lines = QgsVectorLayer("LineString?crs=EPSG:32613", "lines", "memory")
    project.addMapLayer(lines)
    bench.digitizer.set_target(lines)
    bench.digitizer.draw([QgsPointXY(*place) for place in ((500_000, 4_499_860), (500_190, 4_499_860), (500_190, 4_499_995))])
    polygon = bench.answered()
    bench.digitizer.accept()
    corner = QgsRectangle(500_000, 4_499_920, 500_080, 4_500_000)
    corner.grow(1.0)
    assert polygon.intersects(QgsGeometry.fromRect(corner).buffer(3, 2))
    assert bench.messages == []
    assert lines.featureCount() >= 1
    assert sum(feature.geometry().length() for feature in lines.getFeatures()) < polygon.length() - 60
    for feature in lines.getFeatures():
        inside = feature.geometry().intersection(QgsGeometry.fromRect(corner).buffer(3, 2))
        assert inside.length() < 12


def test_the_area_is_that_of_what_neighbours_leave(bench, project):
    x0, y0, *_ = FIELD
    island = QgsGeometry.fromRect(QgsRectangle(x0 + 80, y0 + 60, x0 + 120, y0 + 100))
    layer = polygon_layer(project, island.asWkt(), fields="&field=area_m2:double")
    bench.digitizer.set_target(layer)
    bench.digitizer.acceptance.share_borders = True
    accept_one(bench, (x0 + 30, y0 + 30))
    new = max(layer.getFeatures(), key=lambda feature: feature.geometry().area())
    assert new["area_m2"] == pytest.approx(new.geometry().area(), rel=2e-3)
    assert new.geometry().intersection(island).area() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("invalid", "left"),
    [
        ("Polygon ((-50 0, -10 100, -10 0, -50 100, -50 0))", 102 * 100),
        ("Polygon ((-100 0, -5 0, -5 100, -100 100, -100 0), (20 20, 60 20, 60 60, 20 60, 20 20))", 102 * 100 - 40 * 40),
    ],
    ids=["bow-tie", "hole outside, which becomes a part"],
)
def test_invalid_neighbours_count_as_repaired(project, invalid, left):
    layer = polygon_layer(project, invalid, "Polygon ((102 0, 200 0, 200 100, 102 100, 102 0))")
    new = QgsGeometry.fromWkt("Polygon ((0 0, 100 0, 100 100, 0 100, 0 0))")
    broken, whole = (feature.id() for feature in layer.getFeatures())
    mine, changed = with_shared_borders(new, layer, 5)
    assert mine.isGeosValid()
    assert mine.area() == pytest.approx(left, rel=0.06)
    assert mine.touches(layer.getFeature(whole).geometry())
    assert broken not in changed


@pytest.mark.parametrize(
    "wkt",
    [
        "Polygon ((0 0, 4 0, 4 3, 0 0), (1 0.5, 2 0.5, 2 1, 1 0.5))",
        "MultiPolygon (((0 0, 4 0, 4 3, 0 0)), ((9 9, 10 9, 10 10, 9 9)))",
        "PolygonZ ((0 0 5, 4 0 6, 4 3 7, 0 0 5))",
        "MultiPolygonZM (((0 0 1 2, 4 0 1 2, 4 3 1 2, 0 0 1 2)))",
        "Polygon EMPTY",
    ],
)
def test_rings_have_the_vertices_in_the_order_of_their_numbers(qgis_app, wkt):
    geometry = QgsGeometry.fromWkt(wkt)
    assert [place for ring in rings_of(geometry) for place in ring] == [(each.x(), each.y()) for each in geometry.vertices()]


def test_of_a_large_neighbour_only_what_is_near_is_looked_at(qgis_app):
    """A neighbour of 60,000 vertices froze QGIS for 4 s at each acceptance."""
    turns = [2 * math.pi * number / 20_000 for number in range(20_000)]
    ring = [QgsPointXY(1000 + 900 * math.cos(turn), 1000 + 900 * math.sin(turn)) for turn in turns]
    lake = QgsGeometry.fromPolygonXY([[*ring, ring[0]]])
    new = QgsGeometry.fromRect(QgsRectangle(1850, 950, 1990, 1050))
    assert len(topology._places_near(new, [lake], 0.005)) < 1000
    layer = QgsVectorLayer("Polygon?crs=EPSG:32613", "lakes", "memory")
    feature = QgsFeature()
    feature.setGeometry(lake)
    layer.dataProvider().addFeatures([feature])
    mine, changed = with_shared_borders(new, layer, 5)
    assert mine.isGeosValid()
    assert mine.area() == pytest.approx(new.difference(lake).area(), rel=1e-3)
    assert mine.intersection(lake).area() < 1e-3
    assert [shape.area() for shape in changed.values()] == pytest.approx([lake.area()] * len(changed), rel=1e-9)
