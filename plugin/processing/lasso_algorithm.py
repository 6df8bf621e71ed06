"""What all algorithms have in common: imagery, model and outline, a task of the engine, polygons as features."""

from __future__ import annotations

from collections.abc import Mapping
from configparser import ConfigParser
from pathlib import Path
from typing import Any, Callable

from qgis.core import (
    QgsFeature,
    QgsFeatureSink,
    QgsFields,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterEnum,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsRasterLayer,
    QgsWkbTypes,
)
from qgis.PyQt.QtGui import QIcon

from ...contract.errors import RasterLassoError
from ...contract.looks import PRESETS, Finish
from ...contract.wire import Wire
from ..errors import EngineMissing
from ..geo.wkb import from_hex
from ..runtime.engine_command import engine_command
from ..runtime.engine_run import run_request
from ..settings import Settings
from ..translation import error_text, tr

ICON = Path(__file__).resolve().parents[2] / "resources" / "icons" / "rasterlasso.svg"

READABLE = ["gpkg", "shp", "geojson", "fgb", "parquet"]
"""Suffixes of files that the engine reads; of others a copy is made."""

METADATA = ICON.parents[2] / "metadata.txt"


def _homepage() -> str:
    """Where the help is: what the plugin's metadata say."""
    metadata = ConfigParser(interpolation=None)
    metadata.read(METADATA, encoding="utf-8")
    return metadata["general"].get("homepage", "")


HELP_URL = _homepage()


class LassoAlgorithm(QgsProcessingAlgorithm):
    """A subclass says what it takes beside the imagery, and what it makes of the task's items."""

    INPUT, IMAGE, EXTENT, MODEL, FINISH = "INPUT", "IMAGE", "EXTENT", "MODEL", "FINISH"
    OUTPUT, FOUND = "OUTPUT", "FOUND"

    TASK = ""
    """Name in the engine's table of tasks."""

    GROUP = "segment"
    """Of `_groups`."""

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Find the engine, before anything is read; raises `QgsProcessingException` where there is none."""
        try:
            command = engine_command(Settings.load())
        except RasterLassoError as error:
            raise QgsProcessingException(error_text(error)) from error
        if command is None or not command.is_there:
            raise QgsProcessingException(error_text(EngineMissing()))
        self._command = command
        return True

    def group(self) -> str:
        """Shown in the toolbox."""
        return _groups()[self.GROUP]

    def groupId(self) -> str:
        """The same in every language."""
        return self.GROUP

    def tags(self) -> list[str]:
        """What one may search for, beside the name."""
        words = tr("segmentation,digitize,vectorize,polygon,raster,imagery,satellite,aerial,AI,machine learning,SAM")
        return [word.strip() for word in words.split(",")]

    def helpUrl(self) -> str:
        """Behind the button *Help*."""
        return HELP_URL

    def icon(self) -> QIcon:
        """Shown in the toolbox."""
        return QIcon(str(ICON))

    def add_imagery(self) -> None:
        """Declare what is segmented."""
        self.addParameter(QgsProcessingParameterRasterLayer(self.IMAGE, tr("Imagery")))

    def add_model(self) -> None:
        """Declare the model that is asked."""
        model = QgsProcessingParameterString(self.MODEL, tr("Model"), "builtin")
        names = ["builtin", *(name for name in Settings.load().models.split("\n") if name not in ("", "builtin"))]
        model.setMetadata({"widget_wrapper": {"value_hints": names}})  # a list to choose from, where QGIS knows it
        self.addParameter(model)

    def add_extent(self, title: str = "") -> None:
        """Declare the part of the imagery that is looked at."""
        title = title or tr("Extent (all of the imagery if empty)")
        self.addParameter(QgsProcessingParameterExtent(self.EXTENT, title, optional=True))

    def layer_file(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> tuple[str, str | None]:
        """A file that the engine reads with the features of `INPUT`, and the layer's name within it, None for the only one."""
        path, name = self.parameterAsCompatibleSourceLayerPathAndLayerName(
            parameters, self.INPUT, context, READABLE, READABLE[0], feedback
        )
        return path, name if name and Path(path).suffix.lower() == ".gpkg" else None

    def area(
        self, parameters: dict[str, Any], layer: QgsRasterLayer, context: QgsProcessingContext
    ) -> tuple[float, float, float, float] | None:
        """The extent in the imagery's CRS, as x0, y0, x1, y1; None for all of it."""
        extent = self.parameterAsExtent(parameters, self.EXTENT, context, layer.crs())
        return None if extent.isNull() else (extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum())

    def add_finish(self, preset: int = 0) -> None:
        """Declare how outlines are drawn: `PRESETS` in their order, one of them by default."""
        styles = [tr("As traced"), tr("Field"), tr("Building"), tr("Water"), tr("Tree")]
        self.addParameter(QgsProcessingParameterEnum(self.FINISH, tr("Outline style"), styles, defaultValue=preset))

    def add_polygons(self, title: str) -> None:
        """Declare what comes out, and how many."""
        self.add_sink(title)
        self.addOutput(QgsProcessingOutputNumber(self.FOUND, tr("Polygons found")))

    def add_sink(self, title: str) -> None:
        """Declare what comes out."""
        polygons = QgsProcessing.SourceType.TypeVectorPolygon
        self.addParameter(QgsProcessingParameterFeatureSink(self.OUTPUT, title, polygons))

    def finish(self, parameters: dict[str, Any], context: QgsProcessingContext) -> Finish:
        """What was chosen."""
        return list(PRESETS.values())[self.parameterAsEnum(parameters, self.FINISH, context)]

    def polygon_sink(
        self, parameters: dict[str, Any], context: QgsProcessingContext, fields: QgsFields, layer: QgsRasterLayer
    ) -> tuple[QgsFeatureSink, str]:
        """Where polygons in the imagery's CRS go, and its id; raises `QgsProcessingException`."""
        polygons = QgsWkbTypes.Type.MultiPolygon
        sink, sink_id = self.parameterAsSink(parameters, self.OUTPUT, context, fields, polygons, layer.crs())
        if sink is None:
            raise QgsProcessingException(self.invalidSinkError(parameters, self.OUTPUT))
        return sink, sink_id

    def ask(
        self, params: Wire, take: Callable[[Mapping[str, Any]], None], feedback: QgsProcessingFeedback
    ) -> Mapping[str, Any]:
        """Run the task in an engine of its own, with progress and Cancel; raises `RasterLassoError`s and `RunCancelled`."""
        return run_request(
            self._command, self.TASK, params, take, lambda part: feedback.setProgress(100 * part), feedback.isCanceled
        )


def _groups() -> dict[str, str]:
    """Names by ids."""
    return {
        "segment": tr("One feature each"),
        "rasters": tr("Whole rasters"),
        "layers": tr("Layers"),
        "datasets": tr("Training data"),
    }


def feature_of(fields: QgsFields, wkb_hex: str, known: Mapping[str, Any]) -> QgsFeature:
    """A feature of a multipolygon; known: values by the fields' names."""
    feature, polygon = QgsFeature(fields), from_hex(wkb_hex)
    polygon.convertToMultiType()
    feature.setGeometry(polygon)
    feature.setAttributes([known.get(field.name()) for field in fields])
    return feature
