"""What the user is told and what is kept, with the real engine."""

import os
import re
import signal

import pytest
from qgis.core import (
    Qgis,
    QgsContrastEnhancement,
    QgsCoordinateReferenceSystem,
    QgsGeometry,
    QgsPointXY,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtXml import QDomDocument

from helpers import BESIDE, FIELD, MIDDLE, wait_until
from rasterlasso.plugin.digitizing.digitizer import Digitizer
from rasterlasso.plugin.imagery.stretch import stretch_of
from rasterlasso.plugin.runtime.engine_process import EngineProcess, EngineState


def found_field(bench):
    field = QgsGeometry.fromRect(QgsRectangle(*FIELD))
    polygon = bench.answered()
    return polygon.intersection(field).area() / polygon.combine(field).area() > 0.95


def test_without_imagery_the_user_is_told(bench):
    bench.digitizer.set_imagery(None)
    bench.click(*MIDDLE)
    [message] = bench.messages
    assert "Add a raster layer" in message
    assert bench.digitizer.draft.is_empty


def test_a_click_off_the_raster_is_taken_back_and_those_before_stay(bench):
    bench.click(*MIDDLE)
    bench.answered()
    bench.digitizer.click(QgsPointXY(499_900, 4_499_990), True)
    wait_until(lambda: bench.messages)
    assert "is outside" in bench.messages[0]
    assert found_field(bench)
    assert len(bench.digitizer.draft.points) == 1


def test_a_click_on_nodata_is_taken_back(bench, project, make_image):
    layer = QgsRasterLayer(str(make_image("corner.tif", nodata_corner=True)), "corner")
    project.addMapLayer(layer)
    bench.digitizer.set_imagery(layer)
    bench.click(500_030, 4_499_970)
    wait_until(lambda: bench.messages)
    assert "no image data" in bench.messages[0]
    assert bench.digitizer.draft.is_empty


def test_a_message_names_the_layer_and_the_place_as_the_map_has_them(bench):
    bench.look_at(-105.02, 40.62, -104.98, 40.66, crs="EPSG:4326")
    bench.click(-105.01, 40.63)
    wait_until(lambda: bench.messages)
    assert re.fullmatch(r"\(-105\.0\d+, 40\.6\d+\) is outside image\. Click on the imagery\.", bench.messages[0])


@pytest.mark.parametrize("damage", ["missing", "truncated", "text"])
def test_a_file_that_went_bad_is_named(bench, project, make_image, damage):
    path = make_image("bad.tif")
    layer = QgsRasterLayer(str(path), "bad")
    project.addMapLayer(layer)
    bench.digitizer.set_imagery(layer)
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:9000])
    else:
        path.write_text("now a text file")
    bench.click(*MIDDLE)
    wait_until(lambda: bench.messages)
    assert str(path) in bench.messages[0]
    assert len(bench.digitizer.draft.points) == 1


def test_a_raster_without_crs_works_in_its_own_coordinates_and_says_so_once(bench, project, make_image):
    layer = QgsRasterLayer(str(make_image("plain.tif", epsg=None)), "plain")
    layer.setCrs(QgsCoordinateReferenceSystem())
    project.addMapLayer(layer)
    bench.digitizer.set_imagery(layer)
    bench.click(*MIDDLE)
    assert found_field(bench)
    bench.digitizer.clear()
    bench.click(*MIDDLE)
    assert found_field(bench)
    assert len([message for message in bench.messages if "no CRS" in message]) == 1
    bench.digitizer.accept()
    assert bench.digitizer.target.layer.featureCount() == 1


@pytest.mark.parametrize("georeference", [None, (0, 1, 0, 0, 0, 1)], ids=["none", "identity"])
def test_a_raster_in_pixels_lies_where_qgis_shows_it(bench, project, make_image, georeference):
    layer = QgsRasterLayer(str(make_image("pixels.tif", epsg=None, geotransform=georeference)), "pixels")
    layer.setCrs(QgsCoordinateReferenceSystem())
    project.addMapLayer(layer)
    bench.digitizer.set_imagery(layer)
    up = layer.extent().yMinimum() < 0
    assert up == (georeference is None)
    bench.look_at(*(0, -300, 400, 0) if up else (0, 0, 400, 300), crs="")
    bench.click(120, -140 if up else 140)
    box = bench.answered().boundingBox()
    assert (box.xMinimum(), box.yMinimum()) == pytest.approx((60, -180 if up else 100), abs=2)


def test_changing_the_imagery_takes_the_prompts_along(bench, project, make_image):
    bench.click(*MIDDLE)
    bench.answered()
    degrees = QgsRasterLayer(
        str(make_image("degrees.tif", epsg=4326, geotransform=(-105, 2e-5, 0, 40.66, 0, -2e-5))), "degrees"
    )
    project.addMapLayer(degrees)
    bench.digitizer.set_imagery(degrees)
    [point] = bench.digitizer.draft.points
    assert point.x == pytest.approx(-105 + 240 / 84_600, abs=2e-4)


@pytest.mark.parametrize(("source", "provider"), [(None, "gdal"), ("type=xyz&url=http://127.0.0.1:9/{z}/{x}/{y}.png", "wms")])
def test_a_draft_goes_to_coarser_imagery_and_to_servers(bench, project, make_image, source, provider):
    bench.click(*MIDDLE)
    bench.answered()
    level = bench.digitizer.answer.level
    coarser = str(make_image("coarser.tif", geotransform=(499_280, 8, 0, 4_500_840, 0, -8)))
    layer = QgsRasterLayer(source or coarser, "other", provider)
    project.addMapLayer(layer)
    bench.digitizer.set_imagery(layer)
    assert bench.digitizer.polygon is None
    wait_until(lambda: bench.digitizer.progress is None, 60)
    if source is None:
        assert bench.digitizer.answer.level == level - 2


def test_accepting_without_a_polygon_says_what_to_do(bench):
    bench.digitizer.accept()
    assert "Click on a feature first" in bench.messages[0]


@pytest.mark.parametrize("kind", ["points", "read-only"])
def test_a_target_that_can_not_take_polygons_keeps_the_polygon(bench, project, kind):
    layer = QgsVectorLayer("Point?crs=EPSG:32613" if kind == "points" else "Polygon?crs=EPSG:32613", kind, "memory")
    layer.setReadOnly(kind == "read-only")
    project.addMapLayer(layer)
    bench.digitizer.set_target(layer)
    bench.click(*MIDDLE)
    bench.answered()
    bench.digitizer.accept()
    assert kind in bench.messages[0]
    assert "kept" in bench.messages[0]
    assert bench.digitizer.polygon is not None


def test_removed_layers_are_forgotten(bench, project):
    bench.digitizer.target.new_scratch(bench.digitizer.crs)
    project.removeMapLayer(bench.digitizer.target.layer.id())
    assert bench.digitizer.target.layer is None
    project.removeMapLayer(bench.digitizer.imagery.id())
    assert bench.digitizer.imagery is None
    bench.click(*MIDDLE)
    assert "Add a raster layer" in bench.messages[-1]


def test_a_geopackage_that_can_not_be_made_is_named(bench, tmp_path):
    bench.jobs.new_geopackage(bench.digitizer.target, tmp_path / "no folder" / "x.gpkg", bench.digitizer.crs)
    assert "x.gpkg" in bench.messages[0]
    assert bench.digitizer.target.layer is None


def test_an_engine_killed_while_it_segments_is_replaced_with_one_message(bench, engine):
    bench.click(*MIDDLE)
    bench.answered()
    first = engine.process_id
    bench.click(*BESIDE, Qt.MouseButton.RightButton)
    assert bench.digitizer.progress is not None
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: bench.messages)
    assert found_field(bench)
    assert engine.process_id not in (0, first)
    assert len(bench.messages) == 1
    assert "clicks are kept" in bench.messages[0]
    assert len(bench.digitizer.draft.points) == 2


def test_an_engine_that_dies_idle_starts_at_the_next_click_without_a_word(bench, engine):
    bench.click(*MIDDLE)
    bench.answered()
    os.kill(engine.process_id, signal.SIGKILL)
    wait_until(lambda: engine.state is EngineState.STOPPED)
    bench.digitizer.clear()
    bench.click(*MIDDLE)
    assert found_field(bench)
    assert bench.messages == []


def test_rapid_clicks_end_in_the_answer_to_the_last(bench):
    for offset in range(0, 60, 10):
        bench.click(MIDDLE[0] + offset, MIDDLE[1])
    assert found_field(bench)
    assert len(bench.digitizer.draft.points) == 6


@pytest.mark.parametrize("broken", ["none", "missing", "not python", "import error", "hangs"])
def test_an_engine_that_can_not_start_is_explained_and_nothing_is_lost(
    bench, project, tmp_path, engine_python, monkeypatch, broken
):
    python = {"none": None, "missing": tmp_path / "python"}.get(broken, tmp_path / "python")
    if broken == "not python":
        python.write_text("#!/bin/sh\necho this is no python >&2\nexit 3\n")
        python.chmod(0o755)
    if broken == "import error":
        python.write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'rasterio'\" >&2\nexit 1\n")
        python.chmod(0o755)
    if broken == "hangs":
        python.write_text("#!/bin/sh\nexec sleep 60\n")
        python.chmod(0o755)
        monkeypatch.setattr("rasterlasso.plugin.runtime.engine_process.START_MS", 500)
    engine, messages = EngineProcess(python), []
    digitizer = Digitizer(bench.canvas, engine, project, "builtin")
    digitizer.message.connect(lambda text, level: messages.append(text))
    digitizer.set_imagery(bench.digitizer.imagery)
    digitizer.click(QgsPointXY(*MIDDLE), True)
    wait_until(lambda: messages)
    assert engine.state is EngineState.FAILED
    assert "Install engine" in messages[0]
    reason = {"not python": "no python", "import error": "No module named 'rasterio'", "hangs": "no sign of life"}.get(
        broken, ""
    )
    assert reason in messages[0]
    monkeypatch.undo()
    assert len(digitizer.draft.points) == 1
    assert digitizer.progress is None
    engine.use(engine_python)
    digitizer.ask_again()
    wait_until(lambda: digitizer.progress is None)
    assert digitizer.polygon.contains(QgsPointXY(*MIDDLE))
    assert len(messages) == 1
    digitizer.detach()
    engine.shut_down()


def test_the_model_learns_from_what_is_accepted_until_that_is_switched_off(bench, engine):
    def answer():
        bench.click(*MIDDLE)
        found = bench.answered()
        bench.digitizer.clear()
        return found

    before = answer()
    bench.digitizer.acceptance.set_learning(True)
    for _ in range(3):
        bench.drag((500_100, 4_499_620), (500_240, 4_499_820))
        bench.answered()
        bench.key(Qt.Key.Key_Return)
        wait_until(lambda: not engine.is_busy)
    assert not answer().equals(before)
    bench.digitizer.acceptance.set_learning(False)
    assert answer().equals(before)
    assert bench.messages[1:] == []


def test_another_model_answers_in_the_middle_of_a_draft(bench, added_model):
    bench.click(*MIDDLE)
    bench.answered()
    bench.click(*BESIDE, Qt.MouseButton.RightButton)
    bench.answered()
    clicks = bench.digitizer.draft
    bench.digitizer.lens.set_model(added_model)
    wait_until(lambda: bench.digitizer.progress is None, 120)  # its library loads now
    assert bench.digitizer.draft == clicks
    assert (bench.messages, bench.digitizer.answer.model) == ([], added_model)
    bench.digitizer.lens.set_model("builtin")
    assert found_field(bench)


def test_the_engine_sees_what_the_map_shows_where_the_user_says_so(bench, project):
    layer = bench.digitizer.imagery
    assert stretch_of(layer) is None
    bench.click(*MIDDLE)
    assert found_field(bench)
    bench.digitizer.lens.set_as_shown(True)
    renderer = layer.renderer()
    bench.answered()
    shown = stretch_of(layer)
    assert shown.bands == (renderer.redBand(), renderer.greenBand(), renderer.blueBand())
    assert (shown.low, shown.high) == ((0,) * 3, (255,) * 3)
    enhancement = QgsContrastEnhancement(Qgis.DataType.Byte)
    enhancement.setContrastEnhancementAlgorithm(QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum)
    enhancement.setMinimumValue(40)
    enhancement.setMaximumValue(190)
    renderer.setRedContrastEnhancement(enhancement)
    layer.brightnessFilter().setGamma(1.5)
    assert (stretch_of(layer).low[0], stretch_of(layer).high[0], stretch_of(layer).gamma) == (40, 190, 1.5)
    bench.digitizer.ask_again()
    bench.answered()
    assert found_field(bench)
    copy = QgsRasterLayer(layer.source(), "copy")
    copy.importNamedStyle(style_of(layer))
    assert stretch_of(copy) is not None
    bench.digitizer.lens.set_as_shown(False)
    assert stretch_of(layer) is None


def style_of(layer):
    document = QDomDocument()
    layer.exportNamedStyle(document)
    return document


def test_a_new_engine_is_asked_to_encode_ahead_again(bench, engine):
    asked = []
    request = engine.request
    engine.request = lambda op, *rest: (asked.append(op), request(op, *rest))[1]
    try:
        bench.prefetch.start()
        engine.start()
        wait_until(lambda: "prefetch" in asked)
        asked.clear()
        os.kill(engine.process_id, signal.SIGKILL)
        wait_until(lambda: engine.state is not EngineState.READY)
        engine.start()
        wait_until(lambda: "prefetch" in asked)
    finally:
        del engine.request
        bench.prefetch.stop()
