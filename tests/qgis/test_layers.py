import pytest
from qgis.core import QgsCoordinateReferenceSystem, QgsDefaultValue, QgsField, QgsGeometry, QgsVectorLayer, QgsWkbTypes
from qgis.PyQt.QtCore import QVariant

from rasterlasso.plugin.errors import TargetRefused
from rasterlasso.plugin.imagery import transform_between
from rasterlasso.plugin.layers import new_geopackage_layer, new_scratch_layer, put_polygon

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
    put_polygon(layer, SQUARE, UTM, ATTRIBUTES, project)
    [feature] = layer.getFeatures()
    assert (feature["class"], feature["score"], feature["model"]) == ("lake", 0.75, "builtin")
    assert feature["area_m2"] == pytest.approx(1e6, rel=2e-3)
    assert QgsWkbTypes.isMultiType(feature.geometry().wkbType())
    assert layer.commitChanges()
    assert layer.featureCount() == 1


def test_one_object_is_one_undo_command_and_nothing_is_committed(layer, project):
    for count in (1, 2):
        put_polygon(layer, SQUARE, UTM, ATTRIBUTES, project)
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
    put_polygon(layer, SQUARE, UTM, ATTRIBUTES, project)
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
    put_polygon(layer, SQUARE, UTM, ATTRIBUTES, project)
    [feature] = layer.getFeatures()
    assert [field.name() for field in layer.fields()] == ["name", "score"]
    assert feature.attributes() == ["new", 0.75]
    assert not QgsWkbTypes.isMultiType(feature.geometry().wkbType())


def test_several_parts_are_refused_where_a_layer_takes_one(project):
    layer = QgsVectorLayer("Polygon?crs=EPSG:32613", "single", "memory")
    project.addMapLayer(layer)
    with pytest.raises(TargetRefused, match="single"):
        put_polygon(layer, TWO, UTM, {}, project)
    assert layer.featureCount() == 0


def test_a_second_layer_in_a_geopackage_leaves_the_first(project, tmp_path):
    path = tmp_path / "two.gpkg"
    first = new_geopackage_layer(path, UTM, project)
    put_polygon(first, SQUARE, UTM, ATTRIBUTES, project)
    first.commitChanges()
    second = new_geopackage_layer(path, UTM, project)
    assert second.source() != first.source()
    assert QgsVectorLayer(first.source(), "again", "ogr").featureCount() == 1
    assert second.featureCount() == 0
