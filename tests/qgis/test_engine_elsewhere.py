"""An engine on another machine, whose ssh is a program of the test: the raster lies elsewhere there, and is another one."""

import shutil
import sys

import pytest
from qgis.core import QgsApplication, QgsPointXY, QgsProcessingContext, QgsProcessingFeedback, QgsProject, QgsSettings

import rasterlasso
from helpers import MIDDLE, wait_until
from rasterlasso.plugin.processing.provider import LassoProvider
from rasterlasso.plugin.runtime.engine_process import EngineState

SSH = """#!{python}
import os, shlex, sys
host, command = sys.argv[1], sys.argv[2:]
assert host == "gpu-box", host
words = shlex.split(" ".join(command))
os.execvp(words[0], words)
"""


@pytest.fixture
def ssh(tmp_path, make_image, engine_python):
    """`HERE/image.tif` is `THERE/image.tif` on the other machine, where the field lies 40 m further south."""
    there = tmp_path / "there"
    there.mkdir()
    shutil.move(make_image("moved.tif", geotransform=(500_000, 2, 0, 4_499_960, 0, -2)), there / "image.tif")
    program = tmp_path / "ssh"
    program.write_text(SSH.format(python=sys.executable))
    program.chmod(0o755)
    settings = QgsSettings()
    settings.setValue("rasterlasso/engine_command", f"{program} gpu-box {engine_python.with_name('rasterlasso')} serve")
    settings.setValue("rasterlasso/engine_paths", f"{tmp_path}={there}")
    yield there
    settings.remove("rasterlasso")


@pytest.fixture
def plugin(qgis_iface, ssh, imagery):
    made = rasterlasso.classFactory(qgis_iface)
    made.initGui()
    made.dock.imagery.setLayer(imagery)
    yield made
    made.unload()


def test_clicks_are_answered_by_the_engine_there(plugin, ssh):
    told = []
    plugin.digitizer.message.connect(lambda text, level: told.append(text))
    plugin.action.trigger()
    wait_until(lambda: plugin.engine.state is EngineState.READY)
    plugin.digitizer.click(QgsPointXY(*MIDDLE), True)
    wait_until(lambda: plugin.digitizer.progress is None)
    assert plugin.digitizer.polygon.boundingBox().center().y() == pytest.approx(MIDDLE[1] - 40, abs=12)
    plugin.digitizer.clear()
    (ssh / "image.tif").unlink()
    plugin.digitizer.click(QgsPointXY(*MIDDLE), True)
    wait_until(lambda: plugin.digitizer.progress is None)
    assert told
    assert all(str(ssh) not in text for text in told)  # it speaks of the layer, not of a path there


def test_algorithms_run_there_too(ssh, imagery, engine_python):
    provider = LassoProvider()
    QgsApplication.processingRegistry().addProvider(provider)
    try:
        algorithm = QgsApplication.processingRegistry().createAlgorithmById("rasterlasso:segmenteverything")
        context, feedback = QgsProcessingContext(), QgsProcessingFeedback()
        context.setProject(QgsProject.instance())
        given = {"IMAGE": imagery, "SIZE": 250.0, "OUTPUT": "memory:"}
        found, is_good = algorithm.run(given, context, feedback)
    finally:
        QgsApplication.processingRegistry().removeProvider(provider)
    assert is_good, feedback.textLog()
    layer = context.getMapLayer(found["OUTPUT"])
    assert any(
        feature.geometry().boundingBox().center().distance(QgsPointXY(MIDDLE[0], MIDDLE[1] - 40)) < 30
        for feature in layer.getFeatures()
    )


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("engine_command", "ssh 'gpu-box", "rasterlasso/engine_command can't be read"),
        ("engine_paths", "/only/here", "rasterlasso/engine_paths is not FOLDER HERE=FOLDER THERE"),
    ],
)
def test_settings_that_can_t_be_used_are_told_and_nothing_breaks(qgis_iface, ssh, imagery, monkeypatch, name, value, words):
    QgsSettings().setValue(f"rasterlasso/{name}", value)
    told = []
    bar = qgis_iface.messageBar()
    monkeypatch.setattr(bar, "pushMessage", lambda title, text, *more: told.append(text), raising=False)
    made = rasterlasso.classFactory(qgis_iface)
    made.initGui()
    made.unload()
    assert len(told) == 1
    assert words in told[0]
