"""The hand between tool, draft, engine and layer: turns what the user does into requests, and answers into features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsGeometry,
    QgsPointXY,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ..engine.client import Replies
from ..engine.errors import PromptError, RasterLassoError
from ..engine.protocol import Box, LearnParams, Point, PrefetchParams, Progress, Prompts, SegmentParams, SegmentResult
from .draft import Draft, Step
from .engine_process import EngineProcess, EngineState
from .errors import NothingToAccept
from .imagery import level_at, raster_path, transform_between, transformed, transformed_box
from .layers import add_polygon, check_target, new_geopackage_layer, new_scratch_layer
from .radiometry import is_as_shown, set_as_shown, stretch_of
from .translation import error_text, tr

CHANNEL = "draft"

MOST_SIZE = 4
"""Levels that the size dial goes up or down."""


class Digitizer(QObject):
    """One draft at a time, on one imagery layer, into one target layer.

    `changed` tells that draft, polygon or progress are new; `message` (text, level) is for the user; `target_changed` tells
    that a target layer was made.
    """

    changed = pyqtSignal()
    message = pyqtSignal(str, object)
    target_changed = pyqtSignal()

    def __init__(self, canvas: QgsMapCanvas, engine: EngineProcess, project: QgsProject, model: str) -> None:
        super().__init__()
        self._canvas = canvas
        self._engine = engine
        self._project = project
        self._imagery: QgsRasterLayer | None = None
        self._target: QgsVectorLayer | None = None
        self._draft = Draft()
        self._view_level = 0
        self._size = 0
        self._answer: SegmentResult | None = None
        self._progress: Progress | None = None
        self._is_growing = False
        self._accept_on_answer = False
        self._told_without_crs: set[str] = set()
        self._model = model
        self._learns = False
        self.class_name = ""
        engine.restarted.connect(self._on_restarted)
        project.layersWillBeRemoved.connect(self._forget_layers)

    @property
    def draft(self) -> Draft:
        """The object under way, in the imagery's CRS."""
        return self._draft

    @property
    def polygon(self) -> QgsGeometry | None:
        """What was found last for the draft, in the imagery's CRS."""
        return None if self._answer is None else _geometry(self._answer)

    @property
    def answer(self) -> SegmentResult | None:
        """The engine's answer to the draft, None before the first."""
        return self._answer

    @property
    def progress(self) -> Progress | None:
        """How far the request under way is; None when none is."""
        return self._progress

    @property
    def is_growing(self) -> bool:
        """Whether the polygon is part of one that is still being found: `stop` keeps it as it is."""
        return self._is_growing

    @property
    def crs(self) -> QgsCoordinateReferenceSystem:
        """CRS of draft and polygon."""
        return QgsCoordinateReferenceSystem() if self._imagery is None else self._imagery.crs()

    @property
    def model(self) -> str:
        """The model that is asked."""
        return self._model

    @property
    def imagery(self) -> QgsRasterLayer | None:
        """The layer that is clicked on."""
        return self._imagery

    @property
    def target(self) -> QgsVectorLayer | None:
        """The layer that accepted polygons go to."""
        return self._target

    def set_imagery(self, layer: QgsRasterLayer | None) -> None:
        """Click on another layer; the draft's prompts go along."""
        if layer is self._imagery:
            return
        former, self._imagery = self.crs, layer
        if layer is None or self._draft.is_empty:
            self.clear()
            return
        try:
            steps = tuple(self._moved(step, former, layer.crs()) for step in self._draft.steps)
        except RasterLassoError as error:
            self.clear()
            self._tell(error)
            return
        self._replace_draft(Draft(steps))

    def set_target(self, layer: QgsVectorLayer | None) -> None:
        """Accept into another layer; None for a new scratch layer at the next acceptance."""
        self._target = layer

    def set_model(self, name: str) -> None:
        """Ask another model from now on; the draft is asked again."""
        if name != self._model:
            self._model = name
            self.ask_again()

    @property
    def size(self) -> int:
        """How many levels coarser than the map's scale is looked: more than 0 for larger objects, less for smaller ones."""
        return self._size

    def set_size(self, size: int) -> None:
        """Turn the size dial; the draft is asked again."""
        size = min(max(size, -MOST_SIZE), MOST_SIZE)
        if size != self._size:
            self._size = size
            self.ask_again()

    @property
    def sees_as_shown(self) -> bool:
        """Whether the engine sees the imagery as the map shows it."""
        return self._imagery is not None and is_as_shown(self._imagery)

    def set_as_shown(self, is_shown: bool) -> None:
        """Let the engine see what the map shows, or make its own choice; the draft is asked again."""
        if self._imagery is not None and is_shown != self.sees_as_shown:
            set_as_shown(self._imagery, is_shown)
            self.ask_again()

    @property
    def learns(self) -> bool:
        """Whether the model learns from accepted objects."""
        return self._learns

    def set_learning(self, learns: bool) -> None:
        """Let the model learn from the objects accepted from now on, or forget what it has learnt."""
        if learns == self._learns:
            return
        self._learns = learns
        if not learns and self._engine.state is EngineState.READY:
            self._engine.request("forget", {}, Replies(result=lambda value: None, failure=self._tell))
        self.ask_again()

    def first_click(self, place: QgsPointXY) -> SegmentParams | None:
        """What a click at a place in map coordinates would ask for; None where it can't be asked."""
        try:
            path = raster_path(self._imagery)
            assert self._imagery is not None
            to_imagery = self._to_imagery(self._imagery)
            point = _point(transformed(place, to_imagery), foreground=True)
            level = level_at(self._imagery, place, self._canvas.mapUnitsPerPixel(), to_imagery)
        except RasterLassoError:  # the click itself will say so
            return None
        stretch = stretch_of(self._imagery)
        return SegmentParams(path, Prompts((point,)), self._model, level + self._size, self._learns, stretch)

    def view(self, extent: QgsRectangle, cursor: QgsPointXY) -> PrefetchParams | None:
        """What is in view, both in map coordinates; None where there is no imagery."""
        try:
            path = raster_path(self._imagery)
            assert self._imagery is not None
            to_imagery = self._to_imagery(self._imagery)
            box = transformed_box(extent, to_imagery)
            place = transformed(cursor, to_imagery)
            level = level_at(self._imagery, cursor, self._canvas.mapUnitsPerPixel(), to_imagery) + self._size
        except RasterLassoError:  # a click will say so
            return None
        corners = (box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum())
        return PrefetchParams(path, self._model, level, (place.x(), place.y()), corners, stretch_of(self._imagery))

    def ask_again(self) -> None:
        """Ask for the draft as it is, of another model or once the engine is mended."""
        self._replace_draft(self._draft)

    def click(self, place: QgsPointXY, foreground: bool) -> None:
        """A click in map coordinates."""
        self._extend(lambda to_imagery: _point(transformed(place, to_imagery), foreground), place)

    def box(self, rectangle: QgsRectangle) -> None:
        """A box in map coordinates."""
        self._extend(lambda to_imagery: _box(transformed_box(rectangle, to_imagery)), rectangle.center())

    def undo(self) -> None:
        """Take the newest prompt back."""
        if not self._draft.is_empty:
            self._replace_draft(self._draft.without_last())

    def stop(self) -> None:
        """Let what is found so far be the polygon."""
        if self._is_growing:
            self._engine.cancel_channel(CHANNEL)
            self._is_growing, self._progress = False, None
            self.message.emit(
                tr("Stopped: the polygon is as far as it was found. Click on to correct it."), Qgis.MessageLevel.Info
            )
            self.changed.emit()

    def clear(self) -> None:
        """Forget the draft."""
        self._replace_draft(Draft())

    def accept(self) -> None:
        """Add the polygon to the target layer; while the answer is under way, as soon as it is there."""
        if self._progress is not None:
            self._accept_on_answer = True
            return
        answer, polygon = self._answer, self.polygon
        if answer is None or polygon is None:
            self._tell(NothingToAccept())
            return
        attributes = {"class": self.class_name or None, "score": round(answer.score, 4), "model": answer.model}
        try:
            add_polygon(self._ensure_target(), polygon, self.crs, attributes, self._project)
        except RasterLassoError as error:
            self._tell(error)
            return
        if self._learns:
            self._learn(answer)
        self.clear()

    def new_geopackage_target(self, path: Path) -> None:
        """Make a GeoPackage layer in the imagery's CRS, add it to the project and accept into it."""
        try:
            self._adopt(new_geopackage_layer(path, self.crs, self._project))
        except RasterLassoError as error:
            self._tell(error)

    def new_scratch_target(self) -> None:
        """Make a memory layer in the imagery's CRS, add it to the project and accept into it."""
        self._adopt(new_scratch_layer(self.crs))

    def detach(self) -> None:
        """Forget the draft and let project and engine go."""
        self.clear()
        self._project.layersWillBeRemoved.disconnect(self._forget_layers)
        self._engine.restarted.disconnect(self._on_restarted)

    def _ensure_target(self) -> QgsVectorLayer:
        if self._target is None:
            self.new_scratch_target()
            self.message.emit(
                tr("Accepted into a new scratch layer. Save it as a GeoPackage before you close QGIS."), Qgis.MessageLevel.Info
            )
        assert self._target is not None
        check_target(self._target)
        return self._target

    def _adopt(self, layer: QgsVectorLayer) -> None:
        self._project.addMapLayer(layer)
        layer.startEditing()
        self._target = layer
        self.target_changed.emit()

    def _extend(self, make_step: Any, place: QgsPointXY) -> None:
        """Add the step that `make_step` gives for the transform from map to imagery."""
        try:
            raster_path(self._imagery)
            assert self._imagery is not None
            to_imagery = self._to_imagery(self._imagery)
            step = make_step(to_imagery)
            if self._draft.is_empty:  # a draft keeps its level, so that zooming in to correct it does not change it
                self._view_level = level_at(self._imagery, place, self._canvas.mapUnitsPerPixel(), to_imagery)
        except RasterLassoError as error:
            self._tell(error)
            return
        self._tell_without_crs(self._imagery)
        self._replace_draft(self._draft.with_step(step))

    def _to_imagery(self, imagery: QgsRasterLayer) -> QgsCoordinateTransform:
        context = self._project.transformContext()
        return transform_between(self._canvas.mapSettings().destinationCrs(), imagery.crs(), context)

    def _replace_draft(self, draft: Draft) -> None:
        self._draft = draft
        self._accept_on_answer = self._is_growing = False
        if draft.prompts.has_foreground:
            self._ask()
        else:
            self._engine.cancel_channel(CHANNEL)
            self._answer = self._progress = None
        self.changed.emit()

    def _ask(self) -> None:
        try:
            path = raster_path(self._imagery)
        except RasterLassoError as error:
            self._tell(error)
            return
        level = self._view_level + self._size
        params = SegmentParams(path, self._draft.prompts, self._model, level, self._learns, stretch_of(self._imagery))
        self._progress = Progress(0, "read", 0.0)
        replies = Replies(result=self._on_result, failure=self._on_failure, progress=self._on_progress)
        self._engine.request("segment", params.to_wire(), replies, CHANNEL)

    def _learn(self, accepted: SegmentResult) -> None:
        path, stretch = raster_path(self._imagery), stretch_of(self._imagery)
        params = LearnParams(path, accepted.wkb_hex, accepted.model, accepted.level, stretch)
        self._engine.request("learn", params.to_wire(), Replies(result=lambda value: None, failure=self._tell))

    def _on_result(self, value: dict[str, Any]) -> None:
        self._answer, self._progress, self._is_growing = SegmentResult.from_wire(value), None, False
        self.changed.emit()
        if self._accept_on_answer:
            self._accept_on_answer = False
            self.accept()

    def _on_failure(self, error: RasterLassoError) -> None:
        self._progress = None
        self._accept_on_answer = self._is_growing = False
        self._tell(error)
        if isinstance(error, PromptError):
            self.undo()  # the prompt can't be used, those before it can
        else:
            self.changed.emit()

    def _on_progress(self, progress: Progress) -> None:
        if progress.part is None:
            self._progress = progress
        else:
            self._answer, self._is_growing = SegmentResult.from_wire(progress.part), True
        self.changed.emit()

    def _on_restarted(self) -> None:
        self.message.emit(tr("The engine stopped and was started again. Your clicks are kept."), Qgis.MessageLevel.Warning)

    def _moved(self, step: Step, source: QgsCoordinateReferenceSystem, target: QgsCoordinateReferenceSystem) -> Step:
        transform = transform_between(source, target, self._project.transformContext())
        if isinstance(step, Point):
            return _point(transformed(QgsPointXY(step.x, step.y), transform), step.foreground)
        return _box(transformed_box(QgsRectangle(step.x0, step.y0, step.x1, step.y1), transform))

    def _forget_layers(self, layer_ids: list[str]) -> None:
        if self._imagery is not None and self._imagery.id() in layer_ids:
            self.set_imagery(None)
        if self._target is not None and self._target.id() in layer_ids:
            self._target = None

    def _tell_without_crs(self, layer: QgsRasterLayer) -> None:
        if not layer.crs().isValid() and layer.id() not in self._told_without_crs:
            self._told_without_crs.add(layer.id())
            self.message.emit(
                tr(
                    "The imagery has no CRS: polygons are in its own coordinates. If you know it, assign one in its properties."
                ),
                Qgis.MessageLevel.Info,
            )

    def _tell(self, error: RasterLassoError) -> None:
        self.message.emit(error_text(error), Qgis.MessageLevel.Warning)


def _geometry(answer: SegmentResult) -> QgsGeometry:
    geometry = QgsGeometry()
    geometry.fromWkb(bytes.fromhex(answer.wkb_hex))
    return geometry


def _point(place: QgsPointXY, foreground: bool) -> Point:
    return Point(place.x(), place.y(), foreground)


def _box(rectangle: QgsRectangle) -> Box:
    return Box(rectangle.xMinimum(), rectangle.yMinimum(), rectangle.xMaximum(), rectangle.yMaximum())
