"""Prompts on a raster: from map coordinates to its pixels, and to those of a tile."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import shapely
from shapely import MultiPolygon, Polygon

from ...contract.errors import (
    BoxWithoutSize,
    PolygonUnusable,
    PromptMissing,
    PromptNotANumber,
    PromptOnNodata,
    PromptOutsideRaster,
)
from ...contract.prompts import Prompts
from ...contract.wkb import checked_wkb
from ...models.base import FloatImage, Mask, PixelPrompts
from ..outlines.contours import burnt, polygonal
from ..rasters.source import RasterSource
from ..tiles.grid import Window

BESIDE_PX = 2
"""A click on nodata moves this far at most."""


@dataclass(frozen=True)
class NativePrompts:
    """Prompts in native pixel coordinates: (n, 2) points, (n,) foreground, box as x0, y0, x1, y1, polygon."""

    points: npt.NDArray[np.float64]
    foreground: npt.NDArray[np.bool_]
    box: tuple[float, float, float, float] | None
    polygon: Polygon | MultiPolygon | None = None

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """What the prompts of the foreground span: the tile is chosen by them alone."""
        areas = [each for each in (self.box, None if self.polygon is None else self.polygon.bounds) if each is not None]
        corners = np.vstack((self.points[self.foreground], *(np.reshape(area, (2, 2)) for area in areas)))
        return (*corners.min(axis=0), *corners.max(axis=0))

    def in_window(self, window: Window, shape: tuple[int, int]) -> PixelPrompts:
        """In the pixel coordinates of a tile of (rows, columns); background off the tile is left out."""
        there = np.array([window.contains(x, y) for x, y in self.points], np.bool_)
        points = np.array([window.to_tile(x, y) for x, y in self.points[there]]).reshape(-1, 2)
        box = None if self.box is None else (*window.to_tile(*self.box[:2]), *window.to_tile(*self.box[2:]))
        return PixelPrompts(points, self.foreground[there], box, self._prior(window, shape))

    def _prior(self, window: Window, shape: tuple[int, int]) -> FloatImage | None:
        if self.polygon is None:
            return None
        drawn = shapely.transform(self.polygon, lambda xy: (xy - (window.x0, window.y0)) / window.scale_xy)
        return burnt(drawn, shape).astype(np.float32)


def place(source: RasterSource, prompts: Prompts) -> NativePrompts:
    """Prompts in native pixels: background off the raster is dropped, a box is clipped, other things off it are refused."""
    if not prompts.has_foreground:
        raise PromptMissing()
    points, foreground = [], []
    for point in prompts.points:
        [(x, y)] = _to_pixel(source, [(point.x, point.y)])
        if 0 <= x < source.width_px and 0 <= y < source.height_px:
            points.append((x, y))
            foreground.append(point.foreground)
        elif point.foreground:
            raise PromptOutsideRaster(x=point.x, y=point.y, path=source.path)
    box = None
    if prompts.box is not None:
        box = _place_box(source, (prompts.box.x0, prompts.box.y0, prompts.box.x1, prompts.box.y1))
    polygon = None if prompts.polygon is None else place_polygon(source, prompts.polygon)
    return NativePrompts(np.array(points, np.float64).reshape(-1, 2), np.array(foreground, np.bool_), box, polygon)


def _place_box(source: RasterSource, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = box
    corners = _to_pixel(source, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    if np.ptp(corners, axis=0).min() <= 0:
        raise BoxWithoutSize(x=(x0 + x1) / 2, y=(y0 + y1) / 2)
    left, top = np.clip(corners.min(axis=0), 0, (source.width_px, source.height_px))
    right, bottom = np.clip(corners.max(axis=0), 0, (source.width_px, source.height_px))
    if right <= left or bottom <= top:
        raise PromptOutsideRaster(x=(x0 + x1) / 2, y=(y0 + y1) / 2, path=source.path)
    return float(left), float(top), float(right), float(bottom)


def from_hex(wkb_hex: str) -> shapely.Geometry:
    """The shape of a polygon prompt; raises `PolygonUnusable`."""
    try:
        return shapely.from_wkb(checked_wkb(wkb_hex))
    except (ValueError, shapely.GEOSException) as error:
        raise PolygonUnusable(reason=str(error)) from error


def place_polygon(source: RasterSource, wkb_hex: str) -> Polygon | MultiPolygon:
    """A polygon in native pixels, without what lies off the raster; raises `PolygonUnusable`, `PromptOutsideRaster`."""
    drawn = from_hex(wkb_hex)
    coordinates = shapely.get_coordinates(drawn)
    if not np.isfinite(coordinates).all():
        raise PolygonUnusable(reason="a coordinate is not finite")
    drawn = polygonal(drawn)
    if drawn is None:
        raise PolygonUnusable(reason="it encloses nothing")
    frame = shapely.box(0, 0, source.width_px, source.height_px)
    there = polygonal(shapely.transform(drawn, source.to_pixel).buffer(0).intersection(frame))
    if there is None:
        x, y = drawn.centroid.coords[0]
        raise PromptOutsideRaster(x=x, y=y, path=source.path)
    return there


def _to_pixel(source: RasterSource, xy_map: list[tuple[float, float]]) -> npt.NDArray[np.float64]:
    for x, y in xy_map:
        if not np.isfinite((x, y)).all():
            raise PromptNotANumber(x=x, y=y)
    return source.to_pixel(np.array(xy_map, np.float64))


def on_data(source: RasterSource, bands: tuple[int, ...], window: Window, valid: Mask, prompts: PixelPrompts) -> PixelPrompts:
    """Without background on nodata, which says nothing; foreground there is refused.

    At a coarse level a pixel may be nodata that holds valid ones of the raster: a click on one of those moves to a valid pixel
    beside it. Servers are not asked for single pixels.
    """
    points = prompts.points_xy.copy()
    cols, rows = np.minimum(points.astype(int), np.array(valid.shape)[::-1] - 1).T
    there: npt.NDArray[np.bool_] = valid[rows, cols]
    for index in np.flatnonzero(prompts.foreground & ~there):
        beside = None
        if max(window.scale_xy) > 1 and not source.is_service and _is_data(source, bands, window, points[index]):
            beside = _valid_beside(valid, points[index])
        if beside is None:
            [(x, y)] = to_map(source, window, points[index][None])
            raise PromptOnNodata(x=float(x), y=float(y), path=source.path)
        points[index], there[index] = beside, True
    return replace(prompts, points_xy=points[there], foreground=prompts.foreground[there])


def _is_data(source: RasterSource, bands: tuple[int, ...], window: Window, xy_tile: npt.NDArray[np.float64]) -> bool:
    """Whether the raster's own pixel at a (2,) place in a tile is valid."""
    x, y = np.floor(np.array((window.x0, window.y0)) + xy_tile * window.scale_xy)
    return bool(source.read_valid(bands, Window(x, y, x + 1, y + 1, 1, 1)).all())


def _valid_beside(valid: Mask, xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    """The middle of the valid pixel nearest to a (2,) place, at most `BESIDE_PX` columns and rows off."""
    left, top = np.maximum(xy.astype(int) - BESIDE_PX, 0)
    near = valid[top : top + 2 * BESIDE_PX + 1, left : left + 2 * BESIDE_PX + 1]
    middles = np.argwhere(near)[:, ::-1] + (left + 0.5, top + 0.5)
    return middles[np.square(middles - xy).sum(axis=1).argmin()] if len(middles) else None


def to_map(source: RasterSource, window: Window, xy_tile: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(n, 2) pixel coordinates of a tile in map coordinates."""
    return source.to_map(np.array((window.x0, window.y0)) + xy_tile * window.scale_xy)


def to_tile(source: RasterSource, window: Window, xy_map: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Inverse of `to_map`."""
    return (source.to_pixel(xy_map) - (window.x0, window.y0)) / window.scale_xy
