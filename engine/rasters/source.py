"""One abstraction for all rasters: whatever GDAL opens, read by window and scale, with its valid pixels.

The only module that imports rasterio's readers. Pixel coordinates are continuous, x right and y down, (0, 0) at the outer
corner of the first pixel; map coordinates are in the raster's CRS, as QGIS shows it.
"""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any
from xml.etree import ElementTree  # nosec B405 # expat limits expansion and fetches nothing

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.errors import NodataShadowWarning, NotGeoreferencedWarning, RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from ...contract.errors import (
    RasterError,
    RasterFormatUnknown,
    RasterNotFound,
    RasterPlacedBySensor,
    RasterServerFailed,
    RasterUnreadable,
    RasterUnsupported,
)
from ...contract.secrets import without_secrets
from ..tiles.grid import TILE_PX, TileGrid, Window
from .behind import files_behind, unfit_behind
from .mosaics import without_missing
from .quiet import collected

ANY_CRS = "EPSG:3857"
"""Stands for an unknown CRS while pixels are warped into it from itself."""

GDAL_CACHE_BYTES = 256 << 20
"""Decoded blocks that GDAL keeps; its own default is a share of the machine's memory."""

SERVERS = ("http://", "https://", "/vsicurl", "/vsis3", "/vsigs", "/vsiaz", "WMTS:")

CURL = "/vsicurl/"

MOST_VALUE = 3.4e38
"""What programs write as no data where they declare none: the largest numbers of 32 bits, of either sign."""

MOST_BLOCK_BYTES = 1 << 30
"""Decoded whole to read any pixel of it."""

MIXED_VALUE = 1e30
"""Larger ones come from no data that was averaged with values."""

ONE_FILE_DRIVERS = ("GTiff", "COG", "JP2OpenJPEG", "PNG", "JPEG", "WEBP")
"""Whose rasters are in the file that is opened, not in others that it names."""


HTTP = {
    "GDAL_HTTP_MAX_RETRY": "2",
    "GDAL_HTTP_RETRY_DELAY": "0.5",
    "GDAL_HTTP_CONNECTTIMEOUT": "10",
    "GDAL_HTTP_TIMEOUT": "30",
    "GDAL_HTTP_LOW_SPEED_TIME": "10",
    "GDAL_HTTP_LOW_SPEED_LIMIT": "100",
}
"""For rasters on servers: a few tries, then an error."""

logging.getLogger("rasterio").setLevel(logging.ERROR)


class RasterSource:
    """An open raster. Use as a context manager, or `close` it.

    Rasters placed by ground control points only are read through a warp, as QGIS shows them. Rasters without any
    georeference get QGIS's coordinates for them: x right, y up, the top left corner at (0, 0).
    """

    def __init__(self, path: str | os.PathLike[str], tile_px: int = TILE_PX) -> None:
        """Open `path`; raises `RasterNotFound`, `RasterUnreadable` or `RasterUnsupported`."""
        self.path = _shown(str(path))
        """For people: of a service's description its address, without passwords and keys."""
        self._address = str(path)
        self._base, has_georeference, self.missing = _open(str(path))
        """Sources of a mosaic that are not there: what they would show is no data."""
        try:
            with _gdal(self.path):
                self._dataset: Any = _placed(self._base)
            self._check()
        except BaseException:
            self._base.close()
            raise
        is_warped = self._dataset is not self._base
        self.transform: Affine = self._dataset.transform if has_georeference or is_warped else Affine.scale(1.0, -1.0)
        has_crs = bool(self._base.gcps[1] if is_warped else self._dataset.crs)
        self.crs_wkt: str | None = self._dataset.crs.to_wkt() if has_crs else None
        self.width_px: int = self._dataset.width
        self.height_px: int = self._dataset.height
        self._lock = threading.RLock()
        """GDAL's datasets are for one thread at a time."""
        self.has_failed = False
        """Whether anything could not be read: GDAL may keep failing until it is opened again."""
        self.grid = TileGrid(self.width_px, self.height_px, tile_px)

    def __enter__(self) -> RasterSource:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go; where it is still being read in another thread, once that is done."""
        if self._lock.acquire(blocking=False):
            try:
                self._close()
            finally:
                self._lock.release()
        else:
            threading.Thread(target=self._close_when_read, name="closing", daemon=True).start()

    def _close_when_read(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        self._dataset.close()
        self._base.close()

    @property
    def dtype(self) -> np.dtype[Any]:
        """Common type of the bands' values."""
        return np.result_type(*(np.dtype(name) for name in self._dataset.dtypes))

    @property
    def is_service(self) -> bool:
        """Whether tiles or maps of a server are shown, as for people's eyes."""
        return self._base.driver in ("WMS", "WMTS")

    @property
    def has_overviews(self) -> bool:
        """Whether reduced reads cost less than reading all."""
        with _gdal(self.path):
            return bool(self._base.overviews(1))

    @property
    def files(self) -> tuple[str, ...]:
        """The local files that it is of, with overviews, side files and sources of sources; none where any is not local."""
        with _gdal(self.path):
            names = tuple(self._base.files)
        if not all(Path(name).is_file() for name in names):
            return ()
        return tuple(dict.fromkeys((*names, *files_behind(names))))

    @property
    def url(self) -> str | None:
        """The address of the one file on a web server that it is; None for others, and for those that are made of several."""
        is_remote = self._address.startswith((f"{CURL}http://", f"{CURL}https://"))
        return self._address.removeprefix(CURL) if is_remote and self._base.driver in ONE_FILE_DRIVERS else None

    @property
    def color_interpretation(self) -> tuple[ColorInterp, ...]:
        """What each band is."""
        return tuple(self._dataset.colorinterp)

    def palette(self) -> npt.NDArray[np.uint8] | None:
        """(values, 3) colours of the first band's values from 0 on, where it has a colour table; other values have none."""
        if self.color_interpretation[0] is not ColorInterp.palette or not np.issubdtype(self.dtype, np.integer):
            return None
        colors = self._dataset.colormap(1)
        table = np.zeros((max(colors, default=0) + 1, 3), np.uint8)
        for value, color in colors.items():
            table[value] = color[:3]
        return table

    def to_map(self, xy_px: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(n, 2) pixel coordinates → (n, 2) map coordinates."""
        return _affine(self.transform, xy_px)

    def to_pixel(self, xy_map: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(n, 2) map coordinates → (n, 2) pixel coordinates."""
        return _affine(~self.transform, xy_map)

    def read(self, bands: tuple[int, ...], window: Window, *, resampling: Resampling | None = None) -> npt.NDArray[Any]:
        """(bands, rows, columns) of a window at the window's own size, in the raster's dtype; raises `RasterUnreadable`.

        Reads shrink by averaging and grow bilinearly unless told otherwise; overviews are used where there are any.
        """
        if resampling is None:
            resampling = Resampling.bilinear if window.width_px > window.x1 - window.x0 else Resampling.average
        with self._reading():
            data = self._values(bands, window, resampling)
        is_declared = self._dataset.nodata is not None and np.isnan(self._dataset.nodata)
        is_mixed = resampling is not Resampling.nearest and np.issubdtype(data.dtype, np.floating) and not is_declared
        if is_mixed:  # one NaN, or one largest number, that is not declared spoils all that it is averaged with
            spoilt = ~(np.abs(data) < MIXED_VALUE)
            if spoilt.any():
                data = np.where(spoilt, self.read(bands, window, resampling=Resampling.nearest), data)
        return np.asarray(data)

    def _values(self, bands: tuple[int, ...], window: Window, resampling: Resampling) -> npt.NDArray[Any]:
        """(bands, rows, columns); bands of several types, as a VRT may have, one by one in their common type."""
        given = {"window": _rasterio_window(window), "resampling": resampling}
        kinds = {np.dtype(self._dataset.dtypes[band - 1]) for band in bands}
        if len(kinds) == 1:
            return np.asarray(self._dataset.read(list(bands), out_shape=(len(bands), *window.shape), **given))
        each = [self._dataset.read(band, out_shape=window.shape, **given) for band in bands]
        return np.stack(each).astype(np.result_type(*kinds), copy=False)

    def read_valid(self, bands: tuple[int, ...], window: Window) -> npt.NDArray[np.bool_]:
        """(rows, columns), true where the raster has data: no nodata, transparent, masked, NaN, infinite or largest pixel."""
        shape = (len(bands), *window.shape)
        if self._is_valid_everywhere(bands):
            return np.ones(window.shape, np.bool_)
        with self._reading(), collected(NodataShadowWarning):  # alpha counts as well, see below
            masks = self._dataset.read_masks(
                list(bands), window=_rasterio_window(window), out_shape=shape, resampling=Resampling.nearest
            )
        # A dark lake may hold the nodata value in one band: only where every band does, nothing is there.
        valid: npt.NDArray[np.bool_] = (masks > 0).any(axis=0)
        if self._dataset.nodata is not None and ColorInterp.alpha in self.color_interpretation:
            alpha = self.color_interpretation.index(ColorInterp.alpha) + 1
            valid &= self.read((alpha,), window, resampling=Resampling.nearest)[0] > 0
        if np.issubdtype(self.dtype, np.floating):
            values = self.read(bands, window, resampling=Resampling.nearest)
            valid &= (np.isfinite(values) & (np.abs(values) < MOST_VALUE)).all(axis=0)
        return valid

    def _is_valid_everywhere(self, bands: tuple[int, ...]) -> bool:
        """Whether there is nothing that could make a pixel invalid."""
        flags = self._dataset.mask_flag_enums
        return not np.issubdtype(self.dtype, np.floating) and all(flags[band - 1] == [MaskFlags.all_valid] for band in bands)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            with self._lock, _gdal(self.path):
                yield
        except RasterError:
            self.has_failed = True
            raise

    def _check(self) -> None:
        dataset = self._dataset
        if not dataset.count:
            inside = ", ".join(dataset.subdatasets[:4])
            raise RasterUnsupported(
                path=self.path, reason=f"has no bands of its own; open one of its parts: {inside or 'none'}"
            )
        if any(name.startswith("complex") for name in dataset.dtypes):
            raise RasterUnsupported(path=self.path, reason="holds complex numbers; compute amplitude or intensity first")
        block_bytes = max(rows * cols for rows, cols in dataset.block_shapes) * self.dtype.itemsize
        if block_bytes > MOST_BLOCK_BYTES:
            raise RasterUnsupported(
                path=self.path,
                reason=f"is stored in blocks of {block_bytes / 1e9:.1f} GB, and each read takes a whole one; "
                "rewrite it in tiles with gdal_translate -co TILED=YES",
            )
        transform = dataset.transform
        if not all(map(math.isfinite, transform[:6])) or transform.is_degenerate:
            raise RasterUnsupported(
                path=self.path, reason="its georeference is degenerate; assign one, e.g. with gdal_translate -a_ullr"
            )


def _shown(path: str) -> str:
    """A raster's name in messages: of a service's description its address."""
    if path.lstrip().startswith("<"):
        with suppress(ElementTree.ParseError):
            path = ElementTree.fromstring(path).findtext(".//ServerUrl") or path  # nosec B314 # see above
    return without_secrets(path)


def _open(path: str) -> tuple[Any, bool, tuple[str, ...]]:
    """The dataset, whether anything says where it lies, and which sources of it are missing."""
    if any("\ud800" <= each <= "\udfff" for each in path):
        raise RasterUnsupported(path=path, reason="has a name that is not UTF-8; rename it")
    is_local = "://" not in path and not path.startswith("/vsi") and ":" not in path[2:] and not path.lstrip().startswith("<")
    if is_local and not Path(path).exists():
        raise RasterNotFound(path=path)
    rest = without_missing(path)
    if rest is None and (unfit := unfit_behind([path])) is not None:
        name, reason = unfit
        raise RasterUnsupported(path=path, reason=reason if name == path else f"its source {name} {reason}")
    try:
        with _gdal(_shown(path)), collected(NotGeoreferencedWarning) as told:
            dataset = rasterio.open(path if rest is None else rest[0])
    except RasterUnreadable as error:
        raise RasterFormatUnknown(**error.params) from error.__cause__
    # An identity transform that the file states is no less a georeference; only rasterio's warning tells the two apart.
    return dataset, not told, () if rest is None else rest[1]


@contextmanager
def _gdal(path: str) -> Iterator[None]:
    """GDAL's errors as `RasterUnreadable`, its warnings to the log instead of to standard error."""
    try:
        with rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE_BYTES, **HTTP):
            yield
    except (RasterioError, CPLE_BaseError, UnicodeError) as error:
        kind = RasterServerFailed if path.startswith(SERVERS) else RasterUnreadable
        raise kind(path=path, reason=_reason(error)) from error


def _placed(dataset: Any) -> Any:
    """Warped where ground control points alone say where it lies, as QGIS shows it; they need not say in which CRS."""
    gcps, gcp_crs = dataset.gcps
    if not dataset.transform.is_identity:
        return dataset
    if not gcps:
        _refuse_sensor_models(dataset)
        return dataset
    crs = gcp_crs or ANY_CRS
    return WarpedVRT(dataset, src_crs=crs, crs=crs, resampling=Resampling.bilinear, add_alpha=dataset.nodata is None)


def _refuse_sensor_models(dataset: Any) -> None:
    for domain, means, option in (
        ("RPC", "rational polynomials (RPC)", "-rpc"),
        ("GEOLOCATION", "arrays of coordinates", "-geoloc"),
    ):
        if dataset.tags(ns=domain):
            raise RasterPlacedBySensor(path=_shown(dataset.name), means=means, option=option)


def _rasterio_window(window: Window) -> RasterioWindow:
    return RasterioWindow(window.x0, window.y0, window.x1 - window.x0, window.y1 - window.y0)


def _affine(transform: Affine, xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    a, b, c, d, e, f = transform[:6]
    x, y = xy[:, 0], xy[:, 1]
    return np.column_stack((a * x + b * y + c, d * x + e * y + f))


def _reason(error: Exception) -> str:
    text = str(error.__cause__ or error).strip().rstrip(".")
    return text or type(error).__name__
