"""What crosses the pipe: JSON lines, one message a line, UTF-8.

Client to engine: `Request`, `Cancel`. Engine to client: `Ready`, `Progress`, `Result`, `Failure`, `Cancelled`, `Notice`.
Geometry crosses as hexadecimal WKB in the raster's CRS; pixels never cross.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Union

from .errors import ProtocolError

PROTOCOL_VERSION = 1


@dataclass(frozen=True)
class Point:
    """A click in map coordinates of the raster's CRS."""

    x: float
    y: float
    foreground: bool = True


@dataclass(frozen=True)
class Box:
    """Two opposite corners of a box in map coordinates of the raster's CRS."""

    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True)
class Prompts:
    """All that the user said of one object, oldest first."""

    points: tuple[Point, ...] = ()
    box: Box | None = None

    @property
    def has_foreground(self) -> bool:
        """Whether anything says where the object is."""
        return self.box is not None or any(point.foreground for point in self.points)

    @property
    def without_last_point(self) -> Prompts:
        """As they were before the newest click."""
        return Prompts(self.points[:-1], self.box)

    def to_wire(self) -> dict[str, Any]:
        """JSON form: `{"points": [[x, y, foreground], ...], "box": [x0, y0, x1, y1] or null}`."""
        box = self.box
        return {
            "points": [[point.x, point.y, point.foreground] for point in self.points],
            "box": None if box is None else [box.x0, box.y0, box.x1, box.y1],
        }

    @classmethod
    def from_wire(cls, value: Mapping[str, Any]) -> Prompts:
        """Inverse of `to_wire`; raises `ProtocolError` on any other form or a coordinate that is not finite."""
        try:
            points = tuple(Point(_finite(x), _finite(y), bool(foreground)) for x, y, foreground in value.get("points") or ())
            corners = value.get("box")
            if corners is None:
                return cls(points)
            x0, y0, x1, y1 = (_finite(corner) for corner in corners)
        except (TypeError, ValueError, AttributeError) as error:
            raise ProtocolError(reason=f"bad prompts, {error}") from error
        return cls(points, Box(x0, y0, x1, y1))


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a coordinate is not finite")
    return number


@dataclass(frozen=True)
class Request:
    """Asks for `op`. Within one `channel` the highest `revision` wins: older ones are cancelled, queued or running."""

    id: int
    op: str
    params: dict[str, Any] = field(default_factory=dict)
    channel: str = ""
    revision: int = 0


@dataclass(frozen=True)
class Cancel:
    """Takes a request back."""

    id: int


@dataclass(frozen=True)
class Ready:
    """The first line of an engine: it answers from now on."""

    protocol: int
    version: str
    pid: int


@dataclass(frozen=True)
class Progress:
    """How far a request is: `fraction` in 0..1, `stage` one of `read`, `encode`, `decode`, `vectorize`, `refine`, `download`.

    part: of an object larger than a tile what is found so far, as the answer would be.
    """

    id: int
    stage: str
    fraction: float
    part: dict[str, Any] | None = None


@dataclass(frozen=True)
class Result:
    """The answer to a request."""

    id: int
    value: dict[str, Any]


@dataclass(frozen=True)
class Failure:
    """A request ended in an error of `errors`: its class name, its parameters, its English text."""

    id: int
    code: str
    params: dict[str, Any]
    message: str


@dataclass(frozen=True)
class Notice:
    """An error of `errors` that stopped nothing, but that the user should know of."""

    code: str
    params: dict[str, Any]
    message: str


@dataclass(frozen=True)
class Cancelled:
    """A request ended because it was cancelled or a newer one of its channel came."""

    id: int


Message = Union[Request, Cancel, Ready, Progress, Result, Failure, Cancelled, Notice]

_TYPES: dict[str, type[Any]] = {
    kind.__name__.lower(): kind for kind in (Request, Cancel, Ready, Progress, Result, Failure, Cancelled, Notice)
}


def encode(message: Message) -> bytes:
    """One line, its newline included."""
    body = {"type": type(message).__name__.lower(), **asdict(message)}
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def decode(line: bytes) -> Message:
    """The message of one line; raises `ProtocolError` for anything else."""
    try:
        body = json.loads(line)
        kind = _TYPES[body.pop("type")]
        message: Message = kind(**body)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProtocolError(reason=f"{error!r} in {line[:80]!r}") from error
    if not isinstance(getattr(message, "id", 0), int):
        raise ProtocolError(reason=f"an id that is no integer in {line[:80]!r}")
    return message


@dataclass(frozen=True)
class Stretch:
    """How a raster's values become 8 bits: one or three bands (from 1), what becomes 0 and 255 in each, and the gamma."""

    bands: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    gamma: float = 1.0

    @classmethod
    def from_wire(cls, value: Any) -> Stretch | None:
        """Of its JSON form, None of none; raises `ProtocolError`."""
        if value is None:
            return None
        try:
            bands = tuple(int(each) for each in value["bands"])
            low, high = (tuple(_finite(each) for each in value[name]) for name in ("low", "high"))
            found = cls(bands, low, high, _finite(value.get("gamma", 1.0)))
            if len(bands) not in (1, 3) or not len(bands) == len(low) == len(high) or found.gamma <= 0:
                raise ValueError("one or three bands, a low and a high value for each")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ProtocolError(reason=f"bad stretch, {error!r}") from error
        return found


@dataclass(frozen=True)
class Finish:
    """What is done to an outline. tolerance_px: simplification, in pixels of the level; min_area_m2: of holes and parts."""

    tolerance_px: float = 0.0
    smooth: bool = False
    right_angles: bool = False
    min_area_m2: float = 0.0
    grow_m: float = 0.0

    @classmethod
    def from_wire(cls, value: Any) -> Finish:
        """Of its JSON form, raw of none; raises `ProtocolError`."""
        try:
            given = dict(value or {})
            return cls(
                _finite(given.get("tolerance_px", 0.0)),
                bool(given.get("smooth", False)),
                bool(given.get("right_angles", False)),
                _finite(given.get("min_area_m2", 0.0)),
                _finite(given.get("grow_m", 0.0)),
            )
        except (TypeError, ValueError) as error:
            raise ProtocolError(reason=f"bad finish, {error!r}") from error


PRESETS = {
    "raw": Finish(),
    "field": Finish(tolerance_px=1.0),
    "building": Finish(tolerance_px=1.0, right_angles=True),
    "water": Finish(tolerance_px=0.5, smooth=True),
    "tree": Finish(tolerance_px=1.0, smooth=True),
}
"""Finishes by the kind of object."""


@dataclass(frozen=True)
class SegmentParams:
    """Parameters of the op `segment`."""

    image: str
    prompts: Prompts
    model: str
    level: int | None = None
    learned: bool = False
    """Ask the copy of the model that has learnt from the objects accepted on this raster."""

    stretch: Stretch | None = None
    """None for the engine's own choice."""

    finish: Finish = Finish()

    def to_wire(self) -> dict[str, Any]:
        """JSON form."""
        return {**asdict(self), "prompts": self.prompts.to_wire()}

    @classmethod
    def from_wire(cls, value: Mapping[str, Any]) -> SegmentParams:
        """Inverse of `to_wire`; raises `ProtocolError`."""
        try:
            level = value.get("level")
            return cls(
                str(value["image"]),
                Prompts.from_wire(value["prompts"]),
                str(value["model"]),
                None if level is None else int(level),
                bool(value.get("learned", False)),
                Stretch.from_wire(value.get("stretch")),
                Finish.from_wire(value.get("finish")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ProtocolError(reason=f"bad segment parameters, {error!r}") from error


@dataclass(frozen=True)
class LearnParams:
    """Parameters of the op `learn`: an accepted polygon in the raster's CRS, and the level that it was segmented at."""

    image: str
    wkb_hex: str
    model: str
    level: int
    stretch: Stretch | None = None

    def to_wire(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)

    @classmethod
    def from_wire(cls, value: Mapping[str, Any]) -> LearnParams:
        """Inverse of `to_wire`; raises `ProtocolError`."""
        try:
            stretch = Stretch.from_wire(value.get("stretch"))
            return cls(str(value["image"]), str(value["wkb_hex"]), str(value["model"]), int(value["level"]), stretch)
        except (KeyError, TypeError, ValueError) as error:
            raise ProtocolError(reason=f"bad learn parameters, {error!r}") from error


@dataclass(frozen=True)
class PrefetchParams:
    """Parameters of the op `prefetch`: a view and the cursor in the raster's CRS.

    Its tiles are encoded while nothing else is asked. A new one takes the place of the one before; without an image nothing is
    prefetched any more.
    """

    image: str = ""
    model: str = ""
    level: int = 0
    center_xy: tuple[float, float] = (0.0, 0.0)
    view: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    stretch: Stretch | None = None

    def to_wire(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)

    @classmethod
    def from_wire(cls, value: Mapping[str, Any]) -> PrefetchParams:
        """Inverse of `to_wire`; raises `ProtocolError`."""
        try:
            x, y = (_finite(each) for each in value["center_xy"])
            x0, y0, x1, y1 = (_finite(each) for each in value["view"])
            image, stretch = str(value["image"]), Stretch.from_wire(value.get("stretch"))
            return cls(image, str(value["model"]), int(value["level"]), (x, y), (x0, y0, x1, y1), stretch)
        except (KeyError, TypeError, ValueError) as error:
            raise ProtocolError(reason=f"bad prefetch parameters, {error!r}") from error


@dataclass(frozen=True)
class ModelInfo:
    """A model in the answer to the op `models`. state: `built-in`, `added`, or `published` where it can be downloaded."""

    name: str
    title: str
    family: str
    licence: str
    parameters: int
    state: str
    tile_seconds: float | None
    """How long a new tile takes, roughly; None on a GPU, for which nothing was measured."""

    def to_wire(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)

    @classmethod
    def from_wire(cls, value: Mapping[str, Any]) -> ModelInfo:
        """Inverse of `to_wire`; raises `ProtocolError`."""
        try:
            return cls(**value)
        except TypeError as error:
            raise ProtocolError(reason=f"bad model, {error}") from error


@dataclass(frozen=True)
class SegmentResult:
    """Answer to the op `segment`: a valid polygon or multipolygon in the raster's CRS.

    others: (polygon, score) of the model's other answers, best first. gsd_m: ground size of a pixel of the level.
    """

    wkb_hex: str
    score: float
    model: str
    level: int
    seconds: float
    others: tuple[tuple[str, float], ...] = ()
    gsd_m: float | None = None

    def to_wire(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)

    @classmethod
    def from_wire(cls, value: Mapping[str, Any]) -> SegmentResult:
        """Inverse of `to_wire`; raises `ProtocolError`."""
        try:
            others = tuple((str(wkb_hex), float(score)) for wkb_hex, score in value.get("others", ()))
            return cls(**{**value, "others": others})
        except (TypeError, ValueError) as error:
            raise ProtocolError(reason=f"bad segment result, {error}") from error
