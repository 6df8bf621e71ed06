"""The plugin as QGIS loads and unloads it."""

from pathlib import Path

import pytest
from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsEditFormConfig,
    QgsEditorWidgetSetup,
    QgsFeature,
    QgsGeometry,
    QgsPointXY,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsRasterLayer,
    QgsSettings,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QCoreApplication, QEvent, Qt
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QDockWidget

import rasterlasso
from helpers import MIDDLE, polygon_layer, wait_until
from rasterlasso.contract.looks import PRESETS
from rasterlasso.contract.requests import ModelInfo
from rasterlasso.plugin.errors import EngineMissing
from rasterlasso.plugin.geo.transforms import transform_between
from rasterlasso.plugin.runtime.engine_process import EngineState, engine_environment
from rasterlasso.plugin.settings import Settings
from rasterlasso.plugin.translation import error_text


@pytest.fixture
def configured(engine_python):
    QgsSettings().setValue("rasterlasso/engine_python", str(engine_python))
    yield
    QgsSettings().remove("rasterlasso")


@pytest.fixture
def plugin(qgis_iface, configured, project):
    made = rasterlasso.classFactory(qgis_iface)
    made.initGui()
    yield made
    if made._provider is not None:
        made.unload()


def alive(process_id):
    return Path(f"/proc/{process_id}").exists() and "zombie" not in Path(f"/proc/{process_id}/status").read_text()


def test_unload_leaves_nothing_behind(qgis_iface, configured, project, imagery):
    canvas = qgis_iface.mapCanvas()
    items = len(canvas.scene().items())
    listeners = project.receivers(project.layersWillBeRemoved) if hasattr(project, "receivers") else 0
    plugin = rasterlasso.classFactory(qgis_iface)
    plugin.initGui()
    plugin.action.trigger()
    wait_until(lambda: plugin.engine.state is EngineState.READY)
    assert canvas.mapTool() is plugin.tool
    assert QgsApplication.processingRegistry().providerById("rasterlasso") is not None
    plugin.digitizer.click(QgsPointXY(*MIDDLE), True)
    process_id = plugin.engine.process_id
    plugin.unload()
    wait_until(lambda: not alive(process_id), 5)
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert canvas.mapTool() is not plugin.tool
    assert QgsApplication.processingRegistry().providerById("rasterlasso") is None
    assert len(canvas.scene().items()) == items
    assert (project.receivers(project.layersWillBeRemoved) if listeners else 0) == listeners
    assert not [
        dock for dock in qgis_iface.mainWindow().findChildren(QDockWidget) if dock.isVisible() and "Lasso" in dock.objectName()
    ]
    project.removeAllMapLayers()


def test_the_dialog_of_models_opens_beside_the_map_and_goes_with_the_plugin(plugin):
    plugin.dock.models.models_button.click()
    first = plugin._models_dialog
    plugin.dock.models.models_button.click()
    assert plugin._models_dialog is first
    assert first.isVisible()
    assert not first.isModal()
    first.reject()
    assert plugin._models_dialog is None
    wait_until(lambda: plugin.dock.models.model.currentText() == "Built-in")
    plugin.dock.models.models_button.click()
    plugin.unload()
    assert plugin._models_dialog is None


def test_where_the_chosen_model_is_gone_the_built_in_one_takes_its_place(plugin):
    plugin.digitizer.lens.set_model("mine")
    plugin.dock.models.set_models([ModelInfo("builtin", "Built-in", "Raster Lasso", "GPL", 3_200_000, "built-in", 0.3)])
    assert plugin.digitizer.lens.model == "builtin"
    assert plugin.dock.models.model.currentData() == "builtin"


def test_it_can_be_loaded_again(qgis_iface, configured, project):
    for _ in range(3):
        plugin = rasterlasso.classFactory(qgis_iface)
        plugin.initGui()
        plugin.unload()


def test_the_panel_shows_what_is_the_case(plugin, imagery):
    plugin.action.trigger()
    wait_until(lambda: plugin.dock.models.model.currentText() == "Built-in")
    assert plugin.digitizer.imagery is imagery
    assert not plugin.dock.buttons.accept.isEnabled()
    assert not plugin.dock.install_button.isVisibleTo(plugin.dock)
    plugin.digitizer.click(QgsPointXY(*MIDDLE), True)
    wait_until(lambda: plugin.digitizer.progress is None)
    assert plugin.dock.buttons.accept.isEnabled()
    assert plugin.dock.status.text() == "Good · 3.9 ha · 791.4 m · 16 vertices"
    assert "level -1" in plugin.dock.status.toolTip()
    plugin.dock.class_name.setEditText("field")
    plugin.dock.buttons.accept.click()
    assert plugin.dock.target.currentLayer() is plugin.digitizer.target.layer
    [feature] = plugin.digitizer.target.layer.getFeatures()
    assert feature["class"] == "field"
    assert plugin.dock.status.text() == "1 accepted"


def test_the_tool_goes_off_with_its_button(plugin, qgis_iface, imagery):
    plugin.action.trigger()
    assert plugin.action.isChecked()
    plugin.action.trigger()
    assert qgis_iface.mapCanvas().mapTool() is not plugin.tool


def test_choices_are_kept_for_the_next_time(qgis_iface, configured, project):
    plugin = rasterlasso.classFactory(qgis_iface)
    plugin.initGui()
    plugin.dock.class_name.setEditText("lake")
    plugin.unload()
    assert Settings.load().class_name == "lake"


def test_without_an_engine_the_panel_offers_to_install_it(qgis_iface, project, imagery, tmp_path, monkeypatch):
    monkeypatch.setattr("rasterlasso.plugin.runtime.environment.managed_folder", lambda: tmp_path / "engine")
    QgsSettings().remove("rasterlasso")
    plugin = rasterlasso.classFactory(qgis_iface)
    plugin.initGui()
    assert plugin.dock.install_button.isVisibleTo(plugin.dock)
    plugin.digitizer.click(QgsPointXY(*MIDDLE), True)
    assert plugin.engine.state is EngineState.FAILED
    assert len(plugin.digitizer.draft.points) == 1
    plugin.unload()


@pytest.mark.parametrize("has_project", [True, False], ids=["in QGIS", "as qgis_process"])
def test_the_algorithm_segments_at_points(plugin, imagery, project, has_project):
    points = QgsVectorLayer("Point?crs=EPSG:4326", "points", "memory")
    features = []
    to_lonlat = transform_between(imagery.crs(), QgsCoordinateReferenceSystem("EPSG:4326"), project.transformContext())
    for place in (MIDDLE, (0.0, 4_000_000.0)):
        feature = QgsFeature()
        feature.setGeometry(QgsGeometry.fromPointXY(to_lonlat.transform(QgsPointXY(*place))))
        features.append(feature)
    points.dataProvider().addFeatures(features)
    algorithm = QgsApplication.processingRegistry().algorithmById("rasterlasso:segmentatpoints")
    context, feedback = QgsProcessingContext(), QgsProcessingFeedback()
    if has_project:
        context.setProject(project)
    parameters = {"IMAGE": imagery, "POINTS": points, "LEVEL": 0, "OUTPUT": "memory:"}
    outputs, ok = algorithm.create().run(parameters, context, feedback)
    assert ok, feedback.textLog()
    found = context.takeResultLayer(outputs["OUTPUT"])
    [polygon] = found.getFeatures()
    assert polygon.geometry().area() == pytest.approx(240 * 160, rel=0.05)
    assert "feature 2" in feedback.textLog()
    assert (outputs["FOUND"], outputs["SKIPPED"]) == (1, 1)


def test_the_algorithm_without_an_engine_says_so(plugin, imagery, monkeypatch):
    monkeypatch.setattr("rasterlasso.plugin.processing.lasso_algorithm.engine_command", lambda settings: None)
    points = QgsVectorLayer("Point?crs=EPSG:32613", "points", "memory")
    algorithm = QgsApplication.processingRegistry().algorithmById("rasterlasso:segmentatpoints").create()
    feedback = QgsProcessingFeedback()
    _, ok = algorithm.run({"IMAGE": imagery, "POINTS": points, "OUTPUT": "memory:"}, QgsProcessingContext(), feedback)
    assert not ok
    assert error_text(EngineMissing()) in feedback.textLog()


def test_the_cache_is_where_the_settings_say_unless_the_environment_does(configured, monkeypatch):
    settings = Settings.load()
    settings.cache_folder, settings.cache_gb = "/elsewhere", 2.5
    settings.save("cache_folder", "cache_gb")
    monkeypatch.delenv("RASTERLASSO_CACHE")
    monkeypatch.setenv("RASTERLASSO_CACHE_GB", "7")
    environment = engine_environment()
    assert environment.value("RASTERLASSO_CACHE") == "/elsewhere"
    assert environment.value("RASTERLASSO_CACHE_GB") == "7"


@pytest.mark.parametrize(
    ("name", "stored", "found"),
    [
        ("cache_gb", "10,5", 10.5),
        ("cache_gb", ["10", "5"], 10.5),
        ("cache_gb", "2.5", 2.5),
        ("cache_gb", "much", 10.0),
        ("cache_gb", "-3", 10.0),
        ("cache_gb", "nan", 10.0),
        ("cache_gb", {"a": 1}, 10.0),
        ("hover", "perhaps", True),
        ("hover", ["a", "b"], True),
        ("model", ["a", "b"], "builtin"),
    ],
)
def test_settings_of_the_wrong_type_give_way_to_defaults(configured, name, stored, found):
    QgsSettings().setValue(f"rasterlasso/{name}", stored)
    assert getattr(Settings.load(), name) == found


@pytest.mark.parametrize("kind", ["HttpProxy", "Socks5Proxy", "DefaultProxy"])
def test_the_proxy_of_qgis_options_is_the_engines(configured, monkeypatch, kind):
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    given = {"proxyEnabled": True, "proxyType": kind, "proxyHost": "proxy.example", "proxyPort": "3128", "proxyUser": "me@home"}
    for name, value in {**given, "proxyPassword": "a b", "noProxyUrls": ["http://own.example/x", "other.example"]}.items():
        QgsSettings().setValue(f"proxy/{name}", value)
    environment = engine_environment()
    QgsSettings().remove("proxy")
    address = {
        "HttpProxy": "http://me%40home:a%20b@proxy.example:3128",
        "Socks5Proxy": "socks5h://me%40home:a%20b@proxy.example:3128",
    }
    assert environment.value("https_proxy") == environment.value("http_proxy") == address.get(kind, "")
    if kind in address:
        assert environment.value("no_proxy") == "own.example,other.example,127.0.0.1"
    assert engine_environment().value("https_proxy") == ""


def test_what_the_environment_says_of_proxies_counts_more(configured, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://mine.example:1")
    for name, value in {"proxyEnabled": True, "proxyType": "HttpProxy", "proxyHost": "proxy.example"}.items():
        QgsSettings().setValue(f"proxy/{name}", value)
    environment = engine_environment()
    QgsSettings().remove("proxy")
    assert environment.value("https_proxy") == ""
    assert environment.value("HTTPS_PROXY") == "http://mine.example:1"


def test_the_steps_of_an_outline_follow_the_preset_and_the_other_way_round(plugin):
    panel, told = plugin.dock.finish, []
    panel.changed.connect(told.append)
    panel.preset.setCurrentIndex(panel.preset.findData("building"))
    assert panel.right_angles.isChecked()
    assert told[-1] == PRESETS["building"] == plugin.digitizer.lens.finish
    panel.unit.setCurrentIndex(1)
    panel.tolerance.setValue(2.5)
    assert panel.preset.currentData() == "own"
    assert plugin.digitizer.lens.finish.tolerance_m == 2.5
    assert plugin.digitizer.lens.finish.tolerance_px == 0
    panel.preset.setCurrentIndex(panel.preset.findData("raw"))
    assert plugin.digitizer.lens.finish == PRESETS["raw"]


def test_number_keys_choose_among_the_layers_classes(plugin, imagery, project, qgis_canvas):
    layer = QgsVectorLayer("Polygon?crs=EPSG:32613&field=kind:integer", "mine", "memory")
    layer.setEditorWidgetSetup(0, QgsEditorWidgetSetup("ValueMap", {"map": [{"Lake": 1}, {"Field": 2}]}))
    project.addMapLayer(layer)
    plugin.dock.target.setLayer(layer)
    assert [plugin.dock.class_name.itemText(index) for index in range(2)] == ["Lake", "Field"]
    plugin.action.trigger()
    QTest.keyClick(qgis_canvas, Qt.Key.Key_2)
    assert plugin.dock.class_name.currentText() == "Field"
    plugin.digitizer.click(QgsPointXY(*MIDDLE), True)
    wait_until(lambda: plugin.digitizer.progress is None)
    plugin.dock.buttons.accept.click()
    [feature] = layer.getFeatures()
    assert feature["kind"] == 2
    plugin.unload()
    assert Settings.load().class_name == "Field"


def test_a_new_class_joins_the_list_of_a_layer_that_the_plugin_made(plugin, imagery):
    plugin.action.trigger()
    for name in ("field", "", "lake"):
        plugin.dock.class_name.setEditText(name)
        plugin.digitizer.click(QgsPointXY(*MIDDLE), True)
        wait_until(lambda: plugin.digitizer.progress is None)
        plugin.dock.buttons.accept.click()
        assert plugin.dock.class_name.currentText() == name
    assert [plugin.dock.class_name.itemText(index) for index in range(plugin.dock.class_name.count())] == ["field", "lake"]


@pytest.mark.parametrize(
    ("suppress", "opened"),
    [(QgsEditFormConfig.FeatureFormSuppress.SuppressOff, 1), (QgsEditFormConfig.FeatureFormSuppress.SuppressDefault, 0)],
)
def test_the_form_opens_where_the_layer_asks_for_it(plugin, imagery, project, monkeypatch, suppress, opened):
    layer = QgsVectorLayer("Polygon?crs=EPSG:32613&field=name:string", "mine", "memory")
    config = layer.editFormConfig()
    config.setSuppress(suppress)
    layer.setEditFormConfig(config)
    project.addMapLayer(layer)
    plugin.dock.target.setLayer(layer)
    forms = []
    monkeypatch.setattr(
        plugin._iface, "openFeatureForm", lambda layer, feature, *options: forms.append(feature.id()), raising=False
    )
    plugin.action.trigger()
    plugin.digitizer.click(QgsPointXY(*MIDDLE), True)
    wait_until(lambda: plugin.digitizer.progress is None)
    plugin.dock.buttons.accept.click()
    assert len(forms) == opened
    assert [feature.id() for feature in layer.getFeatures()][:opened] == forms


def test_the_panels_modes_follow_the_draft(plugin, imagery):
    plugin.action.trigger()
    dock = plugin.dock
    assert not dock.buttons.add.isEnabled()
    plugin.digitizer.click(QgsPointXY(*MIDDLE), True)
    wait_until(lambda: plugin.digitizer.progress is None)
    dock.buttons.subtract.click()
    assert "cut out" in dock.status.text()
    dock.buttons.undo.click()
    wait_until(lambda: plugin.digitizer.progress is None)
    dock.buttons.split.click()
    assert dock.buttons.split.isChecked()
    assert "Draw a line" in dock.status.text()
    dock.buttons.split.click()
    assert not dock.buttons.split.isChecked()
    assert "Good" in dock.status.text()


def test_what_was_set_in_qgiss_own_settings_stays(plugin):
    QgsSettings().setValue("rasterlasso/cache_folder", "/elsewhere")
    QgsSettings().setValue("rasterlasso/engine_python", "/another/python")
    plugin.unload()
    assert Settings.load().cache_folder == "/elsewhere"
    assert Settings.load().engine_python == "/another/python"


def test_what_the_panel_shows_is_what_is_used(plugin, project, make_image):
    rasters = [QgsRasterLayer(str(make_image(f"{name}.tif")), name) for name in "abc"]
    project.addMapLayers(rasters)
    assert plugin.dock.imagery.currentLayer() is plugin.digitizer.imagery is not None
    while project.mapLayers():
        project.removeMapLayer(plugin.dock.imagery.currentLayer().id())
        assert plugin.dock.imagery.currentLayer() is plugin.digitizer.imagery
    layers = [polygon_layer(project) for _ in range(3)]
    plugin.dock.target.setLayer(layers[0])
    assert plugin.digitizer.target.layer is layers[0]
    project.removeMapLayer(layers[0].id())
    assert plugin.dock.target.currentLayer() is plugin.digitizer.target.layer is None


def test_a_class_typed_with_enter_keeps_its_value(plugin):
    box = plugin.dock.class_name
    for name in ("lake", "field", "lake"):
        box.lineEdit().selectAll()
        QTest.keyClicks(box, name)
        QTest.keyClick(box, Qt.Key.Key_Return)
        assert plugin.digitizer.acceptance.class_name == name
