"""The use case: prompts on a raster become a polygon in its CRS."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import shapely
from shapely import MultiPolygon, Polygon

from ...contract.errors import NothingFound, NothingKept, PromptOutsideRaster
from ...contract.looks import PRESETS, Finish, Stretch
from ...contract.prompts import Prompts
from ...models import registry
from ...models.base import Adaptable, LearningModel, Model, Storing
from ...models.places import XY
from ...models.recently_used import RecentlyUsed
from ..encoding.ahead import encode_ahead
from ..encoding.clock import Checkpoint, Clock
from ..encoding.encodings import Encodings
from ..outlines.contours import burnt
from ..rasters.scene import Notify, Scene, Scenes
from ..rasters.source import RasterSource
from ..rasters.waiting import IsWanted
from ..tiles.disk_store import TileStore, group_name
from ..tiles.grid import TILE_PX, PixelBox, Tile
from ..tiles.memory_cache import TileCache
from .answer import Segmentation, answer_of, polygons_of, spread_answer
from .closer import closer_answer, closer_tile, look_closer
from .placement import NativePrompts, place, to_tile
from .query import Found, Query

OnPart = Callable[[Callable[[], Segmentation]], None]
"""Offered what is found so far of an object larger than a tile, after each tile; calling the offer makes its polygon."""


PREFETCHED_TILES = 24
"""Of a view; more would drive each other out of memory."""

ANSWERS_BUDGET_BYTES = 1 << 28
"""Of earlier answers that a further click goes on from."""


@dataclass(frozen=True)
class _Ask:
    """What is asked beside the prompts."""

    path: str
    model: str
    learned: bool
    level: int
    stretch: Stretch | None


_AnswerKey = tuple[str, str, _Ask, Prompts]
"""Fingerprint and radiometry of the raster, and what was asked."""


@dataclass(frozen=True)
class _Answered:
    """An answer to go on from; None where its object fits a tile, and there is nothing to go on from."""

    answer: Found | None

    @property
    def nbytes(self) -> int:
        """Memory held, its key included."""
        return 1000 + (self.answer.nbytes if self.answer else 0)


class Segmenter:
    """Holds what lives from click to click: open rasters, loaded models, encoded tiles."""

    def __init__(
        self,
        cache: TileCache | None = None,
        models: Iterable[Model] = (),
        tile_px: int = TILE_PX,
        store: TileStore | None = None,
        notify: Notify = lambda error: warnings.warn(str(error), stacklevel=2),
    ) -> None:
        """models: ready ones, taken before those of the registry; their tiles are not kept on disk. notify: told of errors that
        stop nothing.
        """
        self._tile_px = tile_px
        self._store = store or TileStore(None, 0)
        self._cache = TileCache() if cache is None else cache
        self._scenes = Scenes(tile_px, notify)
        self._models: dict[str, Model] = {model.name: model for model in models}
        self._versions: dict[str, str] = {}
        self._learners: dict[tuple[str, str], LearningModel] = {}
        self._vouched: dict[str, dict[str, int]] = {}
        self._answered: RecentlyUsed[_AnswerKey, _Answered] = RecentlyUsed(ANSWERS_BUDGET_BYTES, lambda each: each.nbytes)

    def close(self) -> None:
        """Let all files go."""
        self._scenes.close()
        self._store.close()

    @property
    def runs_folder(self) -> Path | None:
        """Where long runs keep what they have done; None where nothing is kept on disk."""
        return self._store.folder and self._store.folder / "runs"

    def model(self, name: str) -> Model:
        """A loaded model; raises `ModelUnknown`."""
        if name not in self._models:
            entry = registry.entry(name)
            self._models[name], self._versions[name] = entry.load(), entry.version
        return self._models[name]

    def drop_changed_models(self) -> None:
        """Let go of models that were removed, or replaced by others of their names."""
        current = {entry.name: entry.version for entry in registry.entries()}
        for name in [name for name, loaded in self._versions.items() if current.get(name) != loaded]:
            del self._models[name], self._versions[name]
            self._cache.drop(name)
            self._answered.pop_all()
            for key in [key for key in self._learners if key[1] == name]:
                del self._learners[key]

    def scene(self, path: str, stretch: Stretch | None = None, is_wanted: IsWanted = lambda: None) -> Scene:
        """The raster at `path`, opened again if the file has changed; raises `RasterError`s, and what `is_wanted` does."""
        return self._scenes.at(path, stretch, is_wanted)

    def segment(
        self,
        path: str,
        prompts: Prompts,
        *,
        model: str = registry.DEFAULT_MODEL,
        level: int | None = None,
        learned: bool = False,
        stretch: Stretch | None = None,
        finish: Finish = PRESETS["raw"],
        checkpoint: Checkpoint = lambda stage, fraction: None,
        on_part: OnPart = lambda offer: None,
        most_tiles: int | None = None,
        closer: bool = False,
    ) -> Segmentation:
        """The object that the prompts (in the raster's CRS) mean.

        level: the level of the answer, None for native resolution; what does not fit a tile there is found at a coarser one
        and refined. closer: what is small in its tile is outlined at a finer level. most_tiles: so many are asked beyond the
        first look at most; the answer says how many are left, and the same asked again goes on from there. learned: ask the
        copy of the model that has learnt on this raster, if there is one. Raises `RasterError`s, `PromptError`s,
        `ModelUnknown`, `ModelFailed`, `NothingFound`, and what `checkpoint` and `on_part` raise.
        """
        ask = _Ask(path, model, learned, level or 0, stretch)
        query = self._query(ask, prompts, checkpoint)
        former = self._former(ask, prompts, checkpoint)
        wanted = query.scene.source.grid.clamp_level(ask.level)
        first = query.look_again(former.first) if former else query.first_look(wanted)
        to_answer = partial(answer_of, query, finish, first.window)
        query.clock.start("vectorize", 0.9)
        polygons = polygons_of(query, first)
        answer = to_answer(polygons, first.tile.level)
        if first.tile.level == wanted and not query.goes_on_beyond(first, first.candidates[0].logits):
            self._remember(ask, prompts, None)
            return closer_answer(query, first, to_answer, answer, lambda found: on_part(lambda: found)) if closer else answer
        on_part(lambda: answer)
        found = Found(query.placed, replace(first, candidates=first.candidates[:1]))
        self._remember(ask, prompts, found)  # now: what is found until the user has enough of it counts, too
        left = 0
        try:
            for count, state in enumerate(query.spread(found, wanted, former), 1):
                on_part(partial(spread_answer, query, state, polygons, to_answer))
                if count == most_tiles and (left := state.tiles_left(wanted)):
                    break
        finally:
            self._remember(ask, prompts, found)  # once more: it takes more memory now
        query.clock.start("vectorize", 0.95)
        if not found.spreads:
            return answer
        return replace(spread_answer(query, found.spreads[-1], polygons, to_answer), tiles_left=left)

    def _former(self, ask: _Ask, prompts: Prompts, checkpoint: Checkpoint) -> Found | None:
        """How the same prompts, or all but the newest, were answered, where the object was larger than a tile.

        Found out now where it was forgotten, so that a set of prompts has one answer.
        """
        key, shorter = self._key(ask, prompts), prompts.without_last_point
        if key in self._answered:
            return self._former_at(key)
        if ask.learned or not prompts.points or not shorter.has_foreground:
            return None
        forgotten, each = [], shorter
        while each.has_foreground and self._key(ask, each) not in self._answered:
            forgotten.append(each)
            if not each.points:
                break
            each = each.without_last_point
        for each in reversed(forgotten):  # each goes on from the one before
            self._answer_for_later(ask, each, checkpoint)
        return self._former_at(self._key(ask, shorter))

    def _former_at(self, key: _AnswerKey) -> Found | None:
        found = self._answered.get(key)
        return found.answer if found else None

    def _answer_for_later(self, ask: _Ask, prompts: Prompts, checkpoint: Checkpoint) -> None:
        try:
            self.segment(ask.path, prompts, model=ask.model, level=ask.level, stretch=ask.stretch, checkpoint=checkpoint)
        except NothingFound:  # the newest click may find something all the same
            if self._key(ask, prompts) not in self._answered:  # else it was found at first, and lost on the way
                self._remember(ask, prompts, None)

    def _remember(self, ask: _Ask, prompts: Prompts, found: Found | None) -> None:
        if not ask.learned:  # what was learnt since would change the answer
            self._answered.put(self._key(ask, prompts), _Answered(found))

    def _key(self, ask: _Ask, prompts: Prompts) -> _AnswerKey:
        scene = self.scene(ask.path, ask.stretch)
        return scene.fingerprint, scene.radiometry.key, ask, prompts

    def glance(
        self,
        path: str,
        prompts: Prompts,
        *,
        model: str,
        level: int,
        learned: bool = False,
        stretch: Stretch | None = None,
        finish: Finish = PRESETS["raw"],
        most: int = 1,
        closer: bool = False,
    ) -> Segmentation | None:
        """What `segment` would answer, with at most so many candidates, where that costs nothing; else None.

        closer: as for `segment`, where the finer tile is encoded already; elsewhere what `segment` shows first. No tile is
        read, and of what is larger than its tile nothing is told, since that is found out in several. Raises `RasterError`s,
        `PromptError`s, `ModelUnknown`, `ModelFailed`.
        """
        query = self._query(_Ask(path, model, learned, level, stretch), prompts)
        tile = query.tile(query.level_holding(level))
        encoded = query.encodings.kept(tile)
        if encoded is None:
            return None
        found = query.look(tile, encoded, most=most)
        if not found.candidates or query.goes_on_beyond(found, found.candidates[0].logits):
            return None
        grid = query.scene.source.grid
        finer = closer_tile(grid, found) if closer and tile.level == grid.clamp_level(level) else None
        if finer is not None and query.encodings.kept(finer) is not None:
            found = look_closer(query, found, finer) or found
        try:
            polygons = polygons_of(query, replace(found, candidates=found.candidates[:most]))
            return answer_of(query, finish, found.window, polygons, found.tile.level)
        except NothingFound:
            return None

    def prefetch(
        self,
        path: str,
        *,
        model: str = registry.DEFAULT_MODEL,
        level: int,
        center_xy: XY,
        view: tuple[float, float, float, float],
        stretch: Stretch | None = None,
        checkpoint: Checkpoint = lambda stage, fraction: None,
    ) -> Iterator[Tile]:
        """Encode the tiles of a view (in the raster's CRS), those nearest to a place first: each is yielded when done.

        At most `PREFETCHED_TILES`. Raises `RasterError`s, `ModelUnknown`, `ModelFailed`, and what `checkpoint` does.
        """
        query = self.query_about(path, model, stretch, checkpoint)
        source, grid = query.scene.source, query.scene.source.grid
        try:
            box = pixel_box(source, view, grid.clamp_level(level))
        except PromptOutsideRaster:
            return
        x, y = source.to_pixel(np.array([center_xy]))[0]
        tiles = grid.tiles_near(grid.clamp_level(level), box)
        for tile in sorted(tiles, key=lambda tile: grid.distance(tile, XY(x, y)))[:PREFETCHED_TILES]:
            query.encoded(tile)
            yield tile

    def encode(
        self,
        path: str,
        *,
        model: str = registry.DEFAULT_MODEL,
        levels: Iterable[int] | None = None,
        area: tuple[float, float, float, float] | None = None,
        stretch: Stretch | None = None,
        checkpoint: Checkpoint = lambda stage, fraction: None,
    ) -> Iterator[tuple[int, int]]:
        """Encode all tiles of some levels, for the disk: (done, all) after each step. Those that are kept take no time.

        levels: None for all from native resolution on. area: x0, y0, x1, y1 in the raster's CRS, None for all of it. Raises
        `RasterError`s, `ModelUnknown`, `ModelFailed`, `NothingKept`, `PromptOutsideRaster` for an area off the raster, and what
        `checkpoint` does.
        """
        query = self.query_about(path, model, stretch, checkpoint)
        if query.encodings.group is None or not self._store.keeps:
            raise NothingKept(path=query.scene.source.path)
        grid = query.scene.source.grid
        wanted = sorted({grid.clamp_level(level) for level in (range(grid.max_level + 1) if levels is None else levels)})
        boxes = {level: grid.frame(level) if area is None else pixel_box(query.scene.source, area, level) for level in wanted}
        tiles = [tile for level in reversed(wanted) for tile in grid.tiles_near(level, boxes[level])]
        for done in encode_ahead(query.encodings, tiles, query.clock):
            yield done, len(tiles)

    def learn(
        self,
        path: str,
        polygon: Polygon | MultiPolygon,
        *,
        model: str = registry.DEFAULT_MODEL,
        level: int,
        stretch: Stretch | None = None,
        checkpoint: Checkpoint = lambda stage, fraction: None,
    ) -> bool:
        """Let a model learn from an accepted polygon (in the raster's CRS), for `segment` with `learned` on this raster.

        Returns whether the model can learn. Where `checkpoint` raises, what was learnt until then stays. Raises `RasterError`s,
        `ModelUnknown` and what `checkpoint` raises.
        """
        network = self.model(model)
        if polygon.is_empty or not isinstance(network, Adaptable):
            return False
        scene = self.scene(path, stretch)
        x0, y0, x1, y1 = shapely.bounds(shapely.transform(polygon, scene.source.to_pixel))
        placed = NativePrompts(np.empty((0, 2)), np.empty(0, np.bool_), (x0, y0, x1, y1))
        query = self._query_of(scene, network, placed, Clock(checkpoint))
        tile = query.tile(query.level_holding(level))
        encoded, window = query.encoded(tile), scene.source.grid.window(tile)
        if (path, model) not in self._learners:
            self._learners[path, model] = network.learner()
        accepted = burnt(shapely.transform(polygon, lambda xy: to_tile(scene.source, window, xy)), encoded.valid.shape)
        self._learners[path, model].learn(encoded.embedding, accepted & encoded.valid, lambda: checkpoint("learn", 0.5))
        return True

    def forget(self) -> None:
        """Forget what was learnt from accepted objects."""
        self._learners.clear()

    def query(self, path: str, prompts: Prompts, model: str = registry.DEFAULT_MODEL) -> Query:
        """One set of prompts, to be asked step by step; raises as `segment`."""
        return self._query(_Ask(path, model, False, 0, None), prompts)

    def _query(self, ask: _Ask, prompts: Prompts, checkpoint: Checkpoint = lambda stage, fraction: None) -> Query:
        clock = Clock(checkpoint)
        clock.start("read", 0.0)
        own = self._learners.get((ask.path, ask.model)) if ask.learned else None
        network = own or self.model(ask.model)
        scene = self.scene(ask.path, ask.stretch, clock.ask)
        return self._query_of(scene, network, place(scene.source, prompts), clock)

    def query_about(self, path: str, model: str, stretch: Stretch | None, checkpoint: Checkpoint) -> Query:
        """A query without prompts, for what looks at many places; raises as `segment`."""
        clock = Clock(checkpoint)
        network, scene = self.model(model), self.scene(path, stretch, clock.ask)
        nothing = NativePrompts(np.empty((0, 2)), np.empty(0, np.bool_), None)
        return self._query_of(scene, network, nothing, clock)

    def _query_of(self, scene: Scene, network: Model, placed: NativePrompts, clock: Clock) -> Query:
        return Query(Encodings(scene, network, self._cache, self._store, self._group(scene, network)), placed, clock)

    def _group(self, scene: Scene, network: Model) -> str | None:
        """Name of the folder for tiles on disk; None for models and rasters without an identity."""
        model = self._versions.get(network.name)
        if model is None or scene.content is None:
            return None
        group = group_name(scene.content, scene.radiometry.key, network.name, model, str(self._tile_px), _encoding(network))
        if self._vouched.get(group) != scene.changed:
            self._store.vouch(group, scene.changed)
            self._vouched[group] = scene.changed
        return group


def _encoding(network: Model) -> str:
    """What a kept embedding depends on besides raster, stretch, weights and tile."""
    return network.encoding if isinstance(network, Storing) else ""


def pixel_box(source: RasterSource, area: tuple[float, float, float, float], level: int) -> PixelBox:
    """The pixels of a level that an area (x0, y0, x1, y1 in map coordinates) touches; raises `PromptOutsideRaster`."""
    x0, y0, x1, y1 = area
    corners = source.to_pixel(np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])) / 2.0**level
    left, top = np.floor(corners.min(axis=0)).astype(int).tolist()
    right, bottom = np.ceil(corners.max(axis=0)).astype(int).tolist()
    box = PixelBox(top, left, bottom, right) & source.grid.frame(level)
    if box.is_empty:
        raise PromptOutsideRaster(x=(x0 + x1) / 2, y=(y0 + y1) / 2, path=source.path)
    return box
