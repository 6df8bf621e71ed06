"""Which chips of a raster a data set is made of, what lies on each, and which are kept for validation."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon

from ...contract.errors import DatasetTooSmall
from ..outlines.contours import polygonal
from ..rasters.source import RasterSource
from ..tiles.grid import Window

LEAST_SHARE = 0.1
"""An object of which less lies on a chip is no example there."""

BLOCK_CHIPS = 4
"""Validation takes whole blocks of so many chips a side: neighbouring chips look alike."""


@dataclass(frozen=True)
class Labelled:
    """A polygon (native pixels, or those of a chip), and the number of its class. id: of the object, the same on all chips."""

    id: int
    class_index: int
    polygon: Polygon | MultiPolygon


@dataclass(frozen=True)
class Chip:
    """A part of the raster. objects: in its pixels, origin at the top left, clipped to it."""

    row: int
    col: int
    window: Window
    objects: tuple[Labelled, ...]
    is_validation: bool = False

    @property
    def key(self) -> float:
        """0 to 1, the same whenever the data set is made anew, and in no order of place."""
        return _key(self.row, self.col)


@dataclass(frozen=True)
class Lattice:
    """The chips of an area. side_px: of a chip in native pixels; rows, cols: ranges of numbers that the area touches."""

    side_px: float
    chip_px: int
    rows: range
    cols: range

    @staticmethod
    def over(source: RasterSource, bounds_px: tuple[float, float, float, float], chip_px: int, level: int) -> Lattice:
        """bounds_px: left, top, right, bottom in native pixels; what lies off the raster is left out."""
        side = chip_px * 2.0**level
        left, top, right, bottom = bounds_px
        left, top = max(left, 0.0), max(top, 0.0)
        right, bottom = min(right, source.width_px), min(bottom, source.height_px)
        rows = range(int(top // side), max(math.ceil(bottom / side), int(top // side)))
        return Lattice(side, chip_px, rows, range(int(left // side), max(math.ceil(right / side), int(left // side))))

    def window(self, source: RasterSource, row: int, col: int) -> Window:
        """Of a chip; those at the raster's end are smaller."""
        x0, y0 = col * self.side_px, row * self.side_px
        x1, y1 = min(x0 + self.side_px, source.width_px), min(y0 + self.side_px, source.height_px)
        scale = self.chip_px / self.side_px
        return Window(x0, y0, x1, y1, max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))


def chips_of(source: RasterSource, lattice: Lattice, objects: Sequence[Labelled]) -> list[Chip]:
    """All chips of a lattice with what lies on them; objects: in native pixels."""
    shapes = np.array([each.polygon for each in objects], dtype=object)
    tree = shapely.STRtree(shapes)
    found = []
    for row in lattice.rows:
        for col in lattice.cols:
            window = lattice.window(source, row, col)
            near = sorted(tree.query(shapely.box(window.x0, window.y0, window.x1, window.y1), "intersects").tolist())
            on_it = (_on_chip(objects[index], window) for index in near)
            found.append(Chip(row, col, window, tuple(each for each in on_it if each is not None)))
    return found


def chosen(chips: Sequence[Chip], validation_share: float, background_share: float) -> list[Chip]:
    """The chips of the data set, row by row; raises `DatasetTooSmall` where there is nothing to validate on.

    No object is in both parts: chips for training that share one with validation are left out.
    """
    full = [chip for chip in chips if chip.objects]
    validation = _validation_blocks(full, validation_share)
    side = _block_side(full)
    kept = [_in_part(chip, (chip.row // side, chip.col // side) in validation) for chip in full]
    seen = {each.id for chip in kept if chip.is_validation for each in chip.objects}
    kept = [chip for chip in kept if chip.is_validation or not seen & {each.id for each in chip.objects}]
    parts = {chip.is_validation for chip in kept}
    if not kept or (validation_share and parts != {False, True}):
        raise DatasetTooSmall(count=len(full))
    empty = sorted((chip for chip in chips if not chip.objects), key=lambda chip: chip.key)
    backgrounds = [
        _in_part(chip, (chip.row // side, chip.col // side) in validation)
        for chip in empty[: round(background_share * len(kept))]
    ]
    return sorted((*kept, *backgrounds), key=lambda chip: (chip.row, chip.col))


def _on_chip(each: Labelled, window: Window) -> Labelled | None:
    there = shapely.clip_by_rect(each.polygon, window.x0, window.y0, window.x1, window.y1)
    if there.area < LEAST_SHARE * each.polygon.area:
        return None
    own = polygonal(shapely.transform(there, lambda xy: (xy - (window.x0, window.y0)) / window.scale_xy))
    return None if own is None else Labelled(each.id, each.class_index, own)


def _in_part(chip: Chip, is_validation: bool) -> Chip:
    return Chip(chip.row, chip.col, chip.window, chip.objects, is_validation)


def _block_side(full: Sequence[Chip]) -> int:
    """Chips a side, fewer where the area is small."""
    if not full:
        return 1
    rows, cols = ({chip.row for chip in full}, {chip.col for chip in full})
    longer = max(max(rows) - min(rows), max(cols) - min(cols)) + 1
    return max(1, min(BLOCK_CHIPS, longer // 3))


def _validation_blocks(full: Sequence[Chip], share: float) -> set[tuple[int, int]]:
    """Blocks that hold about a share of the objects."""
    side = _block_side(full)
    counts: dict[tuple[int, int], int] = {}
    for chip in full:
        block = (chip.row // side, chip.col // side)
        counts[block] = counts.get(block, 0) + len(chip.objects)
    wanted, taken, blocks = share * sum(counts.values()), 0, set()
    for block in sorted(counts, key=lambda block: _key(*block)):
        if taken >= wanted:
            break
        blocks.add(block)
        taken += counts[block]
    return blocks


def _key(row: int, col: int) -> float:
    return int.from_bytes(hashlib.sha256(f"{row},{col}".encode()).digest()[:6], "big") / 2.0**48
