"""Where an accepted polygon goes in a layer of the user's own: its fields, its neighbours, its part of the globe."""

from typing import Any

import pytest
from osgeo import gdal, osr
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsEditFormConfig,
    QgsPointXY,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import Qt

from helpers import MIDDLE, accept_one, polygon_layer
from rasterlasso.plugin.geo.globe import on_globe
from rasterlasso.plugin.target.overlaps import MODES

PLAIN = "POLYGON((500000 4499400,500240 4499400,500240 4500000,500000 4500000,500000 4499400))"


def placed_at(make_image, project, epsg, x, y):
    """The test image with the middle of its field at a place, as a layer."""
    crs = osr.SpatialReference()
    crs.ImportFromEPSG(epsg)
    path = make_image(f"{epsg}.tif", epsg=epsg, geotransform=(round(x) - 240, 2, 0, round(y) + 280, 0, -2))
    layer = QgsRasterLayer(str(path), str(epsg))
    project.addMapLayer(layer)
    return layer


@pytest.mark.parametrize("target_crs", ["EPSG:4326", "EPSG:3857"])
def test_across_the_antimeridian_a_polygon_is_cut_there(bench, project, make_image, target_crs):
    """It went around the whole globe."""
    utm = QgsCoordinateReferenceSystem("EPSG:32701")
    place = QgsCoordinateTransform(QgsCoordinateReferenceSystem("EPSG:4326"), utm, project).transform(QgsPointXY(180, -17))
    layer = placed_at(make_image, project, 32701, place.x(), place.y())
    bench.digitizer.set_imagery(layer)
    target = QgsVectorLayer(f"MultiPolygon?crs={target_crs}", "mine", "memory")
    project.addMapLayer(target)
    bench.digitizer.set_target(target)
    bench.look_at(place.x() - 400, place.y() - 300, place.x() + 400, place.y() + 300, crs="EPSG:32701")
    bench.click(place.x() + 50, place.y())
    bench.answered()
    bench.key(Qt.Key.Key_Return)
    [feature] = target.getFeatures()
    parts = feature.geometry().asGeometryCollection()
    assert len(parts) == 2
    extent = 40_075_017 if target_crs == "EPSG:3857" else 360
    assert all(part.boundingBox().width() < extent / 1000 for part in parts)
    assert feature.geometry().isGeosValid()


def test_around_a_pole_a_polygon_is_closed_over_it(bench, project, make_image):
    """The ring left the pole out, and was not valid."""
    layer = placed_at(make_image, project, 3031, 0, 0)
    bench.digitizer.set_imagery(layer)
    target = QgsVectorLayer("MultiPolygon?crs=EPSG:4326", "mine", "memory")
    project.addMapLayer(target)
    bench.digitizer.set_target(target)
    bench.look_at(-400, -300, 400, 300, crs="EPSG:3031")
    bench.click(20, 10)
    bench.answered()
    bench.key(Qt.Key.Key_Return)
    [feature] = target.getFeatures()
    shape = feature.geometry()
    assert shape.isGeosValid()
    box = shape.boundingBox()
    assert (box.xMinimum(), box.yMinimum(), box.xMaximum()) == pytest.approx((-180, -90, 180))
    assert box.yMaximum() < -89.99


def test_what_does_not_cross_is_left_alone():
    from qgis.core import QgsGeometry

    assert on_globe(QgsGeometry.fromWkt("POLYGON((170 0,175 0,175 5,170 5,170 0))")) is None


@pytest.mark.parametrize("mode", ["AvoidIntersectionsCurrentLayer", "AvoidIntersectionsLayers"])
def test_the_projects_own_setting_keeps_polygons_apart(bench, project, mode):
    target = polygon_layer(project, PLAIN)
    other = polygon_layer(project, PLAIN)
    bench.digitizer.set_target(target)
    project.setAvoidIntersectionsMode(getattr(MODES, mode))
    project.setAvoidIntersectionsLayers([other])
    try:
        accept_one(bench)
    finally:
        project.setAvoidIntersectionsMode(MODES.AllowIntersections)
    there, mine = target.getFeatures()
    assert there.geometry().intersection(mine.geometry()).area() < 1
    assert mine.geometry().area() > 15_000


FIELDS: dict[str, Any] = {
    "score:integer": None,
    "score:double": float,
    "level:string(20)": str,
    "model:integer": None,
    "model:string(3)": None,
    "area_m2:integer": int,
    "area_m2:string(2)": None,
    "created:date": "date",
    "prompts:string(10)": None,
    "source:double": None,
    "class:integer": None,
}


@pytest.mark.parametrize("field", FIELDS)
def test_what_does_not_fit_a_field_of_the_users_is_left_out(bench, project, field):
    """Never 0, never cut, never a layer that can't be saved."""
    name, kind = field.split(":")[0], FIELDS[field]
    target = polygon_layer(project, fields=f"&field={field}")
    bench.digitizer.set_target(target)
    bench.digitizer.acceptance.class_name = "lake"
    accept_one(bench)
    assert target.commitChanges()
    [feature] = target.getFeatures()
    value = feature[name]
    if kind is None:
        assert value is None or (not bool(value) and str(value) in ("NULL", "None"))
    elif kind == "date":
        assert value.isValid()
    else:
        assert isinstance(value, kind)
        assert value


@pytest.mark.parametrize("asks", [True, False])
def test_a_missing_value_is_asked_for_in_the_layers_form(bench, project, tmp_path, asks):
    """Accepting was refused before any form could open."""
    path = tmp_path / "strict.gpkg"
    gdal.VectorTranslate(
        str(path), gdal.OpenEx('{"type":"FeatureCollection","features":[]}'), options="-nln strict -nlt MULTIPOLYGON"
    )
    dataset = gdal.OpenEx(str(path), gdal.OF_UPDATE)
    dataset.ExecuteSQL("ALTER TABLE strict ADD COLUMN owner TEXT NOT NULL DEFAULT ''")
    dataset = None
    layer = QgsVectorLayer(f"{path}|layername=strict", "strict", "ogr")
    layer.setCrs(QgsCoordinateReferenceSystem("EPSG:32613"))
    layer.setFieldConstraint(layer.fields().indexOf("owner"), 1)
    layer.setConstraintExpression(layer.fields().indexOf("owner"), 'length("owner") > 0')
    config = layer.editFormConfig()
    if asks:
        config.setSuppress(QgsEditFormConfig.FeatureFormSuppress.SuppressOff)
    layer.setEditFormConfig(config)
    QgsProject.instance().addMapLayer(layer)
    bench.digitizer.set_target(layer)
    accept_one(bench)
    if asks:
        assert layer.featureCount() == 1
    else:
        assert layer.featureCount() == 0
        assert "default value" in bench.messages[-1]
        assert bench.digitizer.polygon is not None


@pytest.mark.parametrize("key", [Qt.Key.Key_Backspace, Qt.Key.Key_Delete])
def test_backspace_once_too_often_is_not_qgiss(bench, key):
    """QGIS deletes the selected features of the active layer with it."""
    seen = []
    bench.canvas.keyPressed.connect(lambda event: seen.append(event.key()))
    bench.click(*MIDDLE)
    bench.answered()
    for _ in range(3):
        bench.key(key)
    assert bench.digitizer.draft.is_empty
    bench.key(key, Qt.KeyboardModifier.ShiftModifier)
    assert key not in seen
