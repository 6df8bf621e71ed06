"""What is asked and answered, on the pipe, on the command line and in Processing.

`Optional` and not `| None`: the types are read when a message arrives, and Python 3.9 knows no other form then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from .looks import PRESETS, Finish, Stretch
from .prompts import Prompts
from .wire import Wire


@dataclass(frozen=True)
class SegmentParams(Wire):
    """One object, prompts in the raster's CRS. Answered with a `SegmentResult`."""

    image: str
    prompts: Prompts
    model: str
    level: Optional[int] = None
    learned: bool = False
    """Ask the copy of the model that has learnt from the objects accepted on this raster."""

    stretch: Optional[Stretch] = None
    """None for the engine's own choice."""

    finish: Finish = PRESETS["raw"]

    with_others: bool = True
    """Whether the model's other answers are wanted, too."""

    most_tiles: Optional[int] = None
    """So many are looked at beyond the first at most; None for all."""

    closer: bool = False
    """Whether what is small at the level is outlined at a finer one."""

    with_data_end: bool = False
    """Whether it is wanted where the imagery's data end beside the outline."""


@dataclass(frozen=True)
class LearnParams(Wire):
    """An accepted polygon in the raster's CRS, and the level that it was segmented at."""

    image: str
    wkb_hex: str
    model: str
    level: int
    stretch: Optional[Stretch] = None


@dataclass(frozen=True)
class PrefetchParams(Wire):
    """A view and the cursor in the raster's CRS.

    Its tiles are encoded while nothing else is asked. A new one takes the place of the one before; without an image nothing is
    prefetched any more.
    """

    image: str = ""
    model: str = ""
    level: int = 0
    center_xy: tuple[float, float] = (0.0, 0.0)
    view: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    stretch: Optional[Stretch] = None


@dataclass(frozen=True)
class ModelInfo(Wire):
    """A model. state: `built-in`, `added`, or `published` where it can be downloaded."""

    name: str
    title: str
    family: str
    licence: str
    parameters: int
    state: str
    tile_seconds: Optional[float]
    """How long a new tile takes, roughly; None on a GPU, for which nothing was measured."""


@dataclass(frozen=True)
class SegmentResult(Wire):
    """A valid polygon or multipolygon in the raster's CRS.

    others: (polygon, score) of the model's other answers, best first. gsd_m: ground size of a pixel of the level. tiles_left:
    about how many more would have to be looked at to have all of it; 0 where this is all. data_end: strip around where the data
    end beside the outlines, empty where they nowhere do or it was not asked for. view_level: as `Recipe` has it. frame: of the
    tile that the model looked at to see what is meant, empty where that is not known.
    """

    wkb_hex: str
    score: float
    model: str
    level: int
    seconds: float
    others: tuple[tuple[str, float], ...] = ()
    gsd_m: Optional[float] = None
    tiles_left: int = 0
    data_end: str = ""
    view_level: Optional[int] = None
    frame: str = ""


@dataclass(frozen=True)
class Shape(Wire):
    """A geometry of the caller's, known by a number of the caller's. wkb_hex: in the CRS that the parameters name."""

    id: int
    wkb_hex: str


@dataclass(frozen=True)
class ObjectPrompts(Wire):
    """What is said of one object, known by a number of the caller's."""

    id: int
    prompts: Prompts


@dataclass(frozen=True)
class SegmentObjectsParams(Wire):
    """Many objects, one after the other; what can't be found is told and the others are done.

    crs: of the prompts, None for the raster's. level: 0 is native resolution, each next one half of it.
    """

    image: str
    objects: tuple[ObjectPrompts, ...]
    crs: Optional[str] = None
    model: str = "builtin"
    level: Optional[int] = None
    stretch: Optional[Stretch] = None
    finish: Finish = PRESETS["raw"]


@dataclass(frozen=True)
class ShapesParams(Wire):
    """As `SegmentObjectsParams`, an object for each of some geometries: of the boxes around them, or of rough outlines."""

    image: str
    shapes: tuple[Shape, ...]
    crs: Optional[str] = None
    model: str = "builtin"
    level: Optional[int] = None
    stretch: Optional[Stretch] = None
    finish: Finish = PRESETS["raw"]


@dataclass(frozen=True)
class SegmentedObject(Wire):
    """One of many: what was found, in the raster's CRS, or the error that says why nothing was.

    error_code, error_params: of an error of `errors`. area_m2: on the ellipsoid, None without a CRS.
    """

    id: int
    found: Optional[SegmentResult] = None
    area_m2: Optional[float] = None
    error_code: str = ""
    error_params: Mapping[str, Any] = field(default_factory=dict)
