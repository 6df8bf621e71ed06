"""The selected features of another layer become objects of the target."""

import pytest
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsFeature,
    QgsGeometry,
    QgsPointXY,
    QgsProject,
    QgsRectangle,
    QgsVectorLayer,
)

from helpers import BESIDE, FIELD, MIDDLE, iou, wait_until
from rasterlasso.contract.recipe import Recipe
from rasterlasso.plugin.digitizing.from_features import MOST_SELECTED, FromFeatures

FIELD_GEOMETRY = QgsGeometry.fromRect(QgsRectangle(*FIELD))
POINT = QgsGeometry.fromPointXY(QgsPointXY(*MIDDLE))


@pytest.fixture
def features(bench, engine):
    made = FromFeatures(bench.digitizer.lens, bench.digitizer.acceptance, engine, QgsProject.instance())
    made.message.connect(lambda text, level: bench.messages.append(text))
    yield made
    made.cancel()


def layer_of(shapes, kind="Point", crs="EPSG:32613", selected=None):
    layer = QgsVectorLayer(f"{kind}?crs={crs}", "prompts", "memory")
    for shape in shapes:
        feature = QgsFeature()
        feature.setGeometry(shape)
        layer.dataProvider().addFeature(feature)
    layer.selectByIds(selected or [feature.id() for feature in layer.getFeatures()])
    return layer


def done(features):
    wait_until(lambda: not features.is_under_way)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        (POINT, "Point"),
        (QgsGeometry.fromRect(QgsRectangle(*FIELD).buffered(8)), "Polygon"),
        (
            FIELD_GEOMETRY.buffer(-4, 3).difference(
                QgsGeometry.fromRect(QgsRectangle(*FIELD[:2], FIELD[0] + 40, FIELD[1] + 40))
            ),
            "Polygon",
        ),
    ],
)
def test_points_boxes_and_rough_polygons_each_give_a_feature(bench, features, shape, kind):
    bench.digitizer.acceptance.class_name = "field"
    features.begin(layer_of([shape], kind))
    done(features)
    [found] = bench.digitizer.target.layer.getFeatures()
    assert iou(found.geometry(), FIELD_GEOMETRY) > 0.88
    assert found["class"] == "field"
    assert Recipe.of(found["prompts"]).prompts.has_foreground
    assert bench.messages == ["1 of 1 selected features were segmented into the target layer."]


def test_only_what_is_selected_and_what_can_be_found(bench, features):
    """From a layer in degrees, one of them beside the imagery: the others are done, and the rest is told."""
    degrees = QgsCoordinateReferenceSystem("EPSG:4326")
    place = QgsGeometry(POINT)
    place.transform(QgsCoordinateTransform(bench.digitizer.crs, degrees, QgsProject.instance()))
    far = QgsGeometry.fromPointXY(QgsPointXY(-100, 50))
    features.begin(layer_of([place, far, place], crs="EPSG:4326", selected=[1, 2]))
    done(features)
    assert bench.digitizer.target.layer.featureCount() == 1
    [message] = bench.messages
    assert message.startswith("1 of 2 selected features were segmented")
    assert message.endswith("Nothing was found at the others: click these by hand.")


def test_a_feature_can_be_taken_up_again_like_any_other(bench, features):
    features.begin(layer_of([POINT]))
    done(features)
    bench.digitizer.reopen(QgsPointXY(*MIDDLE))
    assert bench.digitizer.draft.reopened is not None
    assert len(bench.digitizer.draft.points) == 1


def test_cancelling_keeps_what_was_found(bench, features):
    told = []
    features.progressed.connect(told.append)
    features.begin(layer_of([POINT] * 40))
    wait_until(lambda: bench.digitizer.target.layer is not None and bench.digitizer.target.layer.featureCount() > 1)
    features.begin(layer_of([POINT]))
    assert "still being segmented" in bench.messages[-1]
    features.cancel()
    assert not features.is_under_way
    count = bench.digitizer.target.layer.featureCount()
    assert 1 < count < 40
    assert told == sorted(told)
    bench.click(*MIDDLE)
    bench.answered()
    assert bench.digitizer.target.layer.featureCount() == count


def test_what_can_not_be_done_says_what_to_do(bench, features):
    nothing = layer_of([POINT])
    nothing.removeSelection()
    for layer in (None, bench.digitizer.imagery, nothing):
        features.begin(layer)
        assert bench.messages.pop().startswith("Nothing is selected. Click a layer of points")
    many = layer_of([QgsGeometry.fromPointXY(QgsPointXY(*BESIDE))] * (MOST_SELECTED + 1))
    features.begin(many)
    assert bench.messages.pop().startswith("1001 features are selected; 1000 are the most at once.")
    bench.digitizer.set_imagery(None)
    features.begin(layer_of([POINT]))
    assert bench.messages.pop().startswith("There is no imagery to click on.")
    assert not features.is_under_way
