"""What a gesture of the mouse says: a step of the draft, once it is placed on the imagery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qgis.core import QgsCoordinateTransform, QgsPointXY, QgsRectangle

from ..geo.transforms import transformed, transformed_box, transformed_shape
from .draft import Scribble, Step, box_of, outline_of, point_at
from .strokes import enclosed, is_loop, places_along

SCRIBBLE_PX = 40
"""Clicks along a scribble are so far apart, in pixels of the map."""


@dataclass(frozen=True)
class Gesture:
    """In map coordinates. place: where it is, for the map's scale; step: what it says, by the transform from map to imagery.

    `step` raises `CoordinatesUntransformable`.
    """

    place: QgsPointXY
    step: Callable[[QgsCoordinateTransform], Step]


def clicked(place: QgsPointXY, foreground: bool) -> Gesture:
    """A click."""
    return Gesture(place, lambda to_imagery: point_at(transformed(place, to_imagery), foreground))


def boxed(rectangle: QgsRectangle) -> Gesture:
    """A box."""
    return Gesture(rectangle.center(), lambda to_imagery: box_of(transformed_box(rectangle, to_imagery)))


def drawn(stroke: Sequence[QgsPointXY], foreground: bool, map_units_per_pixel: float) -> Gesture:
    """A line: around the object its rough outline, across it (or across what is background) clicks along it."""
    if foreground and is_loop(stroke):
        shape = enclosed(stroke)
        return Gesture(shape.centroid().asPoint(), lambda to_imagery: outline_of(transformed_shape(shape, to_imagery)))
    places = places_along(stroke, SCRIBBLE_PX * map_units_per_pixel)

    def scribble(to_imagery: QgsCoordinateTransform) -> Scribble:
        return Scribble(tuple(point_at(transformed(place, to_imagery), foreground) for place in places))

    return Gesture(places[0], scribble)
