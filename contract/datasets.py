"""Parameters of data sets for training other models, and of what these predict.

`Optional` and not `| None`: the types are read when a message arrives, and Python 3.9 knows no other form then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from .looks import Stretch
from .wire import Wire

FORMATS = ("yolo", "coco")
"""YOLO's segmentation labels, and COCO's instances."""


@dataclass(frozen=True)
class ExportDatasetParams(Wire):
    """A file of polygons, the raster that they were digitized from, and the folder that becomes the data set.

    area: x0, y0, x1, y1 in the raster's CRS, in which all there is has been digitized; None for the box around the polygons.
    class_field: None for one class. chip_px: side of a chip in pixels of the level. validation_share: of the objects;
    background_share: of chips without objects to those with some. Answered with `ChipWritten`s.
    """

    layer: str
    image: str
    folder: str
    format: str = "yolo"
    layer_name: Optional[str] = None
    class_field: Optional[str] = None
    area: Optional[tuple[float, float, float, float]] = None
    chip_px: int = 640
    level: int = 0
    validation_share: float = 0.2
    background_share: float = 0.1
    stretch: Optional[Stretch] = None

    def __post_init__(self) -> None:
        shares = (self.validation_share, self.background_share)
        if self.format not in FORMATS or self.chip_px < 32 or not all(0 <= each <= 1 for each in shares):
            raise ValueError("a format that is known, chips of 32 pixels at least, shares from 0 to 1")


@dataclass(frozen=True)
class ChipWritten(Wire):
    """One of the chips, counted from 1. objects: on it; is_validation: which part of the data set it is in."""

    number: int
    count: int
    objects: int
    is_validation: bool


@dataclass(frozen=True)
class ImportPredictionsParams(Wire):
    """What a model predicted on the chips of a data set, and the file that it becomes.

    predictions: a folder of YOLO's text files, or a JSON file of COCO's results. Answered with one `PredictionsRead`.
    """

    dataset: str
    predictions: str
    output: str


@dataclass(frozen=True)
class PredictionsRead(Wire):
    """How many there were on the chips, and how many polygons they became: those of several chips are joined."""

    predicted: int
    written: int
