"""What was chosen for a class stays with its layer, and the panel's own with the profile."""

import pytest
from qgis.core import QgsPointXY, QgsSettings

import rasterlasso
from helpers import MIDDLE, polygon_layer, wait_until
from rasterlasso.contract.looks import PRESETS
from rasterlasso.plugin.target.class_settings import settings_of


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
    made.unload()


def test_outline_borders_and_accepting_stay_with_the_class_and_the_layer(plugin, imagery, project):
    plugin.action.trigger()
    panel, options = plugin.dock.finish, plugin.dock.options
    plugin.dock.class_name.setEditText("roof")
    panel.preset.setCurrentIndex(panel.preset.findData("building"))
    options.share_borders.setChecked(True)
    plugin.digitizer.click(QgsPointXY(*MIDDLE), True)
    wait_until(lambda: plugin.digitizer.progress is None)
    plugin.dock.buttons.accept.click()
    layer = plugin.digitizer.target.layer
    plugin.dock.class_name.setEditText("field")
    panel.preset.setCurrentIndex(panel.preset.findData("field"))
    options.share_borders.setChecked(False)
    options.auto_accept.setChecked(True)
    plugin.dock.class_name.setEditText("roof")
    assert plugin.digitizer.lens.finish == PRESETS["building"]
    assert (plugin.digitizer.acceptance.share_borders, plugin.digitizer.auto_accept) == (True, False)
    plugin.dock.target.setLayer(polygon_layer(project))
    panel.preset.setCurrentIndex(panel.preset.findData("raw"))
    plugin.dock.class_name.setEditText("field")
    assert plugin.digitizer.lens.finish == PRESETS["raw"]  # another layer's fields are its own
    plugin.dock.target.setLayer(layer)
    assert plugin.dock.class_name.currentText() == "roof"  # the one that the layer knows already
    assert plugin.digitizer.lens.finish == PRESETS["building"]
    plugin.dock.class_name.setEditText("field")
    assert plugin.digitizer.lens.finish == PRESETS["field"]
    assert (plugin.digitizer.acceptance.share_borders, plugin.digitizer.auto_accept) == (False, True)


@pytest.mark.parametrize(
    "kept", ["", "[]", "{", '{"roof": 3}', '{"roof": {"finish": {"grow_m": "x"}, "model": "builtin"}}', "[" * 99_999]
)
def test_what_is_kept_with_a_layer_and_can_not_be_read_changes_nothing(plugin, project, kept):
    layer = polygon_layer(project)
    layer.setCustomProperty("rasterlasso/classes", kept)
    plugin.dock.class_name.setEditText("roof")
    plugin.dock.target.setLayer(layer)
    assert plugin.digitizer.lens.finish == PRESETS["raw"]
    plugin.dock.finish.preset.setCurrentIndex(plugin.dock.finish.preset.findData("tree"))
    assert settings_of(layer, "roof").finish == PRESETS["tree"]


def test_the_panel_is_at_the_next_start_as_it_was_left(qgis_iface, configured, project):
    first = rasterlasso.classFactory(qgis_iface)
    first.initGui()
    first.dock.finish.preset.setCurrentIndex(first.dock.finish.preset.findData("water"))
    first.dock.options.auto_accept.setChecked(True)
    first.unload()
    second = rasterlasso.classFactory(qgis_iface)
    second.initGui()
    try:
        assert second.digitizer.lens.finish == PRESETS["water"]
        assert second.dock.finish.preset.currentData() == "water"
        assert second.digitizer.auto_accept
    finally:
        second.unload()
