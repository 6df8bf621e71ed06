"""Parameters of what is done to rasters ahead, to layers and to models.

`Optional` and not `| None`: the types are read when a message arrives, and Python 3.9 knows no other form then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from .looks import Finish, Stretch
from .requests import Shape
from .wire import Wire


@dataclass(frozen=True)
class EncodeParams(Wire):
    """Tiles of a raster to be kept on disk. levels: None for all from native resolution on; area: x0, y0, x1, y1 in its CRS."""

    image: str
    model: str = "builtin"
    levels: Optional[tuple[int, ...]] = None
    area: Optional[tuple[float, float, float, float]] = None
    stretch: Optional[Stretch] = None


@dataclass(frozen=True)
class ReplayParams(Wire):
    """A file of features with prompts to be asked again of a raster, and the file for what is found.

    model, finish: None for each feature's own.
    """

    layer: str
    image: str
    output: str
    layer_name: Optional[str] = None
    model: Optional[str] = None
    finish: Optional[Finish] = None


@dataclass(frozen=True)
class SimplifyParams(Wire):
    """Polygons that share borders, as hexadecimal WKB. tolerance: in units of their coordinates.

    is_whole: whether these are all the polygons there are; else their outer borders stay.
    """

    wkb_hex: tuple[str, ...]
    tolerance: float
    is_whole: bool = True


@dataclass(frozen=True)
class RedrawParams(Wire):
    """Polygons to be drawn in another style. Answered with `Shape`s in the raster's CRS.

    crs: of the shapes, None for the raster's. level: of the raster whose pixels say how finely they were drawn.
    """

    image: str
    shapes: tuple[Shape, ...]
    finish: Finish
    crs: Optional[str] = None
    level: int = 0


@dataclass(frozen=True)
class ConvertParams(Wire):
    """A file of one layer, and the file that it becomes, in the format of its suffix."""

    source: str
    target: str


@dataclass(frozen=True)
class NoParams(Wire):
    """Of what needs none."""


@dataclass(frozen=True)
class ModelParams(Wire):
    """A model by its name."""

    name: str


@dataclass(frozen=True)
class AddModelParams(Wire):
    """A folder or file of weights. name: None for that of the folder or file."""

    path: str
    name: Optional[str] = None
