"""The layer that accepted polygons go to: the user's own, or one that is made for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from qgis.core import QgsCoordinateReferenceSystem, QgsFeature, QgsGeometry, QgsPointXY, QgsProject, QgsVectorLayer
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ..errors import NothingToReopen, TargetRefused
from ..geo.transforms import transform_between, transformed
from ..translation import tr
from .classes import classes_of
from .new_layers import new_geopackage_layer, new_scratch_layer
from .placing import Placing, check_target, feature_at, put_polygons, takes_lines
from .saving import SaveGuard
from .styling import credit, show_class, style


@dataclass(frozen=True)
class _Reopened:
    """The feature taken up last, as it was then. is_gone: it was deleted, and that was saved."""

    layer_id: str
    feature_id: int
    shape: QgsGeometry
    is_gone: bool = False


class Target(QObject):
    """`replaced` tells that another layer, or none, is the target now without the user's choosing it; `adjusted` (layer,
    feature ids) that borders of neighbours were moved.
    """

    replaced = pyqtSignal()
    adjusted = pyqtSignal(object, list)

    def __init__(self, canvas: QgsMapCanvas, project: QgsProject) -> None:
        super().__init__()
        self._canvas = canvas
        self._project = project
        self._saving = SaveGuard()
        self._watched: set[str] = set()
        self._reopened: _Reopened | None = None
        self.layer: QgsVectorLayer | None = None
        """None for a new scratch layer at the next acceptance."""

    @property
    def takes_lines(self) -> bool:
        """Whether it gets outlines and not areas."""
        return takes_lines(self.layer)

    def new_geopackage(self, path: Path, crs: QgsCoordinateReferenceSystem) -> None:
        """Make a GeoPackage layer and add it to the project; raises `LayerNotCreated`."""
        self._adopt(new_geopackage_layer(path, crs, self._project))

    def new_scratch(self, crs: QgsCoordinateReferenceSystem, name: str = "") -> QgsVectorLayer:
        """Make a memory layer and add it to the project."""
        layer = new_scratch_layer(crs)
        if name:
            layer.setName(name)
        return self._adopt(layer)

    def feature_at(self, place: QgsPointXY) -> tuple[QgsVectorLayer, QgsFeature]:
        """The accepted polygon at a place in map coordinates; raises `NothingToReopen`, `CoordinatesUntransformable`."""
        if self.layer is None:
            raise NothingToReopen()
        map_crs, context = self._canvas.mapSettings().destinationCrs(), self._project.transformContext()
        feature = feature_at(self.layer, transformed(place, transform_between(map_crs, self.layer.crs(), context)))
        if feature is None:
            raise NothingToReopen()
        self.take_up(self.layer, feature)
        return self.layer, feature

    def take_up(self, layer: QgsVectorLayer, feature: QgsFeature) -> None:
        """Watch a feature of a layer, whose shape is to be replaced; the layer becomes the target."""
        self._reopened = _Reopened(layer.id(), feature.id(), QgsGeometry(feature.geometry()))
        if layer.id() not in self._watched:
            self._watched.add(layer.id())
            layer.committedFeaturesRemoved.connect(self._note_removed)
            layer.afterCommitChanges.connect(partial(self._note_saved, layer.id()))
        self.choose(layer)

    def choose(self, layer: QgsVectorLayer) -> None:
        """Accept into a layer of the project from now on."""
        if layer is not self.layer:
            self.layer = layer
            self.replaced.emit()

    def _note_removed(self, layer_id: str, feature_ids: list[int]) -> None:
        if self._reopened is not None and self._reopened.layer_id == layer_id and self._reopened.feature_id in feature_ids:
            self._reopened = replace(self._reopened, is_gone=True)

    def _note_saved(self, layer_id: str) -> None:
        if self._reopened is not None and self._reopened.layer_id == layer_id and self._reopened.feature_id < 0:
            self._reopened = None  # it has another id now

    def put(
        self, pieces: Sequence[QgsGeometry], crs: QgsCoordinateReferenceSystem, attributes: dict[str, Any], placing: Placing
    ) -> tuple[QgsVectorLayer, list[QgsFeature]]:
        """Put pieces (in `crs`) into the layer, a new scratch layer where there is none; raises as `put_polygons`.

        attributes: by field name; `class` goes to the field that holds the layer's classes.
        """
        layer = self.layer or self.new_scratch(crs, placing.new_layer)
        check_target(layer)
        self._saving.watch(layer)
        if placing.replaces is not None:
            placing = replace(placing, replaces=self._still_there(layer, placing.replaces))
        if placing.replaces is not None and placing.is_unchanged:
            return layer, [layer.getFeature(placing.replaces)]
        known = dict(attributes)
        name = known.pop("class")
        if placing.replaces is None:  # a reopened feature keeps its class
            known[classes_of(layer)[0]] = name
        before = _changed(layer)
        features = put_polygons(layer, pieces, crs, known, self._project, placing)
        neighbours = _changed(layer) - before - {feature.id() for feature in features}
        if neighbours:
            self.adjusted.emit(layer, sorted(neighbours))
        if placing.replaces is None:
            show_class(layer, name)
        credit(layer, placing.attribution)
        return layer, features

    def _still_there(self, layer: QgsVectorLayer, feature_id: int) -> int | None:
        """The feature that was reopened; None where it was deleted since. Raises `TargetRefused` where that can't be told.

        Files number their features anew when they are saved: an id may mean another one then, or none.
        """
        known = self._reopened
        if known is not None and (known.layer_id, known.feature_id) == (layer.id(), feature_id):
            now, edits = layer.getFeature(feature_id), layer.editBuffer()
            is_deleted = feature_id < 0 or (edits is not None and edits.isFeatureDeleted(feature_id))
            if known.is_gone or (is_deleted and not now.isValid()):
                return None
            if now.isValid() and now.geometry().equals(known.shape):
                return feature_id
        reason = tr("it was saved or edited since this polygon was reopened; press Esc, then Alt+click the polygon again")
        raise TargetRefused(layer=layer.name(), reason=reason)

    def forget(self, layer_ids: list[str]) -> None:
        """Let go of layers that leave the project."""
        self._watched -= set(layer_ids)
        self._saving.forget(layer_ids)
        if self.layer is not None and self.layer.id() in layer_ids:
            self.layer = None
            self.replaced.emit()

    def _adopt(self, layer: QgsVectorLayer) -> QgsVectorLayer:
        style(layer)
        self._project.addMapLayer(layer)
        layer.startEditing()
        self.layer = layer
        self.replaced.emit()
        return layer


def _changed(layer: QgsVectorLayer) -> set[int]:
    """Features of the file whose shapes are others in the edit buffer."""
    edits = layer.editBuffer()
    return set() if edits is None else set(edits.changedGeometries())
