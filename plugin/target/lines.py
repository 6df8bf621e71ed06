"""Outlines as lines, for coasts, rivers and borders: without what the imagery's frame or nodata makes."""

from __future__ import annotations

from collections.abc import Callable

from qgis.core import QgsGeometry, QgsPointXY

HasData = Callable[[QgsPointXY], bool]
"""Whether the imagery shows something at a place in its CRS."""

PLACES = (0.25, 0.5, 0.75)
"""Shares of an edge's length at which both of its sides are looked at; it is left out where most lack data on either."""

SHORT = 8
"""Edges of at most so many times the reach are looked at in their middles only."""


def outline_as_lines(polygon: QgsGeometry, has_data: HasData, reach: float) -> QgsGeometry:
    """The outline (in the imagery's CRS) as lines. reach: so far from it data may end, in units of the CRS."""
    lines: list[list[QgsPointXY]] = []
    for rings in polygon.asMultiPolygon() if polygon.isMultipart() else [polygon.asPolygon()]:
        for ring in rings:
            lines += _runs(ring, [_is_real(start, end, has_data, reach) for start, end in zip(ring, ring[1:])])
    return QgsGeometry.fromMultiPolylineXY(lines)


def _is_real(start: QgsPointXY, end: QgsPointXY, has_data: HasData, reach: float) -> bool:
    length = start.distance(end)
    if length == 0:
        return True
    dx, dy = (end.x() - start.x()) / length, (end.y() - start.y()) / length
    with_data, places = 0, (0.5,) if length <= SHORT * reach else PLACES
    for share in places:
        x, y = start.x() + share * length * dx, start.y() + share * length * dy
        sides = (QgsPointXY(x - side * dy, y + side * dx) for side in (reach, -reach))
        with_data += all(has_data(side) for side in sides)
    return 2 * with_data > len(places)


def _runs(ring: list[QgsPointXY], real: list[bool]) -> list[list[QgsPointXY]]:
    """Lines of a closed ring's real edges, as long as they hang together."""
    if all(real):
        return [ring]
    first = real.index(False)
    places, kept = ring[first:-1] + ring[: first + 1], real[first:] + real[:first]
    runs: list[list[QgsPointXY]] = []
    is_open = False
    for start, end, is_real in zip(places, places[1:], kept):
        if is_real and is_open:
            runs[-1].append(end)
        elif is_real:
            runs.append([start, end])
        is_open = is_real
    return runs
