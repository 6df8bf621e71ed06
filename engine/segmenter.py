"""The use case: prompts on a raster become a polygon.

Prompts → native pixels → tile of the grid → embedding (cached) → logits → polygon in the raster's CRS. Where the object
does not fit the tile, the next coarser level is tried.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely
from shapely import MultiPolygon, Polygon

from ..models import registry
from ..models.base import Adaptable, FloatImage, LearningModel, Model, PixelPrompts
from .cache import EncodedTile, TileCache, TileKey
from .errors import ModelFailed, NothingFound, PromptMissing, PromptNotANumber, PromptOnNodata, PromptOutsideRaster
from .protocol import Prompts
from .radiometry import Radiometry
from .raster import RasterSource, fingerprint
from .tiling import Window
from .vectorize import burnt, outline, polygonal

OPEN_RASTERS = 8
"""Rasters kept open; the least recently used is closed."""

Checkpoint = Callable[[str, float], None]
"""Told the stage (`read`, `encode`, `decode`, `vectorize`) and the fraction done; may raise to stop the work."""


@dataclass(frozen=True)
class Scene:
    """An open raster with its radiometry."""

    source: RasterSource
    radiometry: Radiometry
    fingerprint: str


@dataclass(frozen=True)
class PolygonCandidate:
    """One of a model's answers, in the raster's CRS; `score` is the predicted IoU."""

    polygon: Polygon | MultiPolygon
    score: float


@dataclass(frozen=True)
class Segmentation:
    """The answer to prompts.

    polygon: valid, in the raster's CRS (`crs_wkt`, None where it has none). score: predicted IoU. candidates: all answers,
    best first. level: the level that was segmented. seconds: duration of the whole; stages: of its parts.
    """

    polygon: Polygon | MultiPolygon
    score: float
    candidates: tuple[PolygonCandidate, ...]
    crs_wkt: str | None
    model: str
    level: int
    seconds: float
    stages: dict[str, float]


@dataclass(frozen=True)
class _NativePrompts:
    """Prompts in native pixel coordinates: (n, 2) points, (n,) foreground, box as x0, y0, x1, y1."""

    points: npt.NDArray[np.float64]
    foreground: npt.NDArray[np.bool_]
    box: tuple[float, float, float, float] | None

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """What the prompts of the foreground span: the tile is chosen by them alone."""
        on_object = self.points[self.foreground]
        corners = on_object if self.box is None else np.vstack((on_object, np.reshape(self.box, (2, 2))))
        return (*corners.min(axis=0), *corners.max(axis=0))

    def in_window(self, window: Window) -> PixelPrompts:
        """In the tile's pixel coordinates; background off the tile is left out."""
        there = np.array([window.contains(x, y) for x, y in self.points], np.bool_)
        points = np.array([window.to_tile(x, y) for x, y in self.points[there]]).reshape(-1, 2)
        box = None if self.box is None else (*window.to_tile(*self.box[:2]), *window.to_tile(*self.box[2:]))
        return PixelPrompts(points, self.foreground[there], box)


class Segmenter:
    """Holds what lives from click to click: open rasters, loaded models, encoded tiles."""

    def __init__(self, cache: TileCache | None = None, models: Iterable[Model] = ()) -> None:
        """models: ready ones, taken before those of the registry."""
        self._cache = TileCache() if cache is None else cache
        self._scenes: OrderedDict[str, Scene] = OrderedDict()
        self._models: dict[str, Model] = {model.name: model for model in models}
        self._versions: dict[str, str] = {}
        self._learners: dict[tuple[str, str], LearningModel] = {}

    def close(self) -> None:
        """Let all files go."""
        while self._scenes:
            self._scenes.popitem()[1].source.close()

    def model(self, name: str) -> Model:
        """A loaded model; raises `ModelUnknown`."""
        if name not in self._models:
            entry = registry.entry(name)
            self._models[name], self._versions[name] = entry.load(), entry.version
        return self._models[name]

    def drop_changed_models(self) -> None:
        """Let go of models that were removed, or replaced by others of their names."""
        current = {entry.name: entry.version for entry in registry.entries()}
        for name in [name for name, version in self._versions.items() if current.get(name) != version]:
            del self._models[name], self._versions[name]
            self._cache.drop(name)
            for key in [key for key in self._learners if key[1] == name]:
                del self._learners[key]

    def _network(self, path: str, model: str, learned: bool) -> Model:
        own = self._learners.get((path, model)) if learned else None
        return own or self.model(model)

    def scene(self, path: str) -> Scene:
        """The raster at `path`, opened again if the file has changed; raises `RasterError`s."""
        current = fingerprint(path)
        scene = self._scenes.pop(path, None)
        if scene is not None and scene.fingerprint != current:
            scene.source.close()
            scene = None
        if scene is None:
            source = RasterSource(path)
            try:
                scene = Scene(source, Radiometry.of(source), current)
            except BaseException:
                source.close()
                raise
        self._scenes[path] = scene
        if len(self._scenes) > OPEN_RASTERS:
            self._scenes.popitem(last=False)[1].source.close()
        return scene

    def segment(
        self,
        path: str,
        prompts: Prompts,
        *,
        model: str = registry.DEFAULT_MODEL,
        level: int | None = None,
        learned: bool = False,
        checkpoint: Checkpoint = lambda stage, fraction: None,
    ) -> Segmentation:
        """The object that the prompts (in the raster's CRS) mean.

        level: where to look first, None for native resolution; coarser ones follow while the object does not fit a tile.
        learned: ask the copy of the model that has learnt on this raster, if there is one.
        Raises `RasterError`s, `PromptError`s, `ModelUnknown`, `ModelFailed`, `NothingFound`, and what `checkpoint` raises.
        """
        clock = _Clock(checkpoint)
        clock.start("read", 0.0)
        network = self._network(path, model, learned)
        scene = self.scene(path)
        placed = _place(scene.source, prompts)
        level = _level_holding(scene.source, placed, level or 0)
        while True:
            window, tile = self._encoded(scene, network, placed, level, clock)
            clock.start("decode", 0.7)
            pixel_prompts = _on_data(scene.source, window, tile.valid, placed.in_window(window))
            candidates = network.decode(tile.embedding, pixel_prompts)
            if not candidates:
                raise NothingFound()
            if level >= scene.source.grid.max_level or not _reaches_cut(candidates[0].logits, window, scene.source):
                break
            level += 1
        clock.start("vectorize", 0.9)
        polygons = tuple(
            PolygonCandidate(polygon, candidate.score)
            for candidate in candidates
            if (polygon := _polygon(candidate.logits, pixel_prompts, window, scene.source, model)) is not None
        )
        if not polygons:
            raise NothingFound()
        stages = clock.stop()
        best = polygons[0]
        return Segmentation(
            best.polygon, best.score, polygons, scene.source.crs_wkt, model, level, sum(stages.values()), stages
        )

    def glance(
        self, path: str, prompts: Prompts, *, model: str, level: int, learned: bool = False
    ) -> Polygon | MultiPolygon | None:
        """The best answer where the tile is encoded already, else None: nothing is read, no coarser level is tried.

        Raises `RasterError`s, `PromptError`s, `ModelUnknown`, `ModelFailed`.
        """
        network = self._network(path, model, learned)
        scene = self.scene(path)
        placed = _place(scene.source, prompts)
        window, key = _tile_of(scene, network, placed, _level_holding(scene.source, placed, level))
        tile = self._cache.get(key)
        if tile is None:
            return None
        pixel_prompts = _on_data(scene.source, window, tile.valid, placed.in_window(window))
        candidates = network.decode(tile.embedding, pixel_prompts, most=1)
        return _polygon(candidates[0].logits, pixel_prompts, window, scene.source, model) if candidates else None

    def learn(
        self,
        path: str,
        polygon: Polygon | MultiPolygon,
        *,
        model: str = registry.DEFAULT_MODEL,
        level: int,
        checkpoint: Checkpoint = lambda stage, fraction: None,
    ) -> bool:
        """Let a model learn from an accepted polygon (in the raster's CRS), for `segment` with `learned` on this raster.

        Returns whether the model can learn. Where `checkpoint` raises, what was learnt until then stays. Raises `RasterError`s,
        `ModelUnknown` and what `checkpoint` raises.
        """
        network = self.model(model)
        if polygon.is_empty or not isinstance(network, Adaptable):
            return False
        clock = _Clock(checkpoint)
        scene = self.scene(path)
        x0, y0, x1, y1 = shapely.bounds(shapely.transform(polygon, scene.source.to_pixel))
        placed = _NativePrompts(np.empty((0, 2)), np.empty(0, np.bool_), (x0, y0, x1, y1))
        window, tile = self._encoded(scene, network, placed, _level_holding(scene.source, placed, level), clock)
        if (path, model) not in self._learners:
            self._learners[path, model] = network.learner()
        accepted = burnt(shapely.transform(polygon, lambda xy: _to_tile(scene.source, window, xy)), tile.valid.shape)
        self._learners[path, model].learn(tile.embedding, accepted & tile.valid, lambda: checkpoint("learn", 0.5))
        return True

    def forget(self) -> None:
        """Forget what was learnt from accepted objects."""
        self._learners.clear()

    def _encoded(
        self, scene: Scene, network: Model, placed: _NativePrompts, level: int, clock: _Clock
    ) -> tuple[Window, EncodedTile]:
        window, key = _tile_of(scene, network, placed, level)
        tile = self._cache.get(key)
        if tile is None:
            clock.start("read", 0.05)
            image, valid = scene.radiometry.render(scene.source, window)
            clock.start("encode", 0.1)
            tile = EncodedTile(network.encode(image, valid), valid)
            self._cache.put(key, tile)
        return window, tile


def _tile_of(scene: Scene, network: Model, placed: _NativePrompts, level: int) -> tuple[Window, TileKey]:
    """What the tile covers on which the prompts' middle is least near to an edge, and its key in the cache."""
    x0, y0, x1, y1 = placed.bounds
    grid = scene.source.grid
    address = grid.tile_at(level, (x0 + x1) / 2, (y0 + y1) / 2)
    return grid.window(address), TileKey(scene.fingerprint, scene.radiometry.key, network.name, address)


class _Clock:
    """Times the stages and passes them on to the checkpoint."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._marks: list[tuple[str, float]] = []

    def start(self, stage: str, fraction: float) -> None:
        self._checkpoint(stage, fraction)
        self._marks.append((stage, time.perf_counter()))

    def stop(self) -> dict[str, float]:
        self._marks.append(("", time.perf_counter()))
        stages = dict.fromkeys(("read", "encode", "decode", "vectorize"), 0.0)
        for (stage, start), (_, end) in pairwise(self._marks):
            stages[stage] += end - start
        return stages


def _place(source: RasterSource, prompts: Prompts) -> _NativePrompts:
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
    return _NativePrompts(np.array(points, np.float64).reshape(-1, 2), np.array(foreground, np.bool_), box)


def _place_box(source: RasterSource, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = box
    corners = _to_pixel(source, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    left, top = np.clip(corners.min(axis=0), 0, (source.width_px, source.height_px))
    right, bottom = np.clip(corners.max(axis=0), 0, (source.width_px, source.height_px))
    if right <= left or bottom <= top:
        raise PromptOutsideRaster(x=(x0 + x1) / 2, y=(y0 + y1) / 2, path=source.path)
    return float(left), float(top), float(right), float(bottom)


def _to_pixel(source: RasterSource, xy_map: list[tuple[float, float]]) -> npt.NDArray[np.float64]:
    for x, y in xy_map:
        if not np.isfinite((x, y)).all():
            raise PromptNotANumber(x=x, y=y)
    return source.to_pixel(np.array(xy_map, np.float64))


def _level_holding(source: RasterSource, placed: _NativePrompts, level: int) -> int:
    """The first level from `level` on at which one tile holds all that is said of the foreground."""
    level = source.grid.clamp_level(level)
    x0, y0, x1, y1 = placed.bounds
    while level < source.grid.max_level:
        window = source.grid.window(source.grid.tile_at(level, (x0 + x1) / 2, (y0 + y1) / 2))
        if window.contains(x0, y0) and window.contains(x1, y1):
            break
        level += 1
    return level


def _on_data(source: RasterSource, window: Window, valid: npt.NDArray[np.bool_], prompts: PixelPrompts) -> PixelPrompts:
    """Without background on nodata, which says nothing; foreground there is refused."""
    cols, rows = np.minimum(prompts.points_xy.astype(int), np.array(valid.shape)[::-1] - 1).T
    there: npt.NDArray[np.bool_] = valid[rows, cols]
    for place in prompts.points_xy[prompts.foreground & ~there]:
        [(x, y)] = _to_map(source, window, place[None])
        raise PromptOnNodata(x=float(x), y=float(y), path=source.path)
    return replace(prompts, points_xy=prompts.points_xy[there], foreground=prompts.foreground[there])


def _reaches_cut(logits: FloatImage, window: Window, source: RasterSource) -> bool:
    """Whether the mask runs into an edge of the tile that is not the raster's own."""
    cuts = (
        (window.x0 > 0, logits[:, 0]),
        (window.y0 > 0, logits[0]),
        (window.x1 < source.width_px, logits[:, -1]),
        (window.y1 < source.height_px, logits[-1]),
    )
    return any(is_cut and bool((edge > 0).any()) for is_cut, edge in cuts)


def _polygon(
    logits: FloatImage, prompts: PixelPrompts, window: Window, source: RasterSource, model: str
) -> Polygon | MultiPolygon | None:
    if not np.isfinite(logits).all():
        raise ModelFailed(name=model, reason="logits that are not finite")
    found = outline(logits, prompts.points_xy[prompts.foreground], prompts.points_xy[~prompts.foreground])
    if found is None:
        return None
    return polygonal(shapely.transform(found, lambda xy: _to_map(source, window, xy)))


def _to_map(source: RasterSource, window: Window, xy_tile: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return source.to_map(np.array((window.x0, window.y0)) + xy_tile * window.scale_xy)


def _to_tile(source: RasterSource, window: Window, xy_map: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return (source.to_pixel(xy_map) - (window.x0, window.y0)) / window.scale_xy
