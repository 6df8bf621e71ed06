"""The built-in model, version 0: superpixels cached for each tile, regions grown from clicks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..base import Candidate, Embedding, FloatImage, Mask, PixelPrompts
from .growing import Cost, best_regions, connected_to, growth_cost, territory
from .superpixels import SuperpixelGraph, build_graph

CANDIDATES = 3

COST_SLOTS = 40
"""Clicks on a tile whose growth costs are kept."""

SATURATION = 4.0
"""Logit far inside; outside it is the negative."""

BOX_CORE = 0.2
"""Half side of the middle part of a box, as a share of the box, that is taken for the object."""


class TileFeatures:
    """The graph of a tile and the growth costs of the places clicked last."""

    def __init__(self, graph: SuperpixelGraph, valid: Mask) -> None:
        self.graph = graph
        self.valid = valid
        self._costs: dict[int, Cost] = {}

    @property
    def nbytes(self) -> int:
        """Memory held once all cost slots are in use."""
        return self.graph.nbytes + self.valid.nbytes + COST_SLOTS * 8 * (self.graph.count + 1)

    def cost(self, seed: int) -> Cost:
        """(n + 1,) growth cost from a superpixel, kept for the next click."""
        if seed not in self._costs:
            if len(self._costs) == COST_SLOTS:
                del self._costs[next(iter(self._costs))]
            self._costs[seed] = growth_cost(self.graph, seed)
        return self._costs[seed]

    def least_cost(self, seeds: list[int]) -> Cost:
        """(n + 1,) cost from the nearest of the seeds; infinite everywhere without any."""
        never = np.full(self.graph.count + 1, np.inf)
        least: Cost = np.minimum.reduce([never, *(self.cost(seed) for seed in seeds)])
        return least


class BuiltinModel:
    """Every click is obeyed: each foreground click grows a region of its own, background clicks take theirs away."""

    name = "builtin"

    def encode(self, image: npt.NDArray[np.uint8], valid: Mask) -> TileFeatures:
        """Superpixel graph of a tile."""
        return TileFeatures(build_graph(image, valid), valid)

    def decode(self, embedding: Embedding, prompts: PixelPrompts) -> tuple[Candidate, ...]:
        """Up to three nested candidates; none where no prompt lies on a valid pixel."""
        assert isinstance(embedding, TileFeatures)
        graph = embedding.graph
        clicks = {pixel: is_fg for pixel, is_fg in prompts.pixels(graph.labels.shape).items() if graph.labels[pixel]}
        foreground = _seeds(graph, clicks, True)
        background = [seed for seed in _seeds(graph, clicks, False) if seed not in foreground]
        if prompts.box_xyxy is not None:
            masks = _grow_in_box(embedding, foreground, background, prompts.box_xyxy)
        else:
            masks = _grow(embedding, foreground, background)
        return tuple(Candidate(_logits(graph.labels, members, clicks, embedding.valid), score) for members, score in masks)


def _seeds(graph: SuperpixelGraph, clicks: dict[tuple[int, int], bool], is_foreground: bool) -> list[int]:
    return list(dict.fromkeys(int(graph.labels[pixel]) for pixel, each in clicks.items() if each is is_foreground))


def _grow(features: TileFeatures, foreground: list[int], background: list[int]) -> list[tuple[Mask, float]]:
    """Members and score of each candidate: the union of the regions that each foreground seed grows by itself."""
    if not foreground:
        return []
    graph = features.graph
    barred = features.least_cost(background)
    stops = {}
    usual_px = np.inf
    for seed in foreground:
        own = territory(graph, features.cost(seed), seed, barred, background)
        stops[seed] = own, best_regions(graph, own, CANDIDATES, usual_px)
        usual_px = stops[foreground[0]][1][0].area_px
    candidates = []
    for rank in range(max(len(regions) for _, regions in stops.values())):
        members = np.zeros(graph.count + 1, np.bool_)
        scores = []
        for own, regions in stops.values():
            region = regions[min(rank, len(regions) - 1)]
            members |= own <= region.cost
            scores.append(region.score)
        members[[0, *background]] = False
        candidates.append((connected_to(graph, members, foreground), _as_iou(min(scores))))
    return candidates


def _grow_in_box(
    features: TileFeatures, foreground: list[int], background: list[int], box_xyxy: tuple[float, float, float, float]
) -> list[tuple[Mask, float]]:
    """One candidate: what the middle of the box, or the clicks, reach more easily than the box's outside does."""
    graph = features.graph
    x0, y0, x1, y1 = box_xyxy
    height, width = graph.labels.shape
    in_box = np.zeros((height, width), np.bool_)
    in_box[_slice(y0, y1, height), _slice(x0, x1, width)] = True
    inside_px = np.bincount(graph.labels[in_box], minlength=graph.count + 1)
    allowed = 2 * inside_px > graph.area_px
    core = np.zeros_like(in_box)
    half_x, half_y = BOX_CORE * (x1 - x0), BOX_CORE * (y1 - y0)
    rows = _slice((y0 + y1) / 2 - half_y, (y0 + y1) / 2 + half_y, height)
    cols = _slice((x0 + x1) / 2 - half_x, (x0 + x1) / 2 + half_x, width)
    core[rows, cols] = True
    middle = [int(label) for label in np.unique(graph.labels[core]) if label and label not in background]
    seeds = foreground or middle
    if not seeds:
        return []
    low, high = graph.edges.T
    crossing = allowed[low] != allowed[high]
    rim = np.where(allowed[low], high, low)[crossing]
    outside = [int(label) for label in np.unique(rim) if label not in seeds][:: max(1, len(rim) // 24)]
    own, other = features.least_cost(seeds), features.least_cost(outside + background)
    members = (own < other) & allowed & np.isfinite(own)
    members[[0, *background]] = False
    members = connected_to(graph, members, seeds)
    if not members[1:].any():
        return []
    filled = float(graph.area_px[members].sum() / in_box.sum())
    return [(members, 0.5 + 0.5 * min(1.0, filled))]


def _slice(low: float, high: float, length: int) -> slice:
    """At least one pixel of 0..length."""
    start = int(np.clip(np.floor(low), 0, length - 1))
    return slice(start, max(start + 1, int(np.clip(np.ceil(high), 0, length))))


def _as_iou(contrast_ratio: float) -> float:
    """Contrast ratio as a predicted IoU: rises from 0 with the ratio, 0.5 at 2."""
    return contrast_ratio / (contrast_ratio + 2.0)


def _logits(labels: npt.NDArray[np.int32], members: Mask, clicks: dict[tuple[int, int], bool], valid: Mask) -> FloatImage:
    """Logits of the union of superpixels, smoothed along its outline; clicked pixels keep their side."""
    inside = members[labels]
    _share_superpixels(inside, labels, clicks)
    logits = np.full(labels.shape, -SATURATION, np.float32)
    rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if len(rows):
        margin = 4
        near_rows = slice(max(rows[0] - margin, 0), rows[-1] + margin + 1)
        near_cols = slice(max(cols[0] - margin, 0), cols[-1] + margin + 1)
        logits[near_rows, near_cols] = SATURATION * (2 * _smoothed(inside[near_rows, near_cols]) - 1)
    for (row, col), is_foreground in clicks.items():
        if bool(logits[row, col] > 0) is not is_foreground:
            logits[max(row - 1, 0) : row + 2, max(col - 1, 0) : col + 2] = SATURATION if is_foreground else -SATURATION
    for (row, col), is_foreground in clicks.items():
        logits[row, col] = SATURATION if is_foreground else -SATURATION
    logits[~valid] = -SATURATION
    return logits


def _smoothed(inside: Mask) -> FloatImage:
    """Share of the inside around each pixel, weighted by 1 4 6 4 1 in both directions: a Gaussian of 1 px in whole numbers."""
    weighted = inside.astype(np.uint16)
    for axis in (0, 1):
        around = np.moveaxis(np.pad(weighted, [(2, 2) if each == axis else (0, 0) for each in (0, 1)], mode="edge"), axis, 0)
        middle = np.moveaxis(weighted, axis, 0)
        weighted = np.moveaxis(around[:-4] + around[4:] + 4 * (around[1:-3] + around[3:-1]) + 6 * middle, 0, axis)
    return weighted.astype(np.float32) / np.float32(256)


def _share_superpixels(inside: Mask, labels: npt.NDArray[np.int32], clicks: dict[tuple[int, int], bool]) -> None:
    """Where both kinds of click fall into one superpixel, give each of its pixels to the nearest click."""
    kinds: dict[int, list[tuple[tuple[int, int], bool]]] = {}
    for pixel, is_foreground in clicks.items():
        kinds.setdefault(int(labels[pixel]), []).append((pixel, is_foreground))
    for label, own in kinds.items():
        if len({is_foreground for _, is_foreground in own}) < 2:
            continue
        rows, cols = np.nonzero(labels == label)
        places = np.array([pixel for pixel, _ in own])
        sides = np.array([is_foreground for _, is_foreground in own])
        distance = (rows[:, None] - places[:, 0]) ** 2 + (cols[:, None] - places[:, 1]) ** 2
        inside[rows, cols] = sides[distance.argmin(axis=1)]
