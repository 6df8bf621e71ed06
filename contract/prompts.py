"""What the user says of an object, in map coordinates of the raster's CRS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .errors import ProtocolError
from .wire import finite


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
    polygon: str | None = None
    """A rough outline of it: hexadecimal WKB of a polygon or multipolygon."""

    @property
    def has_foreground(self) -> bool:
        """Whether anything says where the object is."""
        return self.box is not None or self.polygon is not None or any(point.foreground for point in self.points)

    @property
    def without_last_point(self) -> Prompts:
        """As they were before the newest click."""
        return replace(self, points=self.points[:-1])

    def to_wire(self) -> dict[str, Any]:
        """JSON form: `{"points": [[x, y, foreground], ...], "box": [x0, y0, x1, y1] or null, "polygon": WKB or null}`."""
        box = self.box
        return {
            "points": [[point.x, point.y, point.foreground] for point in self.points],
            "box": None if box is None else [box.x0, box.y0, box.x1, box.y1],
            "polygon": self.polygon,
        }

    @classmethod
    def from_wire(cls, value: Mapping[str, Any]) -> Prompts:
        """Inverse of `to_wire`; raises `ProtocolError` on any other form or a coordinate that is not finite."""
        try:
            points = tuple(Point(finite(x), finite(y), bool(foreground)) for x, y, foreground in value.get("points") or ())
            corners, polygon = value.get("box"), value.get("polygon")
            box = None if corners is None else Box(*_four(corners))
            if polygon is not None:
                bytes.fromhex(polygon)
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ProtocolError(reason=f"bad prompts, {error}") from error
        return cls(points, box, polygon)


def _four(corners: Any) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (finite(corner) for corner in corners)
    return x0, y0, x1, y1
