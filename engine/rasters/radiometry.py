"""Radiometry: which bands of a raster, and which stretch to 8 bits. One for the whole raster, never one for each tile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.enums import ColorInterp, Resampling

from ...contract.errors import RasterUnsupported
from ...contract.looks import Stretch
from ..tiles.grid import Window
from .source import RasterSource

STATISTICS_PX = 1024
"""Longer side of the reduced raster that statistics are taken from."""

MOST_READ_PX = 1 << 27
LATTICE = 16
PATCH_PX = 64
"""Of a larger raster without overviews statistics are taken from patches, so many along each side: reading all takes long."""

PERCENTILES = (2.0, 98.0)
"""The stretch maps these to 0 and 255."""

MIN_SPREAD_8BIT = 96
"""8-bit imagery is shown as it is unless its percentiles lie nearer than this."""


@dataclass(frozen=True)
class Radiometry:
    """Three band numbers (from 1) with the values that become 0 and 255, and a colour table where the raster has one."""

    bands: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    palette: npt.NDArray[np.uint8] | None = None
    gamma: float = 1.0

    @property
    def key(self) -> str:
        """Identity for caches."""
        return f"{self.bands}|{self.low}|{self.high}|{self.palette is not None}|{self.gamma}"

    @classmethod
    def chosen(cls, source: RasterSource, stretch: Stretch) -> Radiometry:
        """As the user chose; raises `RasterUnsupported` where the raster has no such bands."""
        count = len(source.color_interpretation)
        if not all(1 <= band <= count for band in stretch.bands):
            raise RasterUnsupported(path=source.path, reason=f"has {count} bands, not all of {stretch.bands}")
        high = tuple(top if top != bottom else bottom + 1.0 for bottom, top in zip(stretch.low, stretch.high, strict=True))
        return cls(stretch.bands, stretch.low, high, None, stretch.gamma)

    @classmethod
    def of(cls, source: RasterSource) -> Radiometry:
        """The default for a raster, from its band meanings and the statistics of its valid pixels.

        Raises `RasterUnsupported` where no pixel is valid, `RasterUnreadable` where pixels can't be read.
        """
        bands = _choose_bands(source)
        if source.is_service and source.dtype == np.uint8:
            return cls(bands, (0.0,) * len(bands), (255.0,) * len(bands))
        values = _sample(source, bands)
        if not values.size:
            raise RasterUnsupported(path=source.path, reason="has no valid pixel: all is nodata, transparent or NaN")
        palette = source.palette()
        if palette is not None:
            return cls(bands, (0.0,), (255.0,), palette)
        low, high = np.percentile(values, PERCENTILES, axis=1)
        if source.dtype == np.uint8 and float((high - low).max()) >= MIN_SPREAD_8BIT:
            return cls(bands, (0.0,) * len(bands), (255.0,) * len(bands))
        high = np.where(high > low, high, low + np.maximum(1.0, np.spacing(low)))
        return cls(bands, tuple(low.tolist()), tuple(high.tolist()))

    def render(self, source: RasterSource, window: Window) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
        """((rows, columns, 3) uint8 image, (rows, columns) valid) of a window; invalid pixels are 0.

        Bands may follow one another in memory: networks want them so, and putting them side by side takes as long as reading.
        """
        valid = source.read_valid(self.bands, window)
        if self.palette is not None:
            index = source.read(self.bands, window, resampling=Resampling.nearest)[0]
            has_color = (index >= 0) & (index < len(self.palette))
            image = np.where(has_color[..., None], self.palette[np.where(has_color, index, 0)], 0).astype(np.uint8)
        else:
            data = source.read(self.bands, window)
            if not valid.all():
                data = np.where(valid, data, 0)  # nodata may be too large to reckon with
            image = self._stretched(data).transpose(1, 2, 0)
            if len(self.bands) == 1:
                image = np.repeat(image, 3, axis=2)
        if not valid.all():
            image = np.where(valid[..., None], image, 0).astype(np.uint8)
        return image, valid

    def _stretched(self, data: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """(bands, ...) of a raster's values → 8 bits; by table where there are few values."""
        if data.dtype not in (np.uint8, np.uint16):
            return np.stack([self._stretched_band(band, values) for band, values in enumerate(data)])
        every = np.arange(np.iinfo(data.dtype).max + 1, dtype=data.dtype)
        tables = [self._stretched_band(band, every) for band in range(len(data))]
        if data.dtype == np.uint8 and all(np.array_equal(table, every) for table in tables):
            return data
        return np.stack([table[values] for table, values in zip(tables, data, strict=True)])

    def _stretched_band(self, band: int, values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        kind = np.result_type(values.dtype, np.float32).type  # large whole numbers and doubles differ beyond float32
        low, high = kind(self.low[band]), kind(self.high[band])
        known = values.astype(kind)
        known = np.where(np.isfinite(known), known, low)  # oversampled, a NaN reaches its neighbours
        stretched = np.clip((known - low) * (255 / (high - low)), 0, 255)
        if self.gamma != 1.0:
            stretched = 255 * (stretched / 255) ** (1 / self.gamma)
        found: npt.NDArray[np.uint8] = np.rint(stretched).astype(np.uint8)
        return found


def _choose_bands(source: RasterSource) -> tuple[int, ...]:
    meaning = source.color_interpretation
    color = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if all(each in meaning for each in color):
        return tuple(meaning.index(each) + 1 for each in color)
    usable = [number for number, each in enumerate(meaning, 1) if each is not ColorInterp.alpha]
    if not usable:
        raise RasterUnsupported(path=source.path, reason="has an alpha band only")
    return tuple(usable[:3]) if len(usable) >= 3 else (usable[0],)


def _sample(source: RasterSource, bands: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """(bands, n) values of valid pixels from all over the raster."""
    if not source.has_overviews and source.width_px * source.height_px > MOST_READ_PX:
        values = np.concatenate([_valid_values(source, bands, patch) for patch in _patches(source)], axis=1)
        if values.size:
            return values
    return _valid_values(source, bands, _reduced(source))


def _valid_values(source: RasterSource, bands: tuple[int, ...], window: Window) -> npt.NDArray[np.float64]:
    valid = source.read_valid(bands, window)
    return source.read(bands, window, resampling=Resampling.nearest)[:, valid].astype(np.float64)


def _patches(source: RasterSource) -> Iterator[Window]:
    width_px, height_px = min(PATCH_PX, source.width_px), min(PATCH_PX, source.height_px)
    for top in np.linspace(0, source.height_px - height_px, LATTICE).astype(int).tolist():
        for left in np.linspace(0, source.width_px - width_px, LATTICE).astype(int).tolist():
            yield Window(float(left), float(top), float(left + width_px), float(top + height_px), width_px, height_px)


def _reduced(source: RasterSource) -> Window:
    shrink = max(1.0, max(source.width_px, source.height_px) / STATISTICS_PX)
    width_px = max(1, round(source.width_px / shrink))
    height_px = max(1, round(source.height_px / shrink))
    return Window(0.0, 0.0, float(source.width_px), float(source.height_px), width_px, height_px)
