"""How the imagery is looked at: layer, model, level, stretch and finish, as what the engine is asked with."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsPointXY,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsUnitTypes,
)
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ...contract.errors import RasterLassoError
from ...contract.looks import PRESETS, Finish, Stretch
from ...contract.prompts import Point, Prompts
from ...contract.requests import LearnParams, PrefetchParams, SegmentParams, SegmentResult
from ..errors import ImageryUnsupported, NoImagery
from ..geo.transforms import transform_between, transformed, transformed_box
from .drawn import DrawnLayers
from .naming import in_terms_of_the_map
from .news import ImageryNews
from .source import level_at, opens_in_qgis, pixel_size, raster_path, says_more_than_its_file
from .stretch import is_as_shown, set_as_shown, stretch_of

MOST_TILES = 64
"""Of a click, beyond its first look: where an object needs more, the user is asked."""

QUICK_MODELS = frozenset({"builtin"})
"""Whose tiles take a tenth of a second: a second look at a finer level does not keep the user waiting."""

MOST_SIZE = 4
"""Levels that the size dial goes up or down."""


def levels_between(pixel_m: float, other_pixel_m: float) -> int:
    """How many levels coarser the other imagery's own pixels are, by sizes in m; 0 where one is not known."""
    return round(math.log2(pixel_m / other_pixel_m)) if min(pixel_m, other_pixel_m) > 0 else 0


class Lens(QObject):
    """The user's choices, and requests made of them. `changed` tells that what is asked for would be answered otherwise now."""

    changed = pyqtSignal()

    def __init__(self, canvas: QgsMapCanvas, project: QgsProject, model: str) -> None:
        super().__init__()
        self._canvas = canvas
        self._project = project
        self._drawn = DrawnLayers(project)
        self.imagery: QgsRasterLayer | None = None
        self.model = model
        self.size = 0
        """Levels coarser than the map's scale."""
        self.finish = PRESETS["raw"]
        self.learns = False
        self.refines = True
        """Whether what is small in the view is outlined at a finer level, by models that are quick."""
        self.most_tiles = MOST_TILES
        self._news = ImageryNews(canvas)
        self._only_in_qgis: set[str] = set()
        """Layers that the engine's GDAL can't open or place, and QGIS's can."""
        self._known: tuple[object, str] | None = None
        """The layer as it was when its source was worked out last, and that source."""

    def set_model(self, name: str) -> None:
        """Ask another model from now on."""
        self._set("model", name)

    def set_size(self, size: int) -> None:
        """Turn the size dial: more than 0 for larger objects, less for smaller ones."""
        self._set("size", min(max(size, -MOST_SIZE), MOST_SIZE))

    def set_finish(self, finish: Finish) -> None:
        """Draw outlines otherwise."""
        self._set("finish", finish)

    def set_refines(self, refines: bool) -> None:
        """Outline what is small in the view at a finer level, or as coarse as it is looked at."""
        self._set("refines", refines)

    def set_learns(self, learns: bool) -> None:
        """Ask the copy of the model that learns from accepted objects."""
        self._set("learns", learns)

    @property
    def sees_as_shown(self) -> bool:
        """Whether the engine sees the imagery as the map shows it."""
        return self.imagery is not None and is_as_shown(self.imagery)

    def set_as_shown(self, is_shown: bool) -> None:
        """Let the engine see what the map shows, or make its own choice."""
        if self.imagery is not None and is_shown != self.sees_as_shown:
            set_as_shown(self.imagery, is_shown)
            self.changed.emit()

    def _set(self, name: str, value: object) -> None:
        if getattr(self, name) != value:
            setattr(self, name, value)
            self.changed.emit()

    @property
    def crs(self) -> QgsCoordinateReferenceSystem:
        """Of the imagery."""
        return QgsCoordinateReferenceSystem() if self.imagery is None else self.imagery.crs()

    @property
    def pixel(self) -> float:
        """Size of the imagery's pixels, in units of its CRS; 0 where it is not known."""
        try:
            return 0.0 if self.imagery is None else max(pixel_size(self.imagery, self._source()))
        except RasterLassoError:  # whoever asks about the imagery is told
            return 0.0

    @property
    def ground_pixel(self) -> float:
        """Roughly the size of the imagery's pixels in m; 1 without a CRS."""
        if self.imagery is None or not self.crs.isValid():
            return 1.0
        return self.pixel * QgsUnitTypes.fromUnitToUnitFactor(self.crs.mapUnits(), QgsUnitTypes.DistanceUnit.DistanceMeters)

    def checked(self) -> QgsRasterLayer:
        """The imagery, where it can be asked about; raises `NoImagery`, `ImageryInvalid`, `ImageryUnsupported`."""
        self._source()
        if self.imagery is None:
            raise NoImagery()
        return self.imagery

    def draw_instead(self) -> bool:
        """Let QGIS draw the imagery for the engine, which can't open or place it; whether that is news, and possible."""
        layer = self.imagery
        is_possible = layer is not None and layer.providerType() == "gdal" and layer.id() not in self._only_in_qgis
        if layer is None or not is_possible or not opens_in_qgis(layer):
            return False
        self._only_in_qgis.add(layer.id())
        return True

    @property
    def stretch(self) -> Stretch | None:
        """Bands and limits that the engine is to see; None for its own choice, and of what QGIS draws for it."""
        layer = self.imagery
        return None if layer is None or self._is_drawn(layer) else stretch_of(layer)

    def _is_drawn(self, layer: QgsRasterLayer) -> bool:
        """Whether QGIS draws a file's layer for the engine: what is drawn is stretched already."""
        return layer.id() in self._only_in_qgis or says_more_than_its_file(layer)

    def news(self) -> list[str]:
        """What is to be told of the imagery, once."""
        return [] if self.imagery is None else list(self._news.of(self.imagery))

    def _source(self) -> str:
        """What GDAL opens for the imagery, worked out once; raises as `checked`."""
        layer = self.imagery
        if layer is not None and self._is_drawn(layer):
            return self._drawn.source(layer)
        now = None if layer is None else (layer.id(), layer.source(), layer.isValid())
        if self._known is not None and self._known[0] == now:
            return self._known[1]
        try:
            found = raster_path(layer)
            self._known = now, found
            return found
        except ImageryUnsupported:
            if layer is None:
                raise
            return self._drawn.source(layer)

    def close(self) -> None:
        """Draw nothing for the engine any more."""
        self._drawn.close()

    def to_imagery(self) -> QgsCoordinateTransform:
        """From map coordinates."""
        return transform_between(self._canvas.mapSettings().destinationCrs(), self.crs, self._project.transformContext())

    def to_map(self) -> QgsCoordinateTransform:
        """To map coordinates."""
        return transform_between(self.crs, self._canvas.mapSettings().destinationCrs(), self._project.transformContext())

    def in_imagery(self, places: Sequence[QgsPointXY]) -> list[QgsPointXY]:
        """Map coordinates in the imagery's CRS; raises `CoordinatesUntransformable`."""
        to_imagery = self.to_imagery()
        return [transformed(place, to_imagery) for place in places]

    def other_imagery_at(self, place: QgsPointXY) -> QgsRasterLayer | None:
        """The topmost raster layer that the map shows at a place in its coordinates, where the imagery does not reach."""
        if self.imagery is None or self._reaches(self.imagery, place):
            return None
        shown = (layer for layer in self._canvas.layers() if isinstance(layer, QgsRasterLayer) and layer is not self.imagery)
        return next((layer for layer in shown if self._reaches(layer, place)), None)

    def _reaches(self, layer: QgsRasterLayer, place: QgsPointXY) -> bool:
        map_crs = self._canvas.mapSettings().destinationCrs()
        try:
            there = transformed(place, transform_between(map_crs, layer.crs(), self._project.transformContext()))
        except RasterLassoError:
            return False
        return bool(layer.extent().contains(there))

    def in_terms_of_the_map(self, error: RasterLassoError) -> RasterLassoError:
        """An error of the engine about the imagery, for who sees the map."""

        def to_map(place: QgsPointXY) -> QgsPointXY:
            map_crs = self._canvas.mapSettings().destinationCrs()
            return transformed(place, transform_between(self.crs, map_crs, self._project.transformContext()))

        return in_terms_of_the_map(error, self.imagery, to_map)

    def middle(self) -> QgsPointXY:
        """Of the map, in its coordinates."""
        return self._canvas.center()

    def level_at(self, place: QgsPointXY) -> int:
        """Of the map's scale at a place in map coordinates; raises as `checked`, and `CoordinatesUntransformable`."""
        return level_at(self.checked(), self._source(), place, self._canvas.mapUnitsPerPixel(), self.to_imagery())

    def segment(
        self,
        prompts: Prompts,
        view_level: int,
        finish: Finish | None = None,
        with_others: bool = True,
        is_whole: bool = False,
    ) -> SegmentParams:
        """finish: None for the user's. is_whole: however many tiles that takes. Raises as `checked`."""
        self.checked()
        level, stretch = view_level + self.size, self.stretch
        drawn = finish or self.finish
        most_tiles = None if is_whole else self.most_tiles
        return SegmentParams(
            self._source(),
            prompts,
            self.model,
            level,
            self.learns,
            stretch,
            drawn,
            with_others,
            most_tiles,
            closer=self.refines and self.model in QUICK_MODELS,
        )

    def first_click(self, place: QgsPointXY, with_others: bool) -> SegmentParams | None:
        """What a click at a place in map coordinates would ask for; None where it can't be asked: the click will say why."""
        try:
            self.checked()
            at = transformed(place, self.to_imagery())
            return self.segment(Prompts((Point(at.x(), at.y()),)), self.level_at(place), with_others=with_others)
        except RasterLassoError:
            return None

    def view(self, extent: QgsRectangle, cursor: QgsPointXY) -> PrefetchParams | None:
        """What is in view, both in map coordinates; None where there is nothing to be asked about."""
        try:
            self.checked()
            box, place = transformed_box(extent, self.to_imagery()), transformed(cursor, self.to_imagery())
            level = self.level_at(cursor) + self.size
        except RasterLassoError:
            return None
        corners = (box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum())
        return PrefetchParams(self._source(), self.model, level, (place.x(), place.y()), corners, self.stretch)

    def learn(self, accepted: SegmentResult, wkb_hex: str) -> LearnParams:
        """From an accepted polygon."""
        self.checked()
        return LearnParams(self._source(), wkb_hex, accepted.model, accepted.level, self.stretch)
