"""The Processing provider: segmentation of many objects at once, in models and on servers too."""

from __future__ import annotations

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .detect_classes import DetectClasses
from .encode_raster import EncodeRaster
from .export_training_data import ExportTrainingData
from .find_similar import FindSimilar
from .import_predictions import ImportPredictions
from .lasso_algorithm import ICON
from .refine_polygons import RefinePolygons
from .regularize import Regularize
from .replay_layer import ReplayLayer
from .segment_at_points import SegmentAtPoints
from .segment_everything import SegmentEverything
from .segment_in_boxes import SegmentInBoxes
from .simplify_coverage import SimplifyCoverage

ALGORITHMS = (
    SegmentAtPoints,
    SegmentInBoxes,
    RefinePolygons,
    SegmentEverything,
    FindSimilar,
    DetectClasses,
    EncodeRaster,
    ReplayLayer,
    Regularize,
    SimplifyCoverage,
    ExportTrainingData,
    ImportPredictions,
)


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
        for algorithm in ALGORITHMS:
            self.addAlgorithm(algorithm())
