"""The selected features of another layer as prompts: each becomes one object of the target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import Qgis, QgsFeature, QgsGeometry, QgsMapLayer, QgsProject, QgsRasterLayer, QgsVectorLayer, QgsWkbTypes
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ...contract.client import Replies
from ...contract.errors import RasterLassoError
from ...contract.prompts import Point, Prompts
from ...contract.requests import ObjectPrompts, SegmentedObject, SegmentObjectsParams
from ..errors import FeaturesUnderWay, NothingSelected, TooManySelected
from ..geo.transforms import transform_between, transformed_shape
from ..geo.wkb import to_hex
from ..imagery.lens import Lens
from ..runtime.engine_process import EngineProcess
from ..translation import error_text, tr
from .acceptance import Acceptance
from .draft import box_of
from .telling import told

CHANNEL = "features"

MOST_SELECTED = 1000
"""More are Processing's."""

RECTANGLE_SHARE = 0.999
"""A polygon that covers so much of the box around it is one."""


class FromFeatures(QObject):
    """One job at a time.

    `progressed` (fraction of all) and `ended` tell how far it is; `message` (text, level) is for the user;
    `accepted` is as the digitizer's.
    """

    progressed = pyqtSignal(float)
    ended = pyqtSignal()
    message = pyqtSignal(str, object)
    accepted = pyqtSignal(object, list)

    def __init__(self, lens: Lens, acceptance: Acceptance, engine: EngineProcess, project: QgsProject) -> None:
        super().__init__()
        self._lens = lens
        self._acceptance = acceptance
        self._engine = engine
        self._project = project
        self._imagery: QgsRasterLayer | None = None
        self._prompts: dict[int, Prompts] = {}
        self._done = self._found = 0

    @property
    def is_under_way(self) -> bool:
        """Whether there is a job."""
        return self._imagery is not None

    @told
    def begin(self, layer: QgsMapLayer | None) -> None:
        """Segment what is selected in a layer: points as clicks, rectangles as boxes, other polygons as rough outlines."""
        if self.is_under_way:
            raise FeaturesUnderWay()
        if not isinstance(layer, QgsVectorLayer) or not layer.isSpatial() or not layer.selectedFeatureCount():
            raise NothingSelected()
        if layer.selectedFeatureCount() > MOST_SELECTED:
            raise TooManySelected(count=layer.selectedFeatureCount(), most=MOST_SELECTED)
        imagery = self._lens.checked()
        self._prompts = self._prompts_of(layer)
        objects = tuple(ObjectPrompts(number, prompts) for number, prompts in self._prompts.items())
        usual = self._lens.segment(Prompts(), self._lens.level_at(self._lens.middle()))
        is_points = layer.geometryType() == QgsWkbTypes.GeometryType.PointGeometry
        level = usual.level if is_points else None  # the others say themselves how large the object is
        params = SegmentObjectsParams(usual.image, objects, None, usual.model, level, usual.stretch, usual.finish)
        self._imagery, self._done, self._found = imagery, 0, 0
        replies = Replies(self._on_end, self._on_failure, cancelled=self._end, item=self._on_item)
        self._engine.request("segment_objects", params.to_wire(), replies, CHANNEL)
        self.progressed.emit(0.0)

    def cancel(self) -> None:
        """What was found so far stays."""
        self._engine.cancel_channel(CHANNEL)
        self._end()

    def tell(self, error: RasterLassoError) -> None:
        """What went wrong, to the user, in the map's terms."""
        self.message.emit(error_text(self._lens.in_terms_of_the_map(error)), Qgis.MessageLevel.Warning)

    def _prompts_of(self, layer: QgsVectorLayer) -> dict[int, Prompts]:
        """In the imagery's CRS, by the features' ids; raises `CoordinatesUntransformable`, `NothingSelected`."""
        to_imagery = transform_between(layer.crs(), self._lens.crs, self._project.transformContext())
        features: list[QgsFeature] = layer.selectedFeatures()
        shapes = {each.id(): transformed_shape(each.geometry(), to_imagery) for each in features if each.hasGeometry()}
        if not shapes:
            raise NothingSelected()
        return {number: prompts_of(shape) for number, shape in shapes.items()}

    def _on_item(self, value: Mapping[str, Any]) -> None:
        item = SegmentedObject.from_wire(value)
        if self._imagery is None or item.id not in self._prompts:
            return
        self._done += 1
        self.progressed.emit(self._done / len(self._prompts))
        if item.found is None:
            return
        if self._lens.imagery is not self._imagery:  # where it would go is no longer where it was found
            self.cancel()
            return
        try:
            layer, features = self._acceptance.accept_answer(item.found, self._prompts[item.id])
        except RasterLassoError as error:
            self.cancel()
            self.tell(error)
            return
        self._found += 1
        self.accepted.emit(layer, [feature.id() for feature in features])

    def _on_end(self, value: Mapping[str, Any]) -> None:
        found, count = self._found, len(self._prompts)
        self._end()
        text = tr("{found} of {count} selected features were segmented into the target layer.").format(found=found, count=count)
        if found < count:
            text += " " + tr("Nothing was found at the others: click these by hand.")
        self.message.emit(text, Qgis.MessageLevel.Success if found else Qgis.MessageLevel.Warning)

    def _on_failure(self, error: RasterLassoError) -> None:
        self._end()
        self.tell(error)

    def _end(self) -> None:
        if self.is_under_way:
            self._imagery, self._prompts = None, {}
            self.ended.emit()


def prompts_of(shape: QgsGeometry) -> Prompts:
    """Points as clicks; a rectangle, or what a line extends over, as a box; another polygon as a rough outline."""
    if shape.type() == QgsWkbTypes.GeometryType.PointGeometry:
        return Prompts(tuple(Point(vertex.x(), vertex.y()) for vertex in shape.vertices()))
    box = shape.boundingBox()
    is_polygon = shape.type() == QgsWkbTypes.GeometryType.PolygonGeometry
    if is_polygon and shape.area() < RECTANGLE_SHARE * box.area():
        return Prompts(polygon=to_hex(shape))
    return Prompts(box=box_of(box))
