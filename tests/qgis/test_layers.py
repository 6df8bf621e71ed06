import sqlite3
from contextlib import closing

import pytest
from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsDefaultValue,
    QgsFeature,
    QgsField,
    QgsFields,
    QgsGeometry,
    QgsVectorFileWriter,
    QgsVectorLayer,
    QgsWkbTypes,
)
from qgis.PyQt.QtCore import QTimer, QVariant
from qgis.PyQt.QtWidgets import QProgressDialog, QPushButton

from rasterlasso.plugin.errors import LayerNotCreated, TargetRefused
from rasterlasso.plugin.geo.transforms import transform_between
from rasterlasso.plugin.target.new_layers import new_geopackage_layer, new_scratch_layer
from rasterlasso.plugin.target.placing import Placing, put_polygons
from rasterlasso.plugin.target.target import Target

UTM = QgsCoordinateReferenceSystem("EPSG:32613")
SQUARE = QgsGeometry.fromWkt("Polygon ((500000 4500000, 501000 4500000, 501000 4501000, 500000 4501000, 500000 4500000))")
TWO = QgsGeometry.fromWkt("MultiPolygon (((0 0, 1 0, 1 1, 0 0)), ((5 5, 6 5, 6 6, 5 5)))")
ATTRIBUTES = {"class": "lake", "score": 0.75, "model": "builtin"}


@pytest.fixture(params=["memory", "geopackage"])
def layer(request, project, tmp_path):
    made = new_scratch_layer(UTM) if request.param == "memory" else new_geopackage_layer(tmp_path / "new.gpkg", UTM, project)
    project.addMapLayer(made)
    return made


def test_new_layers_take_polygons_with_their_attributes(layer, project):
    put_polygons(layer, [SQUARE], UTM, ATTRIBUTES, project)
    [feature] = layer.getFeatures()
    assert (feature["class"], feature["score"], feature["model"]) == ("lake", 0.75, "builtin")
    assert feature["area_m2"] == pytest.approx(1e6, rel=2e-3)
    assert QgsWkbTypes.isMultiType(feature.geometry().wkbType())
    assert layer.commitChanges()
    assert layer.featureCount() == 1


def test_one_object_is_one_undo_command_and_nothing_is_committed(layer, project):
    for count in (1, 2):
        put_polygons(layer, [SQUARE], UTM, ATTRIBUTES, project)
        assert layer.undoStack().count() == count
    assert layer.isEditable()
    layer.undoStack().undo()
    assert layer.featureCount() == 1
    layer.undoStack().redo()
    assert layer.featureCount() == 2
    assert layer.dataProvider().featureCount() == 0
    layer.rollBack()


@pytest.mark.parametrize("target", ["EPSG:4326", "EPSG:3857", "EPSG:2163"])
def test_polygons_are_moved_to_the_layers_crs_and_back(project, target):
    layer = new_scratch_layer(QgsCoordinateReferenceSystem(target))
    project.addMapLayer(layer)
    put_polygons(layer, [SQUARE], UTM, ATTRIBUTES, project)
    [feature] = layer.getFeatures()
    back = QgsGeometry(feature.geometry())
    back.transform(transform_between(layer.crs(), UTM, project.transformContext()))
    assert back.hausdorffDistance(SQUARE) < 0.01
    assert feature["area_m2"] == pytest.approx(1e6, rel=2e-3)


def test_the_users_layer_keeps_its_schema_and_defaults(project):
    layer = QgsVectorLayer("Polygon?crs=EPSG:32613", "mine", "memory")
    layer.dataProvider().addAttributes([QgsField("name", QVariant.String), QgsField("score", QVariant.Double)])
    layer.updateFields()
    layer.setDefaultValueDefinition(0, QgsDefaultValue("'new'"))
    project.addMapLayer(layer)
    put_polygons(layer, [SQUARE], UTM, ATTRIBUTES, project)
    [feature] = layer.getFeatures()
    assert [field.name() for field in layer.fields()] == ["name", "score"]
    assert feature.attributes() == ["new", 0.75]
    assert not QgsWkbTypes.isMultiType(feature.geometry().wkbType())


@pytest.mark.parametrize(
    ("driver", "suffix", "options", "provider"),
    [
        ("GPKG", "gpkg", [], "ogr"),
        ("ESRI Shapefile", "shp", [], "ogr"),
        ("SQLite", "sqlite", ["SPATIALITE=YES"], "spatialite"),
    ],
)
def test_layers_of_each_provider_are_edited_and_saved(project, tmp_path, driver, suffix, options, provider):
    path = tmp_path / f"mine.{suffix}"
    fields = QgsFields()
    fields.append(QgsField("class", QVariant.String, len=40))
    save = QgsVectorFileWriter.SaveVectorOptions()
    save.driverName, save.layerName, save.datasourceOptions = driver, "mine", options
    writer = QgsVectorFileWriter.create(str(path), fields, QgsWkbTypes.Type.MultiPolygon, UTM, project.transformContext(), save)
    assert writer.hasError() == QgsVectorFileWriter.WriterError.NoError, writer.errorMessage()
    del writer
    source = f"dbname='{path}' table=\"mine\" (GEOMETRY)" if provider == "spatialite" else str(path)
    layer = QgsVectorLayer(source, "mine", provider)
    assert layer.isValid()
    project.addMapLayer(layer)
    put_polygons(layer, [SQUARE, TWO], UTM, {"class": "Grünland"}, project)
    assert layer.undoStack().count() == 1
    assert layer.commitChanges(), layer.commitErrors()
    again = QgsVectorLayer(source, "again", provider)
    assert sorted(feature.geometry().area() for feature in again.getFeatures()) == pytest.approx([1.0, 1e6])
    assert {feature["class"] for feature in again.getFeatures()} == {"Grünland"}


def test_a_refused_polygon_leaves_no_edit_session_behind(project):
    layer = QgsVectorLayer("Polygon?crs=EPSG:32613", "single", "memory")
    project.addMapLayer(layer)
    with pytest.raises(TargetRefused):
        put_polygons(layer, [SQUARE, TWO], UTM, {}, project)
    assert not layer.isEditable()
    assert layer.featureCount() == 0
    layer.startEditing()
    put_polygons(layer, [SQUARE], UTM, {}, project)
    with pytest.raises(TargetRefused):
        put_polygons(layer, [SQUARE, TWO], UTM, {}, project)
    assert layer.isEditable()
    assert layer.featureCount() == 1


def test_several_parts_are_refused_where_a_layer_takes_one(project):
    layer = QgsVectorLayer("Polygon?crs=EPSG:32613", "single", "memory")
    project.addMapLayer(layer)
    with pytest.raises(TargetRefused, match="single"):
        put_polygons(layer, [TWO], UTM, {}, project)
    assert layer.featureCount() == 0


def test_a_second_layer_in_a_geopackage_leaves_the_first(project, tmp_path):
    path = tmp_path / "two.gpkg"
    first = new_geopackage_layer(path, UTM, project)
    put_polygons(first, [SQUARE], UTM, ATTRIBUTES, project)
    first.commitChanges()
    second = new_geopackage_layer(path, UTM, project)
    assert second.source() != first.source()
    assert QgsVectorLayer(first.source(), "again", "ogr").featureCount() == 1
    assert second.featureCount() == 0


def test_tables_are_not_overwritten_whatever_their_case(project, tmp_path):
    path = tmp_path / "theirs.gpkg"
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName, options.layerName = "GPKG", "FEATURES"
    source = QgsVectorLayer("Polygon?crs=EPSG:32613&field=name:string", "theirs", "memory")
    feature = QgsFeature(source.fields())
    feature.setGeometry(SQUARE)
    source.dataProvider().addFeature(feature)
    QgsVectorFileWriter.writeAsVectorFormatV3(source, str(path), project.transformContext(), options)
    ours = new_geopackage_layer(path, UTM, project)
    assert ours.isValid()
    assert QgsVectorLayer(f"{path}|layername=FEATURES", "theirs", "ogr").featureCount() == 1
    assert QgsVectorLayer(f"{path}|layername=FEATURES", "theirs", "ogr").fields().lookupField("name") >= 0


@pytest.fixture
def edited(project, tmp_path, qgis_canvas):
    path = tmp_path / "theirs.gpkg"
    target = Target(qgis_canvas, project)
    target.new_geopackage(path, UTM)
    target.put([SQUARE], UTM, ATTRIBUTES, Placing())
    return target, path


def waiting_box():
    return next((box for box in QgsApplication.topLevelWidgets() if isinstance(box, QProgressDialog) and box.isVisible()), None)


def test_a_save_waits_for_a_locked_file_while_qgis_lives_on(edited):
    target, path = edited
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    texts = []

    def release():
        texts.append(waiting_box().labelText())
        other.close()

    QTimer.singleShot(600, release)
    assert target.layer.commitChanges()
    assert "another program is writing to it" in texts[0]
    assert target.layer.name() in texts[0]
    assert QgsVectorLayer(target.layer.source(), "again", "ogr").featureCount() == 1
    assert waiting_box() is None


def test_who_does_not_want_to_wait_keeps_all_edits(edited):
    target, path = edited
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        QTimer.singleShot(300, lambda: waiting_box().findChild(QPushButton).click())
        assert not target.layer.commitChanges()
    assert target.layer.isEditable()
    assert target.layer.featureCount() == 1
    assert target.layer.commitChanges()


def test_layers_that_share_a_transaction_are_saved_with_its_own_lock(edited, project):
    target, path = edited
    assert target.layer.commitChanges()
    project.setAutoTransaction(True)
    try:
        second = new_geopackage_layer(path, UTM, project)
        project.addMapLayer(second)
        assert target.layer.startEditing()
        target.put([SQUARE], UTM, ATTRIBUTES, Placing())
        assert target.layer.dataProvider().transaction() is not None
        assert target.layer.commitChanges()
    finally:
        project.setAutoTransaction(False)
    assert QgsVectorLayer(target.layer.source(), "again", "ogr").featureCount() == 2


def test_a_file_whose_tables_can_not_be_told_is_left_alone(project, tmp_path, monkeypatch):
    path = tmp_path / "theirs.gpkg"
    first = new_geopackage_layer(path, UTM, project)
    put_polygons(first, [SQUARE], UTM, ATTRIBUTES, project)
    assert first.commitChanges()

    def refuse(*args, **options):
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(sqlite3, "connect", refuse)
    with pytest.raises(LayerNotCreated, match="another program is writing to it"):
        new_geopackage_layer(path, UTM, project)
    assert QgsVectorLayer(first.source(), "again", "ogr").featureCount() == 1
