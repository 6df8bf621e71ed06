"""The hand between tool, draft, engine and layer: turns what the user does into requests, and answers into features."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsFeature,
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
from ..engine.ops import SegmentResult
from ..engine.prompts import Box, Point
from ..engine.protocol import Progress
from .candidates import Candidates
from .classes import classes_of
from .draft import Draft, Step
from .engine_process import EngineProcess, EngineState
from .errors import NothingToAccept, NothingToExport, NothingToReopen
from .imagery import transform_between, transformed, transformed_box
from .layers import Placing, check_target, export_layer, feature_at, new_geopackage_layer, new_scratch_layer, put_polygon
from .lens import Lens
from .pace import Pace
from .provenance import PROMPTS_FIELD, attributes, kept_prompts
from .radiometry import is_as_shown, set_as_shown
from .translation import error_text, tr

CHANNEL = "draft"

SHARED_PX = 3.0
"""Borders are shared with neighbours this near, in pixels of the level."""

MOST_SIZE = 4
"""Levels that the size dial goes up or down."""


class Digitizer(QObject):
    """One draft at a time, on one imagery layer, into one target layer.

    `changed` tells that draft, polygon or progress are new; `message` (text, level) is for the user; `target_changed` tells
    that a target layer was made. lens: how the imagery is looked at; the setters here change it and ask again.
    """

    changed = pyqtSignal()
    message = pyqtSignal(str, object)
    target_changed = pyqtSignal()

    def __init__(self, canvas: QgsMapCanvas, engine: EngineProcess, project: QgsProject, model: str) -> None:
        super().__init__()
        self._canvas = canvas
        self._engine = engine
        self._project = project
        self.lens = Lens(canvas, project, model)
        self.candidates = Candidates()
        self.pace = Pace()
        self._target: QgsVectorLayer | None = None
        self._draft = Draft()
        self._view_level = 0
        self._progress: Progress | None = None
        self._is_growing = False
        self._accept_on_answer = False
        self._told_without_crs: set[str] = set()
        self.class_name: Any = ""
        """As the target layer stores it."""
        self.auto_accept = False
        self.share_borders = False
        engine.restarted.connect(self._on_restarted)
        project.layersWillBeRemoved.connect(self._forget_layers)

    @property
    def draft(self) -> Draft:
        """The object under way, in the imagery's CRS."""
        return self._draft

    @property
    def polygon(self) -> QgsGeometry | None:
        """What was found last for the draft, in the imagery's CRS: the candidate that is chosen."""
        return self.candidates.polygon

    @property
    def answer(self) -> SegmentResult | None:
        """The engine's answer to the draft, None before the first."""
        return self.candidates.answer

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
        return self.lens.crs

    @property
    def imagery(self) -> QgsRasterLayer | None:
        """The layer that is clicked on."""
        return self.lens.imagery

    @property
    def target(self) -> QgsVectorLayer | None:
        """The layer that accepted polygons go to."""
        return self._target

    @property
    def sees_as_shown(self) -> bool:
        """Whether the engine sees the imagery as the map shows it."""
        return self.lens.imagery is not None and is_as_shown(self.lens.imagery)

    def set_imagery(self, layer: QgsRasterLayer | None) -> None:
        """Click on another layer; the draft's prompts go along."""
        if layer is self.lens.imagery:
            return
        former, self.lens.imagery = self.crs, layer
        if layer is None or self._draft.is_empty:
            self.clear()
            return
        try:
            steps = tuple(self._moved(step, former, layer.crs()) for step in self._draft.steps)
        except RasterLassoError as error:
            self.clear()
            self._tell(error)
            return
        self._replace_draft(Draft(steps, self._draft.reopened))

    def set_target(self, layer: QgsVectorLayer | None) -> None:
        """Accept into another layer; None for a new scratch layer at the next acceptance."""
        if self._draft.reopened is not None and layer is not self._target:
            self.clear()
        self._target = layer

    def set_model(self, name: str) -> None:
        """Ask another model from now on; the draft is asked again."""
        self._look_otherwise(lambda lens: setattr(lens, "model", name))

    def set_size(self, size: int) -> None:
        """Turn the size dial: more than 0 for larger objects, less for smaller ones; the draft is asked again."""
        self._look_otherwise(lambda lens: setattr(lens, "size", min(max(size, -MOST_SIZE), MOST_SIZE)))

    def set_finish(self, name: str) -> None:
        """Draw outlines by another preset; the draft's at once."""
        self._look_otherwise(lambda lens: setattr(lens, "finish", name))

    def set_as_shown(self, is_shown: bool) -> None:
        """Let the engine see what the map shows, or make its own choice; the draft is asked again."""
        if self.lens.imagery is not None and is_shown != self.sees_as_shown:
            set_as_shown(self.lens.imagery, is_shown)
            self.ask_again()

    def set_learning(self, learns: bool) -> None:
        """Let the model learn from the objects accepted from now on, or forget what it has learnt."""
        if not learns and self.lens.learns and self._engine.state is EngineState.READY:
            self._engine.request("forget", {}, Replies(result=lambda value: None, failure=self._tell))
        self._look_otherwise(lambda lens: setattr(lens, "learns", learns))

    def ask_again(self) -> None:
        """Ask for the draft as it is, of another model or once the engine is mended."""
        self._replace_draft(self._draft)

    def click(self, place: QgsPointXY, foreground: bool) -> None:
        """A click in map coordinates."""
        if self.auto_accept and foreground and self._is_elsewhere(place):
            self.accept()
            if not self._draft.is_empty:
                return
        self._extend(lambda to_imagery: _point(transformed(place, to_imagery), foreground), place)

    def box(self, rectangle: QgsRectangle) -> None:
        """A box in map coordinates."""
        self._extend(lambda to_imagery: _box(transformed_box(rectangle, to_imagery)), rectangle.center())

    def reopen(self, place: QgsPointXY) -> None:
        """Take up the accepted polygon at a place in map coordinates again: accepting replaces its shape."""
        try:
            imagery, feature = self.lens.checked(), self._accepted_at(place)
            assert self._target is not None
            steps, crs = steps_of(feature, self._target.crs())
            moved = tuple(self._moved(step, crs, imagery.crs()) for step in steps)
            self._view_level = self.lens.level_at(place)
        except RasterLassoError as error:
            self._tell(error)
            return
        self._replace_draft(Draft(moved, feature.id()))

    def next_candidate(self) -> None:
        """Choose the model's next candidate; its size is chosen first for the class's next object once it is accepted."""
        if self.candidates.next():
            self.changed.emit()

    def undo(self) -> None:
        """Take the newest prompt back."""
        if not self._draft.is_empty:
            self._replace_draft(self._draft.without_last())

    def stop(self) -> None:
        """Let what is found so far be the polygon."""
        if self._is_growing:
            self._engine.cancel_channel(CHANNEL)
            self._is_growing, self._progress = False, None
            text = tr("Stopped: the polygon is as far as it was found. Click on to correct it.")
            self.message.emit(text, Qgis.MessageLevel.Info)
            self.changed.emit()

    def clear(self) -> None:
        """Forget the draft."""
        self._replace_draft(Draft())

    def accept(self) -> None:
        """Add the polygon to the target layer; while the answer is under way, as soon as it is there."""
        if self._progress is not None:
            self._accept_on_answer = True
            return
        answer, polygon = self.answer, self.polygon
        if answer is None or polygon is None or self.imagery is None:
            self._tell(NothingToAccept())
            return
        score, source = self.candidates.score, self.imagery.source()
        known = attributes(answer, score, self._draft.prompts, self.crs, source, self.class_name)
        try:
            target = self._ensure_target()
            known[classes_of(target)[0]] = known.pop("class")
            put_polygon(target, polygon, self.crs, known, self._project, self._placing(answer))
        except RasterLassoError as error:
            self._tell(error)
            return
        self.candidates.remember(self.class_name)
        self.pace.count()
        if self.lens.learns:
            self._learn(answer, polygon)
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

    def export(self, path: Path) -> None:
        """Write the target layer, edits included, to a file in the format of its suffix."""
        if self._target is None:
            self._tell(NothingToExport())
            return
        try:
            export_layer(self._target, path, self._project)
        except RasterLassoError as error:
            self._tell(error)
            return
        self.message.emit(tr("Exported to {path}.").format(path=path), Qgis.MessageLevel.Success)

    def detach(self) -> None:
        """Forget the draft and let project and engine go."""
        self.clear()
        self._project.layersWillBeRemoved.disconnect(self._forget_layers)
        self._engine.restarted.disconnect(self._on_restarted)

    def _look_otherwise(self, change: Callable[[Lens], None]) -> None:
        """Ask again where a change of the lens changed anything."""
        before = dict(vars(self.lens))
        change(self.lens)
        if vars(self.lens) != before:
            self.ask_again()

    def _accepted_at(self, place: QgsPointXY) -> QgsFeature:
        """Raises `NothingToReopen`, `CoordinatesUntransformable`."""
        if self._target is None:
            raise NothingToReopen()
        map_crs, context = self._canvas.mapSettings().destinationCrs(), self._project.transformContext()
        feature = feature_at(self._target, transformed(place, transform_between(map_crs, self._target.crs(), context)))
        if feature is None:
            raise NothingToReopen()
        return feature

    def _placing(self, answer: SegmentResult) -> Placing:
        assert self.imagery is not None
        shared = SHARED_PX * (answer.gsd_m or self.lens.pixel) if self.share_borders else None
        return Placing(shared, self.imagery.extent(), self.lens.pixel, self._draft.reopened)

    def _is_elsewhere(self, place: QgsPointXY) -> bool:
        """Whether there is a whole answer, and a place in map coordinates is not in it."""
        if self.polygon is None or self._progress is not None:
            return False
        try:
            return not self.polygon.contains(transformed(place, self.lens.to_imagery()))
        except RasterLassoError:  # the click will say so
            return False

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

    def _extend(self, make_step: Callable[[QgsCoordinateTransform], Step], place: QgsPointXY) -> None:
        """Add the step that `make_step` gives for the transform from map to imagery."""
        try:
            imagery = self.lens.checked()
            step = make_step(self.lens.to_imagery())
            if self._draft.is_empty:  # a draft keeps its level, so that zooming in to correct it does not change it
                self._view_level = self.lens.level_at(place)
        except RasterLassoError as error:
            self._tell(error)
            return
        self._tell_without_crs(imagery)
        self._replace_draft(self._draft.with_step(step))

    def _replace_draft(self, draft: Draft) -> None:
        self._draft = draft
        self._accept_on_answer = self._is_growing = False
        if draft.prompts.has_foreground:
            self._ask()
        else:
            self._engine.cancel_channel(CHANNEL)
            self.candidates.take(None)
            self._progress = None
        self.changed.emit()

    def _ask(self) -> None:
        try:
            params = self.lens.segment(self._draft.prompts, self._view_level)
        except RasterLassoError as error:
            self._tell(error)
            return
        self._progress = Progress(0, "read", 0.0)
        replies = Replies(result=self._on_result, failure=self._on_failure, progress=self._on_progress)
        self._engine.request("segment", params.to_wire(), replies, CHANNEL)

    def _learn(self, answer: SegmentResult, accepted: QgsGeometry) -> None:
        params = self.lens.learn(answer, bytes(accepted.asWkb()).hex())
        self._engine.request("learn", params.to_wire(), Replies(result=lambda value: None, failure=self._tell))

    def _on_result(self, value: dict[str, Any]) -> None:
        is_new = len(self._draft.steps) == 1 and self._draft.reopened is None
        self.candidates.take(SegmentResult.from_wire(value), self.class_name if is_new else None)
        self._progress, self._is_growing = None, False
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
            self.candidates.take(SegmentResult.from_wire(progress.part))
            self._is_growing = True
        self.changed.emit()

    def _on_restarted(self) -> None:
        self.message.emit(tr("The engine stopped and was started again. Your clicks are kept."), Qgis.MessageLevel.Warning)

    def _moved(self, step: Step, source: QgsCoordinateReferenceSystem, target: QgsCoordinateReferenceSystem) -> Step:
        transform = transform_between(source, target, self._project.transformContext())
        if isinstance(step, Point):
            return _point(transformed(QgsPointXY(step.x, step.y), transform), step.foreground)
        return _box(transformed_box(QgsRectangle(step.x0, step.y0, step.x1, step.y1), transform))

    def _forget_layers(self, layer_ids: list[str]) -> None:
        if self.lens.imagery is not None and self.lens.imagery.id() in layer_ids:
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


def steps_of(feature: QgsFeature, crs: QgsCoordinateReferenceSystem) -> tuple[tuple[Step, ...], QgsCoordinateReferenceSystem]:
    """The prompts that a feature was made by, with their CRS; else a box around it and a click on its middle, in `crs`."""
    index = feature.fields().lookupField(PROMPTS_FIELD)
    kept = kept_prompts(feature[index]) if index >= 0 else None
    if kept is not None:
        prompts, prompts_crs = kept
        return (*(() if prompts.box is None else (prompts.box,)), *prompts.points), prompts_crs
    geometry = feature.geometry()
    tolerance = max(geometry.boundingBox().width(), geometry.boundingBox().height()) / 200
    middle, _ = geometry.poleOfInaccessibility(tolerance)
    return (_box(geometry.boundingBox()), _point(middle.asPoint(), foreground=True)), crs


def _point(place: QgsPointXY, foreground: bool) -> Point:
    return Point(place.x(), place.y(), foreground)


def _box(rectangle: QgsRectangle) -> Box:
    return Box(rectangle.xMinimum(), rectangle.yMinimum(), rectangle.xMaximum(), rectangle.yMaximum())
