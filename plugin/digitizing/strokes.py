"""Lines that are drawn with the mouse: around something, across it, or through it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qgis.core import QgsGeometry, QgsPointXY

LOOP_GAP = 0.25
"""The ends of a line around something are nearer to each other than this share of its length."""

LOOP_COMPACTNESS = 0.12
"""Such a line encloses at least this share of what a circle of its length does; scribbling to and fro does not."""

MOST_CLICKS = 6
FEWEST_CLICKS = 2


def is_loop(stroke: Sequence[QgsPointXY]) -> bool:
    """Whether a line goes around something."""
    length = QgsGeometry.fromPolylineXY(list(stroke)).length()
    if len(stroke) < 4 or stroke[0].distance(stroke[-1]) > LOOP_GAP * length:
        return False
    return enclosed(stroke).area() >= LOOP_COMPACTNESS * length**2 / (4 * math.pi) > 0


def enclosed(stroke: Sequence[QgsPointXY]) -> QgsGeometry:
    """What a line goes around: a valid polygon."""
    polygon = QgsGeometry.fromPolygonXY([[*stroke, stroke[0]]])
    return polygon if polygon.isGeosValid() else polygon.makeValid().buffer(0, 1)


def places_along(stroke: Sequence[QgsPointXY], spacing: float) -> list[QgsPointXY]:
    """A few places on a line, about `spacing` apart, its ends left out."""
    line = QgsGeometry.fromPolylineXY(list(stroke))
    count = min(max(round(line.length() / spacing), FEWEST_CLICKS), MOST_CLICKS)
    return [line.interpolate((index + 0.5) / count * line.length()).asPoint() for index in range(count)]


def split(pieces: Sequence[QgsGeometry], stroke: Sequence[QgsPointXY]) -> list[QgsGeometry]:
    """Pieces cut in two along a line where it crosses them."""
    result: list[QgsGeometry] = []
    for piece in pieces:
        first = QgsGeometry(piece)
        # The method gives the rest of the parts and shortens its own geometry to the first.
        _, others, _ = first.splitGeometry(list(stroke), False)
        result += [first, *others]
    return result
