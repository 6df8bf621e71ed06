"""Regions that grow from a click over the superpixel graph, and where they should stop.

The cost of a superpixel is the least resistance of all paths that lead to it from the click, a path's resistance being its
greatest step: the image foresting transform with f_max (Falcão, Stolfi & Lotufo, IEEE TPAMI 2004), computed on a minimum
spanning tree (Cousty et al., IEEE TPAMI 2009). Regions at rising cost are nested; the best is the one whose outline has far
more contrast than its inside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph

from ..base import Mask
from .superpixels import SuperpixelGraph

Cost = npt.NDArray[np.float64]

LIKENESS_WEIGHT = 0.65
"""How much a superpixel's difference from the clicked one counts beside the contrast of single steps."""

CONTRAST_FLOOR = 3.0
"""CIELAB units of contrast inside a region that are noise."""

ASSERTED_CONTRAST = 15.0
"""CIELAB units of contrast where a background click says that the region ends."""

SMALL_AREA_PX = 400.0
SMALL_AREA_POWER = 0.15
"""Regions under the area lose score slowly: a speck of high contrast is seldom the object."""

LARGE_SHARE = 0.3
LARGE_FACTOR = 0.3
"""Regions over this share of the tile lose score: they are what surrounds the object."""

UNUSUAL_AREA_POWER = 0.5
"""How fast a region loses score that is larger than what was meant so far."""

SIMILAR_AREA = 0.7
"""Alternatives differ in area by more than this ratio."""


@dataclass(frozen=True)
class Region:
    """One stop of the growth: superpixels up to `cost`; `score` is the contrast of the outline over that of the inside."""

    cost: float
    score: float
    area_px: float


def growth_cost(graph: SuperpixelGraph, seed: int) -> Cost:
    """(n + 1,) cost at which each superpixel joins the region that grows from `seed`; infinite where it never does."""
    nodes = graph.count + 1
    unlikeness = LIKENESS_WEIGHT * np.linalg.norm(graph.color - graph.color[seed], axis=1)
    low, high = graph.edges.T
    step = np.maximum(graph.contrast, np.maximum(unlikeness[low], unlikeness[high])).astype(np.float64)
    step += 1e-6  # an explicit zero would be no edge
    graph_csr = sparse.csr_matrix((step, (low, high)), (nodes, nodes))
    tree = csgraph.minimum_spanning_tree(graph_csr).tocoo()
    order, parent = csgraph.breadth_first_order(tree, seed, directed=False)
    cost = np.full(nodes, np.inf)
    cost[order] = 0.0
    child = np.where(parent[tree.col] == tree.row, tree.col, tree.row)
    reached = np.isfinite(cost[child])
    cost[child[reached]] = tree.data[reached]
    parent[parent < 0] = seed
    while True:  # pointer doubling: the greatest step on the way to the seed
        cost = np.maximum(cost, cost[parent])
        grandparent = parent[parent]
        if np.array_equal(grandparent, parent):
            settled: Cost = cost
            return settled
        parent = grandparent


def territory(graph: SuperpixelGraph, cost: Cost, seed: int, rival_cost: Cost, rivals: list[int]) -> Cost:
    """`cost` of growing from `seed`, infinite where a rival has the better claim: less cost or, if alike, less distance."""
    if not rivals:
        return cost
    floor = CONTRAST_FLOOR  # within noise all costs are alike
    own, other = np.maximum(cost, floor), np.maximum(rival_cost, floor)
    distance = np.linalg.norm(graph.center - graph.center[seed], axis=1)
    rival_distance = np.linalg.norm(graph.center[:, None] - graph.center[rivals], axis=2).min(axis=1)
    lost = (other < own) | ((other == own) & (rival_distance < distance))
    lost[seed] = False
    return np.where(lost, np.inf, cost)


def best_regions(graph: SuperpixelGraph, cost: Cost, limit: int, usual_px: float = np.inf) -> list[Region]:
    """Up to `limit` stops of the growth that stand out, best first.

    cost: infinite where growth is forbidden. usual_px: regions of a greater area lose score.
    """
    stops = np.unique(cost[np.isfinite(cost)])
    if not len(stops):
        return []
    low, high = graph.edges.T
    first, last = np.minimum(cost[low], cost[high]), np.maximum(cost[low], cost[high])
    contrast = np.where(np.isinf(last), np.maximum(graph.contrast, ASSERTED_CONTRAST), graph.contrast)
    pixels, contrast_sum = graph.border_px, graph.border_px * contrast
    inside, inside_contrast = _accumulate(last, stops, pixels, contrast_sum)
    touched, touched_contrast = _accumulate(first, stops, pixels, contrast_sum)
    border, border_contrast = touched - inside, touched_contrast - inside_contrast
    (area,) = _accumulate(cost, stops, graph.area_px)
    score = border_contrast / np.maximum(border, 1)
    score /= inside_contrast / np.maximum(inside, 1) + CONTRAST_FLOOR
    score *= np.minimum(1.0, area / SMALL_AREA_PX) ** SMALL_AREA_POWER
    score[area > LARGE_SHARE * graph.area_px[1:].sum()] *= LARGE_FACTOR
    score *= np.minimum(1.0, usual_px / area) ** UNUSUAL_AREA_POWER
    score[border == 0] = 0.0
    found: list[Region] = []
    while len(found) < limit:
        best = int(score.argmax())
        if score[best] <= 0:
            break
        found.append(Region(float(stops[best]), float(score[best]), float(area[best])))
        alike = np.minimum(area, area[best]) > SIMILAR_AREA * np.maximum(area, area[best])
        score = np.where(alike, 0.0, score)
    return found or [Region(float(stops[-1]), 0.0, float(area[-1]))]


def connected_to(graph: SuperpixelGraph, members: Mask, seeds: list[int]) -> Mask:
    """Of the superpixels in `members` (n + 1,) those connected to a seed within it; the seeds always."""
    members = members.copy()
    members[seeds] = True
    low, high = graph.edges.T
    inside = members[low] & members[high]
    nodes = graph.count + 1
    links = sparse.coo_matrix((np.ones(int(inside.sum()), np.int8), (low[inside], high[inside])), (nodes, nodes))
    _, component = csgraph.connected_components(links, directed=False)
    connected: Mask = members & np.isin(component, component[seeds])
    return connected


def _accumulate(key: Cost, stops: Cost, *values: npt.NDArray[np.floating]) -> list[Cost]:
    """Of each array of values, at each stop, the sum of those whose key is not above the stop."""
    order = np.argsort(key)
    ends = np.searchsorted(key[order], stops, side="right")
    return [np.concatenate(([0.0], np.cumsum(value[order], dtype=np.float64)))[ends] for value in values]
