"""The algorithms, run as the toolbox runs them, with an engine of their own."""

import pytest
from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsField,
    QgsGeometry,
    QgsPointXY,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsRectangle,
    QgsSettings,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QVariant

import rasterlasso
from helpers import FIELD, MIDDLE
from rasterlasso.plugin.processing.provider import ALGORITHMS
from rasterlasso.plugin.target.provenance import recipe_of


@pytest.fixture
def provider(qgis_app, engine_python, project):
    QgsSettings().setValue("rasterlasso/engine_python", str(engine_python))
    made = rasterlasso.classFactory(None)  # as qgis_process has no window
    made.initProcessing()
    yield
    made.unload()
    QgsSettings().remove("rasterlasso")


def layer_of(kind, geometries, crs="EPSG:32613"):
    layer = QgsVectorLayer(f"{kind}?crs={crs}", "given", "memory")
    features = []
    for geometry in geometries:
        feature = QgsFeature()
        feature.setGeometry(geometry)
        features.append(feature)
    layer.dataProvider().addFeatures(features)
    return layer


def run(name, project, parameters, feedback=None):
    context, feedback = QgsProcessingContext(), feedback or QgsProcessingFeedback()
    context.setProject(project)
    algorithm = QgsApplication.processingRegistry().algorithmById(f"rasterlasso:{name}").create()
    outputs, ok = algorithm.run({**parameters, "OUTPUT": "memory:"}, context, feedback)
    return context.takeResultLayer(outputs["OUTPUT"]) if ok and "OUTPUT" in outputs else None, outputs, feedback


def algorithm_run(name, project, parameters, feedback=None):
    """Outputs, and whether it came to its end."""
    context, feedback = QgsProcessingContext(), feedback or QgsProcessingFeedback()
    context.setProject(project)
    algorithm = QgsApplication.processingRegistry().algorithmById(f"rasterlasso:{name}").create()
    return algorithm.run(parameters, context, feedback)


@pytest.mark.parametrize("name", ["segmentinboxes", "refinepolygons"])
def test_each_shape_becomes_an_exact_outline(provider, imagery, project, name):
    field = QgsGeometry.fromRect(QgsRectangle(*FIELD))
    there = QgsGeometry(field.buffer(10, 4))
    found, outputs, feedback = run(name, project, {"IMAGE": imagery, "INPUT": layer_of("Polygon", [there])})
    [polygon] = found.getFeatures()
    both = polygon.geometry().intersection(field).area() / polygon.geometry().combine(field).area()
    assert both > 0.9, feedback.textLog()
    assert polygon["source_id"] == 1
    assert polygon["area_m2"] == pytest.approx(field.area(), rel=0.06)
    recipe = recipe_of(polygon, found.crs())
    assert (recipe.prompts.box is not None) is (name == "segmentinboxes")
    assert recipe.crs == found.crs().authid()
    assert outputs["FOUND"] == 1


def test_a_point_that_can_not_be_placed_is_reported_and_the_others_are_done(provider, imagery, project):
    to_degrees = rasterlasso.plugin.geo.transforms.transform_between(
        imagery.crs(), QgsCoordinateReferenceSystem("EPSG:4326"), project.transformContext()
    )
    good = to_degrees.transform(QgsPointXY(*MIDDLE))
    points = layer_of("Point", [QgsGeometry.fromPointXY(each) for each in (good, QgsPointXY(0, 95))], "EPSG:4326")
    found, outputs, feedback = run("segmentatpoints", project, {"IMAGE": imagery, "POINTS": points})
    assert found.featureCount() == 1
    assert (outputs["FOUND"], outputs["SKIPPED"]) == (1, 1)
    assert "feature 2" in feedback.textLog()


def test_a_model_that_is_not_there_is_called_that(provider, imagery, project):
    points = layer_of("Point", [QgsGeometry.fromPointXY(QgsPointXY(*MIDDLE))])
    found, _, feedback = run("segmentatpoints", project, {"IMAGE": imagery, "POINTS": points, "MODEL": "nonesuch"})
    assert found is None
    assert "nonesuch" in feedback.textLog()


def test_a_cancelled_run_ends_at_once_and_keeps_what_was_found(provider, imagery, project):
    class Cancelling(QgsProcessingFeedback):
        def pushInfo(self, text):
            self.cancel()

    points = layer_of("Point", [QgsGeometry.fromPointXY(QgsPointXY(*MIDDLE))] * 50)
    found, outputs, _ = run("segmentatpoints", project, {"IMAGE": imagery, "POINTS": points}, Cancelling())
    assert 1 <= outputs["FOUND"] < 50
    assert found.featureCount() == outputs["FOUND"]


def test_every_algorithm_has_help_and_an_id_of_its_own(provider):
    made = [kind() for kind in ALGORITHMS]
    assert len({each.name() for each in made}) == len(made)
    for each in made:
        assert each.shortHelpString().endswith(".")
        assert each.displayName()
        assert each.group()
        assert each.helpUrl()
        assert each.tags()


def test_everything_of_a_size_in_an_extent(provider, imagery, project):
    given = {"IMAGE": imagery, "SIZE": 240, "EXTENT": "500080,500420,4499600,4499840 [EPSG:32613]", "FINISH": 2}
    found, outputs, feedback = run("segmenteverything", project, given)
    field = QgsGeometry.fromRect(QgsRectangle(*FIELD))
    polygons = [each for each in found.getFeatures() if each.geometry().intersection(field).area() > 0.9 * field.area()]
    assert len(polygons) == 1, feedback.textLog()
    assert polygons[0]["likeness"] >= 0.3
    assert polygons[0]["area_m2"] == pytest.approx(field.area(), rel=0.1)
    assert recipe_of(polygons[0], imagery.crs()).prompts.points
    assert outputs["FOUND"] == found.featureCount()


def test_similar_features_leave_out_the_examples(provider, imagery, project):
    example = layer_of("Polygon", [QgsGeometry.fromRect(QgsRectangle(*FIELD))])
    found, _, feedback = run("findsimilar", project, {"IMAGE": imagery, "EXAMPLES": example, "OTHERS": example})
    assert found is not None, feedback.textLog()
    field = QgsGeometry.fromRect(QgsRectangle(*FIELD))
    assert not any(each.geometry().intersection(field).area() > 0.3 * field.area() for each in found.getFeatures())


def test_without_an_example_on_the_imagery_it_says_so(provider, imagery, project):
    example = layer_of("Polygon", [QgsGeometry.fromRect(QgsRectangle(0, 0, 1, 1))])
    found, _, feedback = run("findsimilar", project, {"IMAGE": imagery, "EXAMPLES": example})
    assert found is None
    assert "No example lies on the imagery" in feedback.textLog()


def test_a_roof_gets_right_angles_and_what_lies_elsewhere_stays(provider, imagery, project):
    field = QgsGeometry.fromRect(QgsRectangle(*FIELD))
    rough = QgsGeometry(field.densifyByCount(9))
    for index in range(1, rough.constGet().nCoordinates() - 1, 2):  # as a traced outline is
        vertex = rough.vertexAt(index)
        rough.moveVertex(vertex.x() + (index % 3 - 1) * 1.5, vertex.y() + (index % 5 - 2) * 1.5, index)
    elsewhere = QgsGeometry.fromRect(QgsRectangle(0, 0, 9, 9))
    given = layer_of("Polygon", [rough, elsewhere])
    given.dataProvider().addAttributes([QgsField("name", QVariant.String)])
    given.updateFields()
    given.dataProvider().changeAttributeValues({1: {0: "barn"}, 2: {0: "far"}})
    found, outputs, feedback = run("regularize", project, {"IMAGE": imagery, "INPUT": given})
    assert found is not None, feedback.textLog()
    by_name = {each["name"]: each.geometry() for each in found.getFeatures()}
    assert by_name["barn"].constGet().nCoordinates() == 5
    both = by_name["barn"].intersection(field).area() / by_name["barn"].combine(field).area()
    assert both > 0.95
    assert by_name["far"].isGeosEqual(elsewhere)
    assert (outputs["CHANGED"], outputs["UNCHANGED"]) == (1, 1)


def test_neighbours_are_simplified_and_keep_their_border(provider, project):
    border = [(10 + (y % 2) * 0.3, y) for y in range(11)]
    ring = ", ".join(f"{x} {y}" for x, y in border)
    left = QgsGeometry.fromWkt(f"Polygon ((0 0, {ring}, 0 10, 0 0))")
    right = QgsGeometry.fromWkt(f"Polygon ((20 0, {ring}, 20 10, 20 0))")
    found, outputs, feedback = run("simplifycoverage", project, {"INPUT": layer_of("Polygon", [left, right]), "TOLERANCE": 1.0})
    assert found is not None, feedback.textLog()
    a, b = (each.geometry() for each in found.getFeatures())
    assert a.intersection(b).area() == pytest.approx(0, abs=1e-9)
    assert a.combine(b).area() == pytest.approx(200, rel=1e-6)
    assert a.constGet().nCoordinates() < left.constGet().nCoordinates()
    assert outputs["CHANGED"] == 2


def test_polygons_without_shared_borders_are_refused_in_words(provider, project):
    shapes = [QgsGeometry.fromRect(QgsRectangle(x, 0, x + 10, 10)) for x in (0, 5)]
    found, _, feedback = run("simplifycoverage", project, {"INPUT": layer_of("Polygon", shapes), "TOLERANCE": 1.0})
    assert found is None
    assert "overlap" in feedback.textLog()


def test_a_raster_is_encoded_ahead(provider, imagery, tmp_path, monkeypatch, project):
    monkeypatch.setenv("RASTERLASSO_CACHE", str(tmp_path / "cache"))
    _, outputs, feedback = run("encoderaster", project, {"IMAGE": imagery})
    assert outputs["TILES"] > 0, feedback.textLog()
    assert list((tmp_path / "cache").iterdir())


def test_nothing_is_encoded_where_nothing_is_kept(provider, imagery, project):
    _, outputs, feedback = run("encoderaster", project, {"IMAGE": imagery})
    assert "TILES" not in outputs
    assert imagery.source() in feedback.textLog()


@pytest.mark.parametrize("output", ["replayed.gpkg", "replayed.fgb"])
def test_features_are_replayed_on_other_imagery(provider, imagery, project, tmp_path, output):
    points = layer_of("Point", [QgsGeometry.fromPointXY(QgsPointXY(*MIDDLE))])
    made, _, _ = run("segmentatpoints", project, {"IMAGE": imagery, "POINTS": points})
    project.addMapLayer(made)
    path = str(tmp_path / output)
    outputs, ok = algorithm_run("replay", project, {"INPUT": made.id(), "IMAGE": imagery, "OUTPUT": path})
    assert ok
    assert outputs["FOUND"] == 1
    assert outputs["MEAN_IOU"] == pytest.approx(1.0)
    [again] = QgsVectorLayer(path, "again", "ogr").getFeatures()
    assert again["status"] == "found"


def test_a_layer_without_prompts_can_not_be_replayed_which_is_said(provider, imagery, project, tmp_path):
    plain = layer_of("Polygon", [QgsGeometry.fromRect(QgsRectangle(*FIELD))])
    project.addMapLayer(plain)
    feedback = QgsProcessingFeedback()
    given = {"INPUT": plain.id(), "IMAGE": imagery, "OUTPUT": str(tmp_path / "out.gpkg")}
    _, ok = algorithm_run("replay", project, given, feedback)
    assert not ok
    assert "prompts" in feedback.textLog()


def tiles_of_the_field(project):
    """The field in 24 pieces, as if they were features."""
    x0, y0, x1, y1 = FIELD
    pieces = [
        QgsGeometry.fromRect(QgsRectangle(x, y, x + (x1 - x0) / 6 - 2, y + (y1 - y0) / 4 - 2))
        for x in [x0 + n * (x1 - x0) / 6 for n in range(6)]
        for y in [y0 + n * (y1 - y0) / 4 for n in range(4)]
    ]
    made = layer_of("Polygon", pieces)
    project.addMapLayer(made)
    return made


def test_training_data_are_exported_and_predictions_come_back(provider, imagery, project, tmp_path):
    folder = tmp_path / "data"
    given = {"INPUT": tiles_of_the_field(project).id(), "IMAGE": imagery, "CHIP": 32, "FORMAT": 0}
    outputs, ok = algorithm_run("exporttrainingdata", project, {**given, "OUTPUT": str(folder)})
    assert ok
    assert outputs["TRAIN_CHIPS"] > outputs["VALIDATION_CHIPS"] > 0
    assert len(list(folder.rglob("*.png"))) == outputs["TRAIN_CHIPS"] + outputs["VALIDATION_CHIPS"]
    back = {"DATASET": str(folder), "TEXTS": str(folder / "labels"), "OUTPUT": str(tmp_path / "back.gpkg")}
    outputs, ok = algorithm_run("importpredictions", project, back)
    assert ok
    layer = QgsVectorLayer(back["OUTPUT"], "back", "ogr")
    assert layer.featureCount() == outputs["FOUND"] > 0
    field = QgsGeometry.fromRect(QgsRectangle(*FIELD)).buffer(4, 2)
    assert all(field.contains(each.geometry()) for each in layer.getFeatures())


def test_predictions_have_to_be_named(provider, project, tmp_path):
    feedback = QgsProcessingFeedback()
    given = {"DATASET": str(tmp_path), "OUTPUT": str(tmp_path / "back.gpkg")}
    _, ok = algorithm_run("importpredictions", project, given, feedback)
    assert not ok
    assert "Name what was predicted" in feedback.textLog()


def test_a_model_that_knows_no_classes_is_refused_in_words(provider, imagery, project):
    found, _, feedback = run("detectclasses", project, {"IMAGE": imagery, "CLASSES": "roof, lake"})
    assert found is None
    assert "was trained on no classes" in feedback.textLog()


def test_models_that_were_added_are_offered(provider, project):
    QgsSettings().setValue("rasterlasso/models", "builtin\nmine")
    try:
        algorithm = QgsApplication.processingRegistry().createAlgorithmById("rasterlasso:segmentatpoints")
        model = algorithm.parameterDefinition("MODEL")
        assert model.metadata()["widget_wrapper"]["value_hints"] == ["builtin", "mine"]
        assert model.defaultValue() == "builtin"
    finally:
        QgsSettings().remove("rasterlasso/models")
