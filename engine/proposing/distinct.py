"""One proposal for each object: of those that overlap the likeliest stays, on whichever tiles they were found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import shapely

from .proposals import Found

OVERLAP = 0.5
"""Of the smaller one: two that share more are one object, or part and whole."""


def distinct(found: Sequence[Found], likeness: npt.NDArray[np.float64]) -> list[int]:
    """Indices of those that stay, likeliest first. likeness: (n,)."""
    polygons = np.array([each.polygon_px for each in found], dtype=object)
    tree, areas = shapely.STRtree(polygons), shapely.area(polygons)
    is_left = np.ones(len(found), np.bool_)
    kept: list[int] = []
    for index in np.argsort(-likeness, kind="stable").tolist():
        if not is_left[index]:
            continue
        kept.append(index)
        near = tree.query(polygons[index])
        near = near[is_left[near]]
        shared = shapely.area(shapely.intersection(polygons[near], polygons[index]))
        is_left[near[shared > OVERLAP * np.minimum(areas[near], areas[index])]] = False
        is_left[index] = False
    return kept
