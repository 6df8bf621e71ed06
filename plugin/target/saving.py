"""Saves onto a GeoPackage that another program is writing to: QGIS alone would stand still for half a minute, then give up."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from qgis.core import QgsApplication, QgsProviderRegistry, QgsVectorLayer
from qgis.PyQt.QtCore import QEventLoop, Qt, QTimer
from qgis.PyQt.QtWidgets import QProgressDialog

from ...contract.replacing import is_being_written
from ..translation import tr
from .new_layers import LOCK_S

POLL_MS = 250
"""So often the file is looked at."""


class SaveGuard:
    """Tells that a layer's file is locked, and has the save wait until it is free while QGIS goes on living.

    A save can't be called off by a plugin: who doesn't want to wait has QGIS try at once.
    """

    def __init__(self) -> None:
        self._watched: set[str] = set()
        self._waiting: set[Path] = set()

    def watch(self, layer: QgsVectorLayer) -> None:
        """Look at a layer's file before each of its saves, as long as the layer is there."""
        if layer.id() not in self._watched:
            self._watched.add(layer.id())
            layer.beforeCommitChanges.connect(partial(self._look, layer))

    def forget(self, layer_ids: list[str]) -> None:
        """Let go of layers that leave the project."""
        self._watched -= set(layer_ids)

    def _look(self, layer: QgsVectorLayer, *_: bool) -> None:
        path = _geopackage(layer)
        if path is None or path in self._waiting or not is_being_written(path, LOCK_S):
            return
        self._waiting.add(path)
        try:
            _wait(path, layer.name())
        finally:
            self._waiting.discard(path)


def _geopackage(layer: QgsVectorLayer) -> Path | None:
    """The file a save writes to; None where it is of another kind, or where QGIS itself has the lock (transaction groups)."""
    provider = layer.dataProvider()
    if provider.name() != "ogr" or provider.transaction() is not None:
        return None
    path = Path(QgsProviderRegistry.instance().decodeUri("ogr", layer.source()).get("path") or "")
    return path if path.suffix.lower() == ".gpkg" and path.is_file() else None


def _wait(path: Path, layer: str) -> None:
    """Return when the file is free or the user wants no more waiting; events go on meanwhile."""
    text = tr(
        "{file}: another program is writing to it. The layer {layer} is saved as soon as it has finished.\n"
        "Without waiting, QGIS tries now, and may not answer for half a minute; the edits are kept if it fails."
    ).format(file=path.name, layer=layer)
    box = QProgressDialog(text, tr("Don't wait"), 0, 0, QgsApplication.activeWindow())
    box.setWindowTitle(tr("Waiting to save"))
    box.setWindowModality(Qt.WindowModality.ApplicationModal)
    box.setMinimumDuration(0)
    loop, timer = QEventLoop(), QTimer()
    timer.timeout.connect(lambda: None if is_being_written(path, 0) else loop.quit())
    box.canceled.connect(loop.quit)
    box.show()
    timer.start(POLL_MS)
    loop.exec()
    timer.stop()
    box.hide()
    box.deleteLater()
