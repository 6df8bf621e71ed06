"""How imagery is seen and how outlines are drawn: the stretch to 8 bits, and the finish of polygons."""

from __future__ import annotations

from dataclasses import dataclass

from .wire import Wire


@dataclass(frozen=True)
class Stretch(Wire):
    """How a raster's values become 8 bits: one or three bands (from 1), what becomes 0 and 255 in each, and the gamma."""

    bands: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    gamma: float = 1.0

    def __post_init__(self) -> None:
        if len(self.bands) not in (1, 3) or not len(self.bands) == len(self.low) == len(self.high):
            raise ValueError("one or three bands, a low and a high value for each")
        if self.gamma <= 0:
            raise ValueError("a gamma above 0")


@dataclass(frozen=True)
class Finish(Wire):
    """What is done to an outline.

    tolerance_px, tolerance_m: simplification, in pixels of the level or metres; the larger counts. min_area_m2: of holes and
    parts. grow_m: outwards. straight_sides: as few as the shape is worth, with sharp corners; right angles have them anyway.
    """

    tolerance_px: float = 0.0
    smooth: bool = False
    right_angles: bool = False
    min_area_m2: float = 0.0
    grow_m: float = 0.0
    tolerance_m: float = 0.0
    straight_sides: bool = False


PRESETS = {
    "raw": Finish(),
    "field": Finish(tolerance_px=1.0, straight_sides=True),
    "building": Finish(tolerance_px=1.0, right_angles=True),
    "water": Finish(tolerance_px=0.5, smooth=True),
    "tree": Finish(tolerance_px=1.0, smooth=True),
}
"""Finishes by the kind of object."""
