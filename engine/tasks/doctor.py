"""Looks whether the engine can work on this machine."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version

PACKAGES = (
    "numpy",
    "torch",
    "safetensors",
    "transformers",
    "rasterio",
    "shapely",
    "pyproj",
    "geopandas",
    "pyogrio",
    "pyarrow",
    "zarr",
    "contourpy",
)


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    name: str
    ok: bool
    detail: str


def examine() -> Iterator[Finding]:
    """Findings, one by one as they are made."""
    yield Finding("Python", sys.version_info >= (3, 11), f"{platform.python_version()} at {sys.executable}")
    yield Finding("machine", True, f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores")
    for name in PACKAGES:
        yield _package(name)
    yield _attempt("GDAL and PROJ", _check_projection)
    yield _attempt("networks", _hardware)
    yield _attempt("built-in model", _check_model)


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, package_version(name))
    except PackageNotFoundError:
        return Finding(name, False, "not installed; install the engine again")


def _attempt(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except Exception as error:  # noqa: BLE001 - whatever breaks is what the doctor is asked to report
        return Finding(name, False, f"{type(error).__name__}: {error}")


def _hardware() -> str:
    from ...models.devices import best_hardware

    return best_hardware().explanation


def _check_projection() -> str:
    import pyproj
    import rasterio

    x, y = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True).transform(10.0, 50.0)
    if not (abs(x - 1113194.908) < 0.01 and abs(y - 6446275.841) < 0.01):
        raise RuntimeError(f"PROJ gives ({x}, {y}); is another PROJ_DATA or PROJ_LIB in the environment?")
    return f"GDAL {rasterio.__gdal_version__}, PROJ {pyproj.proj_version_str}"


def _check_model() -> str:
    import time

    import numpy as np

    from ...models.base import PixelPrompts
    from ...models.builtin.model import BuiltinModel

    image = np.full((256, 256, 3), 60, np.uint8)
    image[64:192, 64:192] = 180
    start = time.perf_counter()
    model = BuiltinModel()
    embedding = model.encode(image, np.ones((256, 256), np.bool_))
    best = model.decode(embedding, PixelPrompts(np.array([[128.0, 128.0]]), np.array([True])))[0]
    share = float((best.logits > 0).sum()) / 128**2
    if not 0.9 < share < 1.1:
        raise RuntimeError(f"a square of 128 px came out {share:.0%} of its size")
    return f"answers, {(time.perf_counter() - start) * 1e3:.0f} ms for a tile of 256 px"
