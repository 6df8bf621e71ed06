"""What the ops take and answer: the `params` of a `Request` and the `value` of a `Result`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .errors import ProtocolError
from .looks import PRESETS, Finish, Stretch
from .prompts import Prompts, finite


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

    finish: Finish = PRESETS["raw"]

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
            x, y = (finite(each) for each in value["center_xy"])
            x0, y0, x1, y1 = (finite(each) for each in value["view"])
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
