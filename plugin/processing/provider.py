"""The Processing provider: segmentation of many objects at once, in models and on servers too."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from qgis.core import (
    QgsFeature,
    QgsFeatureSink,
    QgsPointXY,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingProvider,
    QgsVectorLayer,
    QgsWkbTypes,
)
from qgis.PyQt.QtGui import QIcon

from ...contract.errors import RasterLassoError
from ..errors import EngineMissing
from ..geo.transforms import transform_between, transformed
from ..imagery.source import raster_path
from ..runtime.engine_process import LAUNCHER, engine_environment
from ..runtime.environment import engine_python
from ..settings import Settings
from ..translation import error_text, tr

ICON = Path(__file__).resolve().parents[2] / "resources" / "icons" / "rasterlasso.svg"


class LassoProvider(QgsProcessingProvider):
    """Algorithms of Raster Lasso."""

    def id(self) -> str:
        """Prefix of the algorithms' ids."""
        return "rasterlasso"

    def name(self) -> str:
        """Shown in the toolbox."""
        return "Raster Lasso"

    def icon(self) -> QIcon:
        """Shown in the toolbox."""
        return QIcon(str(ICON))

    def loadAlgorithms(self) -> None:
        """Register all."""
        self.addAlgorithm(SegmentAtPoints())


class SegmentAtPoints(QgsProcessingAlgorithm):
    """One polygon for each point."""

    IMAGE, POINTS, MODEL, LEVEL, OUTPUT = "IMAGE", "POINTS", "MODEL", "LEVEL", "OUTPUT"

    def createInstance(self) -> SegmentAtPoints:
        """A fresh one for each run."""
        return SegmentAtPoints()

    def name(self) -> str:
        """Id within the provider."""
        return "segmentatpoints"

    def displayName(self) -> str:
        """Shown in the toolbox."""
        return tr("Segment at points")

    def shortHelpString(self) -> str:
        """Shown beside the parameters."""
        return tr(
            "Segments one feature of the imagery at each point, as a single click with Raster Lasso does. Points where "
            "nothing can be found are reported and left out."
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        """Declare the parameters."""
        self.addParameter(QgsProcessingParameterRasterLayer(self.IMAGE, tr("Imagery")))
        points = QgsProcessingParameterFeatureSource(
            self.POINTS, tr("Points, one on each feature"), [QgsProcessing.SourceType.TypeVectorPoint]
        )
        self.addParameter(points)
        self.addParameter(QgsProcessingParameterString(self.MODEL, tr("Model"), "builtin"))
        self.addParameter(
            QgsProcessingParameterNumber(
                self.LEVEL, tr("Level (0 is native resolution, each next one half of it)"), defaultValue=0, minValue=-3
            )
        )
        self.addParameter(
            QgsProcessingParameterFeatureSink(self.OUTPUT, tr("Polygons"), QgsProcessing.SourceType.TypeVectorPolygon)
        )

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Run the engine's command line over the points."""
        python = engine_python(Settings.load())
        try:
            if python is None or not python.exists():
                raise EngineMissing()
            layer = self.parameterAsRasterLayer(parameters, self.IMAGE, context)
            path = raster_path(layer)
            objects = self._objects(parameters, context, layer.crs())
        except RasterLassoError as error:
            raise QgsProcessingException(error_text(error)) from error
        with TemporaryDirectory(prefix="rasterlasso-") as folder:
            prompts, found = Path(folder, "prompts.json"), Path(folder, "found.gpkg")
            prompts.write_text(json.dumps({"objects": objects}), encoding="utf-8")
            options = ["--prompts", str(prompts), "-o", str(found)]
            options += ["--model", self.parameterAsString(parameters, self.MODEL, context)]
            options += ["--level", str(self.parameterAsInt(parameters, self.LEVEL, context))]
            _run_engine([str(python), "-I", "-u", str(LAUNCHER), "segment", path, *options], len(objects), feedback)
            if feedback.isCanceled():
                return {}
            return {self.OUTPUT: self._copy(found, layer, parameters, context)}

    def _objects(self, parameters: dict[str, Any], context: QgsProcessingContext, crs: Any) -> list[dict[str, Any]]:
        source = self.parameterAsSource(parameters, self.POINTS, context)
        if source is None:
            raise QgsProcessingException(self.invalidSourceError(parameters, self.POINTS))
        to_imagery = transform_between(source.sourceCrs(), crs, context.transformContext())
        objects = []
        for feature in source.getFeatures():
            for vertex in feature.geometry().vertices():
                place = transformed(QgsPointXY(vertex.x(), vertex.y()), to_imagery)
                objects.append({"points": [[place.x(), place.y(), True]], "properties": {"point_id": feature.id()}})
        if not objects:
            raise QgsProcessingException(tr("The point layer has no points."))
        return objects

    def _copy(self, found: Path, image: Any, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        polygons = QgsVectorLayer(str(found), "found", "ogr")
        if not polygons.isValid():
            raise QgsProcessingException(tr("Nothing was found at any of the points; the messages above say why."))
        fields = polygons.fields()
        fields.remove(fields.lookupField("fid"))
        sink, sink_id = self.parameterAsSink(
            parameters, self.OUTPUT, context, fields, QgsWkbTypes.Type.MultiPolygon, image.crs()
        )
        if sink is None:
            raise QgsProcessingException(self.invalidSinkError(parameters, self.OUTPUT))
        for feature in polygons.getFeatures():
            copied = QgsFeature(fields)
            copied.setGeometry(feature.geometry())
            copied.setAttributes([feature[field.name()] for field in fields])
            sink.addFeature(copied, QgsFeatureSink.Flag.FastInsert)
        return sink_id


def _run_engine(command: list[str], total: int, feedback: QgsProcessingFeedback) -> None:
    """Run until the end or until the user cancels; lines of standard output are objects done."""
    environment = engine_environment()
    variables = {name: environment.value(name) for name in environment.keys()}  # noqa: SIM118 - no dict
    process = subprocess.Popen(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace"
    )
    assert process.stdout is not None
    done = 0
    with process:
        for line in process.stdout:
            if line.startswith("rasterlasso:"):
                feedback.reportError(line.rstrip())
            else:
                feedback.pushInfo(line.rstrip())
            done += 1
            feedback.setProgress(min(100.0, 100.0 * done / total))
            if feedback.isCanceled():
                process.terminate()
                break
