"""Places in pixels, with their axis order in their type. Many at once are arrays, whose names end in `_xy` or `_rowcol`."""

from __future__ import annotations

from typing import NamedTuple


class XY(NamedTuple):
    """Continuous pixel coordinates or a size along both axes: x to the right, y down."""

    x: float
    y: float


class RowCol(NamedTuple):
    """A pixel of an array."""

    row: int
    col: int
