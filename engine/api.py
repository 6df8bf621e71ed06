"""The Python interface.

import rasterlasso.engine.api as rl

with rl.open("image.tif") as scene:
    found = scene.segment(points=[(x, y, True), (x2, y2, False)])
    found.polygon, found.score
    scene.learn(found)  # if it came out right, and others like it follow
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon

from ..contract.errors import CrsMissing, CrsUnknown, NothingFound, NothingKept, PromptError, RasterError, RasterLassoError
from ..contract.looks import PRESETS, Finish
from ..contract.model_errors import ModelFailed, ModelUnknown
from ..contract.prompts import Box, Point, Prompts
from ..models.registry import DEFAULT_MODEL
from .encoding.clock import Checkpoint
from .rasters.ground import gsd_m
from .segmenting.answer import Segmentation
from .segmenting.reproject import reprojected
from .segmenting.session import Segmenter
from .tiles.disk_store import TileStore, default_folder, default_limit_bytes

__all__ = [
    "CrsMissing",
    "CrsUnknown",
    "ModelFailed",
    "ModelUnknown",
    "NothingFound",
    "NothingKept",
    "PromptError",
    "RasterError",
    "RasterLassoError",
    "Scene",
    "Segmentation",
    "open",
    "segmenter",
]


class Scene:
    """A raster that is being segmented with one model."""

    def __init__(self, path: str, segmenter: Segmenter, model: str, level: int | None) -> None:
        self._path = path
        self._segmenter = segmenter
        self._model = model
        self._level = level
        self._learned = False
        segmenter.model(model)
        self._source = segmenter.scene(path).source

    def __enter__(self) -> Scene:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def at(self, model: str, level: int | None) -> Scene:
        """The same raster, asked of another model or at another level. It shares all that is kept, and ends with this one.

        Raises `ModelUnknown`.
        """
        return Scene(self._path, self._segmenter, model, level)

    def close(self) -> None:
        """Let the file go."""
        self._segmenter.close()

    @property
    def crs_wkt(self) -> str | None:
        """CRS of the raster and of the polygons."""
        return self._source.crs_wkt

    @property
    def gsd_m(self) -> float | None:
        """Ground size of a native pixel in the raster's middle; None without a CRS."""
        middle = np.array((self._source.width_px, self._source.height_px)) / 2
        return gsd_m(self._source, middle)

    def segment(
        self,
        points: Iterable[tuple[float, float, bool]] = (),
        box: tuple[float, float, float, float] | None = None,
        polygon: Polygon | MultiPolygon | None = None,
        crs: str | None = None,
        finish: str = "raw",
        checkpoint: Checkpoint = lambda stage, fraction: None,
    ) -> Segmentation:
        """The object meant by points (x, y, is_foreground), a box (x0, y0, x1, y1) and a rough outline.

        finish: a name in `contract.looks.PRESETS`. Coordinates are x (east, longitude) first, in `crs` ("EPSG:4326"), by
        default in the raster's CRS. Raises the errors of `Segmenter.segment`, `CrsUnknown` and `CrsMissing`.
        """
        drawn = None if polygon is None else shapely.to_wkb(polygon, hex=True)
        prompts = Prompts(tuple(Point(*point) for point in points), None if box is None else Box(*box), drawn)
        return self.ask(prompts, crs, PRESETS[finish], checkpoint)

    def ask(
        self,
        prompts: Prompts,
        crs: str | None = None,
        finish: Finish = PRESETS["raw"],
        checkpoint: Checkpoint = lambda stage, fraction: None,
    ) -> Segmentation:
        """As `segment`."""
        if crs is not None:
            prompts = reprojected(prompts, crs, self._source.crs_wkt, self._path)
        return self._segmenter.segment(
            self._path,
            prompts,
            model=self._model,
            level=self._level,
            learned=self._learned,
            finish=finish,
            checkpoint=checkpoint,
        )

    def encode(
        self, levels: Iterable[int] | None = None, area: tuple[float, float, float, float] | None = None
    ) -> Iterator[tuple[int, int]]:
        """Encode tiles ahead and keep them on disk: (done, all) after each. See `Segmenter.encode`."""
        return self._segmenter.encode(self._path, model=self._model, levels=levels, area=area)

    def learn(self, accepted: Segmentation) -> bool:
        """Let the model learn from an object that came out right, for the next ones; returns whether it can learn."""
        self._learned = self._segmenter.learn(self._path, accepted.polygon, model=self._model, level=accepted.level)
        return self._learned


def open(path: str | os.PathLike[str], model: str = DEFAULT_MODEL, level: int | None = None) -> Scene:
    """Open a raster; raises `RasterError`s and `ModelUnknown`.

    level: 0 is native resolution, each next one half of it, negative ones oversampled; None starts at 0 and goes coarser
    where the object does not fit a tile.
    """
    return Scene(str(path), _segmenter(), model, level)


@contextmanager
def segmenter() -> Iterator[Segmenter]:
    """What lives from request to request, with tiles kept on disk as the user's settings say; closed at the end."""
    made = _segmenter()
    try:
        yield made
    finally:
        made.close()


def _segmenter() -> Segmenter:
    store = TileStore(default_folder(), default_limit_bytes(), lambda error: warnings.warn(str(error), stacklevel=3))
    return Segmenter(store=store)
