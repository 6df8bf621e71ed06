"""How imagery is seen and how outlines are drawn: the stretch to 8 bits, and the finish of polygons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .errors import ProtocolError
from .prompts import finite


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
            low, high = (tuple(finite(each) for each in value[name]) for name in ("low", "high"))
            found = cls(bands, low, high, finite(value.get("gamma", 1.0)))
            if len(bands) not in (1, 3) or not len(bands) == len(low) == len(high) or found.gamma <= 0:
                raise ValueError("one or three bands, a low and a high value for each")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ProtocolError(reason=f"bad stretch, {error!r}") from error
        return found


@dataclass(frozen=True)
class Finish:
    """What is done to an outline.

    tolerance_px, tolerance_m: simplification, in pixels of the level or metres; the larger counts. min_area_m2: of holes and
    parts. grow_m: outwards.
    """

    tolerance_px: float = 0.0
    smooth: bool = False
    right_angles: bool = False
    min_area_m2: float = 0.0
    grow_m: float = 0.0
    tolerance_m: float = 0.0

    @classmethod
    def from_wire(cls, value: Any) -> Finish:
        """Of its JSON form, raw of none; raises `ProtocolError`."""
        try:
            given = dict(value or {})
            return cls(
                finite(given.get("tolerance_px", 0.0)),
                bool(given.get("smooth", False)),
                bool(given.get("right_angles", False)),
                finite(given.get("min_area_m2", 0.0)),
                finite(given.get("grow_m", 0.0)),
                finite(given.get("tolerance_m", 0.0)),
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
