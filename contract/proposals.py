"""Parameters and answers of what finds objects that nobody clicked.

`Optional` and not `| None`: the types are read when a message arrives, and Python 3.9 knows no other form then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from .looks import PRESETS, Finish, Stretch
from .prompts import Prompts
from .requests import SegmentResult, Shape
from .wire import Wire


@dataclass(frozen=True)
class EverythingParams(Wire):
    """All objects of about one size. Answered with `Proposal`s, best first within each part of the area.

    side_m, side_px: their longer side, on the ground or in native pixels; one of them. area: x0, y0, x1, y1 in the raster's
    CRS, None for all of it. least_score: what the model's own estimate of the overlap must reach. granularity: -1 to 1, whether
    parts (blocks of a field, roofs of a building) or wholes stay where both are found; 0 for the likelier one. scheduler:
    address of a Dask cluster that does the work, `local` for one of this machine's cores; None for this process.
    """

    image: str
    side_m: Optional[float] = None
    side_px: Optional[float] = None
    area: Optional[tuple[float, float, float, float]] = None
    model: str = "builtin"
    stretch: Optional[Stretch] = None
    finish: Finish = PRESETS["raw"]
    least_score: float = 0.3
    scheduler: Optional[str] = None
    granularity: float = 0.0

    def __post_init__(self) -> None:
        sides = [each for each in (self.side_m, self.side_px) if each is not None]
        if len(sides) != 1 or not 0 < sides[0] < math.inf:
            raise ValueError("a side in metres or in pixels, above 0")
        if not -1 <= self.granularity <= 1:
            raise ValueError("a granularity from -1 (parts) to 1 (wholes)")


@dataclass(frozen=True)
class SimilarParams(Wire):
    """Objects like some that are known. Answered with `Proposal`s, the likeliest first.

    examples, others: polygons of the kind, and of what is not meant, in the raster's CRS. area: as for everything. most: so
    many are proposed at most.
    """

    image: str
    examples: tuple[Shape, ...]
    others: tuple[Shape, ...] = ()
    area: Optional[tuple[float, float, float, float]] = None
    model: str = "builtin"
    stretch: Optional[Stretch] = None
    finish: Finish = PRESETS["raw"]
    most: int = 500


@dataclass(frozen=True)
class DetectParams(Wire):
    """All objects of the classes that a model was trained on. Answered with `Proposal`s, as for everything.

    level: at which the raster is looked at, 0 for native resolution. area, least_score, scheduler: as for
    everything. classes: names of
    those that are wanted, None for all.
    """

    image: str
    model: str
    level: int = 0
    area: Optional[tuple[float, float, float, float]] = None
    stretch: Optional[Stretch] = None
    finish: Finish = PRESETS["raw"]
    least_score: float = 0.3
    classes: Optional[tuple[str, ...]] = None
    scheduler: Optional[str] = None


@dataclass(frozen=True)
class AnswersParams(Wire):
    """What the user said of the newest search's proposals, by their numbers. Answered with `Likeness`es of all the others."""

    accepted: tuple[int, ...]
    rejected: tuple[int, ...]


@dataclass(frozen=True)
class Proposal(Wire):
    """An object that may be meant. prompts: in the raster's CRS, what gives it again at its level, with the choice that
    `Recipe` has. likeness: 0 to 1, how probably it is of the kind. class_name: empty where the model tells none.
    """

    id: int
    found: SegmentResult
    prompts: Prompts
    choice: Optional[int]
    likeness: float
    area_m2: Optional[float] = None
    class_name: str = ""


@dataclass(frozen=True)
class Likeness(Wire):
    """Of a proposal, by its number."""

    id: int
    likeness: float


@dataclass(frozen=True)
class RunRecipe(Wire):
    """A run to be done again. task: its name in the table; params: its parameters. least_likeness: of what was written.

    version: of Raster Lasso. model: the version of its weights; image: of the raster's content, None where it has none.
    """

    task: str
    params: Mapping[str, Any]
    least_likeness: float
    version: str
    model: str
    image: Optional[str] = None
