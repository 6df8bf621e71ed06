"""Rings in longitude and latitude that cross the antimeridian or go around a pole (RFC 7946, section 3.1.9)."""

from __future__ import annotations

from collections.abc import Sequence

Ring = Sequence[tuple[float, float]]
"""Longitudes and latitudes in degrees, closed: the last is the first again."""

HALF_TURN, TURN, POLE = 180.0, 360.0, 90.0

NEAR_TURN = 1.0
"""A ring that comes back so near to a whole turn has gone around a pole."""

WORLDS = (-2, -1, 0, 1, 2)
"""Turns that unwrapped longitudes may be off the usual range."""


def jumps(ring: Ring) -> bool:
    """Whether it goes from one side of the antimeridian to the other: two neighbours lie more than half a turn apart."""
    return any(abs(end[0] - start[0]) > HALF_TURN for start, end in zip(ring, ring[1:]))


def unwrapped(ring: Ring) -> list[tuple[float, float]]:
    """The same ring with longitudes that go on beyond ±180°; around a pole it is closed over that pole."""
    found = [(ring[0][0], ring[0][1])]
    for (before, _), (longitude, latitude) in zip(ring, ring[1:]):
        step = (longitude - before + HALF_TURN) % TURN - HALF_TURN
        found.append((found[-1][0] + step, latitude))
    first, last = found[0], found[-1]
    if abs(last[0] - first[0]) < NEAR_TURN:
        return [*found[:-1], first]
    pole = POLE if sum(latitude for _, latitude in found) > 0 else -POLE
    return [*found, (last[0], pole), (first[0], pole), first]


def beside(ring: Ring, west: float, east: float) -> list[tuple[float, float]]:
    """A ring moved by whole turns to where it overlaps a range of longitudes most."""
    left, right = min(x for x, _ in ring), max(x for x, _ in ring)

    def overlap(turns: int) -> float:
        return min(right + TURN * turns, east) - max(left + TURN * turns, west)

    best = max(WORLDS, key=lambda turns: (overlap(turns), -abs(turns)))
    return [(x + TURN * best, y) for x, y in ring]
