"""Polygons as YOLO's and COCO's files have them, and back. Origin at the top left of the chip, x before y, in both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio.features
import shapely
from shapely import MultiPolygon, Polygon

from ...models.base import Mask
from ..outlines.contours import burnt, polygonal

Floats = npt.NDArray[np.float64]
Size = tuple[int, int]
"""Columns and rows of a chip."""


def yolo_lines(polygon: Polygon | MultiPolygon, class_index: int, size: Size) -> list[str]:
    """A line for each part, its coordinates as shares of the chip's sides; holes are joined to the outside by a cut."""
    lines = []
    for part in shapely.get_parts(polygon):
        shares = np.clip(_with_cuts(part) / size, 0, 1)
        lines.append(f"{class_index} " + " ".join(f"{value:.6f}" for value in shares.ravel()))
    return lines


def of_yolo_line(line: str, size: Size) -> tuple[int, Polygon | MultiPolygon | None, float]:
    """Number of the class, polygon in pixels of the chip (None where it encloses nothing), confidence (1 where none is told).

    Raises `ValueError` for any other text.
    """
    class_text, *rest = line.split()
    values = np.array([float(each) for each in rest])
    confidence = 1.0
    if len(values) % 2:
        *coordinates, confidence = values.tolist()
        values = np.array(coordinates)
    if len(values) < 6 or not np.isfinite(values).all():
        raise ValueError("no polygon")
    return int(class_text), polygonal(Polygon(values.reshape(-1, 2) * size)), float(confidence)


def coco_segmentation(polygon: Polygon | MultiPolygon, size: Size) -> list[list[float]] | dict[str, Any]:
    """Rings of the parts; where there are holes, which these can't tell, run lengths."""
    parts = shapely.get_parts(polygon)
    if not any(part.interiors for part in parts):
        return [np.round(np.asarray(part.exterior.coords)[:-1], 2).ravel().tolist() for part in parts]
    columns, rows = size
    return {"size": [rows, columns], "counts": _run_lengths(burnt(polygon, (rows, columns)))}


def of_coco_segmentation(value: Any) -> Polygon | MultiPolygon | None:
    """In pixels of the chip; None where it encloses nothing. Raises `ValueError`, `KeyError`, `TypeError` for what is none."""
    if isinstance(value, dict):
        rows, columns = (int(side) for side in value["size"])
        counts = value["counts"]
        lengths = _decoded(counts) if isinstance(counts, str) else [int(each) for each in counts]
        return _outlined(_of_run_lengths(lengths, (rows, columns)))
    rings = [Polygon(np.array(ring, np.float64).reshape(-1, 2)) for ring in value if len(ring) >= 6]
    sound = [shape for ring in rings if (shape := polygonal(ring)) is not None]
    return polygonal(shapely.union_all(sound)) if sound else None


def _with_cuts(part: Polygon) -> Floats:
    """(n, 2) one ring around a polygon: each hole is reached from the nearest vertex and left again there."""
    ring = np.asarray(part.exterior.coords)[:-1]
    for hole in part.interiors:
        inner = np.asarray(hole.coords)[:-1]
        apart = ((ring[:, None] - inner[None]) ** 2).sum(axis=2)
        at, to = np.unravel_index(int(apart.argmin()), apart.shape)
        there_and_back = np.vstack((np.roll(inner, -int(to), axis=0), inner[to], ring[at]))
        ring = np.vstack((ring[: at + 1], there_and_back, ring[at + 1 :]))
    return ring


def _run_lengths(mask: Mask) -> list[int]:
    """Column by column, outside first (COCO's uncompressed form)."""
    flat = mask.ravel(order="F")
    ends = np.flatnonzero(np.diff(flat)) + 1
    edges = np.concatenate(([0], ends, [flat.size]))
    lengths = np.diff(edges).tolist()
    return [0, *lengths] if flat[0] else lengths


def _of_run_lengths(lengths: Sequence[int], shape: tuple[int, int]) -> Mask:
    """Raises `ValueError` where they don't fill the chip."""
    if sum(lengths) != shape[0] * shape[1] or min(lengths, default=0) < 0:
        raise ValueError("run lengths that do not fill the image")
    inside = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return np.asarray(inside.reshape(shape, order="F"))


def _decoded(text: str) -> list[int]:
    """COCO's compressed run lengths: five bits a character, each length but the first three told by the one two before."""
    lengths: list[int] = []
    value = shift = 0
    for character in text.encode("ascii"):
        bits = character - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        lengths.append(value + lengths[-2] if len(lengths) > 2 else value)
        value = shift = 0
    return lengths


def _outlined(mask: Mask) -> Polygon | MultiPolygon | None:
    shapes = rasterio.features.shapes(mask.astype(np.uint8), mask=mask)
    return polygonal(shapely.union_all([shapely.geometry.shape(each) for each, _ in shapes])) if mask.any() else None
