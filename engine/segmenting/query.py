"""One set of prompts on one raster, asked of one model, tile by tile.

The first look is at the level where the object fits a tile; what is larger is then refined along its outline, level by level.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from ...contract.errors import NothingFound
from ...contract.model_errors import ModelFailed
from ...models.base import (
    MOST_CANDIDATES,
    Candidate,
    FloatImage,
    Model,
    PixelPrompts,
)
from ...models.places import XY
from ..encoding.clock import Clock
from ..encoding.encodings import Encodings
from ..rasters.scene import Scene
from ..spreading.mosaic import UNKNOWN_LOGIT, LogitField, Mosaic, OneTile, Unknown
from ..spreading.spread import Spread, iou, refinement, run
from ..spreading.tile_answers import grown, is_band, lengthened, refined
from ..tiles.grid import PixelBox, Tile, Window
from ..tiles.memory_cache import EncodedTile
from .box_limit import within_box
from .placement import NativePrompts, on_data

MIN_KNOWN_SHARE = 0.98
"""Where less of a tile is known, the object may go on in the rest."""

SAME_OBJECT_IOU = 0.3
SAME_BAND_IOU = 0.7
"""Two levels show the same object where their masks overlap this much."""

MIN_BAND_SCORE = 0.75
"""A band is followed rather than shrunk further where the coarser answer's score is below this share of the finer one's."""


@dataclass(frozen=True)
class FirstLook:
    """What one tile showed: candidates, best first, and the prompts in the tile's pixels."""

    tile: Tile
    window: Window
    prompts: PixelPrompts
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Found:
    """How prompts were answered. spreads: levels from coarse to fine, of an object that is larger than a tile."""

    placed: NativePrompts
    first: FirstLook
    spreads: list[Spread] = field(default_factory=list)

    @property
    def nbytes(self) -> int:
        """Memory held."""
        logits = (candidate.logits for candidate in self.first.candidates)
        return sum(each.nbytes for each in logits) + sum(each.nbytes for each in self.spreads)


@dataclass(frozen=True)
class Query:
    """Prompts in native pixels, and all that is needed to answer them."""

    encodings: Encodings
    placed: NativePrompts
    clock: Clock

    @property
    def scene(self) -> Scene:
        """The raster, as it is seen."""
        return self.encodings.scene

    @property
    def network(self) -> Model:
        """The model that is asked."""
        return self.encodings.network

    @property
    def middle(self) -> XY:
        """Native (x, y) in the middle of what is said of the foreground."""
        x0, y0, x1, y1 = self.placed.bounds
        return XY((x0 + x1) / 2, (y0 + y1) / 2)

    def level_holding(self, level: int) -> int:
        """The first level from `level` on at which one tile holds all that is said of the foreground."""
        grid = self.scene.source.grid
        level = grid.clamp_level(level)
        x0, y0, x1, y1 = self.placed.bounds
        while level < grid.max_level:
            window = grid.window(grid.tile_at(level, *self.middle))
            if window.contains(x0, y0) and window.contains(x1, y1):
                break
            level += 1
        return level

    def tile(self, level: int) -> Tile:
        """The tile on which the middle of the prompts is least near to an edge."""
        return self.scene.source.grid.tile_at(level, *self.middle)

    def encoded(self, tile: Tile) -> EncodedTile:
        """As it was kept, else read and encoded now."""
        return self.encodings.get(tile, self.clock)

    def look(self, tile: Tile, encoded: EncodedTile, prior: FloatImage | None = None, most: int = MOST_CANDIDATES) -> FirstLook:
        """Candidates of a tile; raises `ModelFailed`, `PromptOnNodata`."""
        prompts = self.prompts_in(tile, encoded)
        candidates = self.decoded(encoded, prompts if prior is None else replace(prompts, prior=prior), most)
        return FirstLook(tile, self.scene.source.grid.window(tile), prompts, candidates)

    def prompts_in(self, tile: Tile, encoded: EncodedTile) -> PixelPrompts:
        """In the tile's pixels; raises `PromptOnNodata`."""
        window = self.scene.source.grid.window(tile)
        prompts = self.placed.in_window(window, encoded.valid.shape)
        return on_data(self.scene.source, self.scene.radiometry.bands, window, encoded.valid, prompts)

    def decoded(self, encoded: EncodedTile, prompts: PixelPrompts, most: int = MOST_CANDIDATES) -> tuple[Candidate, ...]:
        """A tile's candidates, best first, within the prompts' box; raises `ModelFailed`."""
        candidates = self.network.decode(encoded.embedding, prompts, most)
        if not all(np.isfinite(candidate.logits).all() for candidate in candidates):
            raise ModelFailed(name=self.network.name, reason="logits that are not finite")
        return within_box(candidates, prompts)

    def first_look(self, level: int) -> FirstLook:
        """At the first level from `level` on at which the object fits a tile, or the last that shows the same object.

        Raises `NothingFound`.
        """
        level = self.level_holding(level)
        found = self._look_at_tile(self.tile(level))
        while level < self.scene.source.grid.max_level and self.is_cut(found):
            level += 1
            try:
                coarser = self._look_at_tile(self.tile(level))
            except NothingFound:  # too small to be seen there
                break
            if not self._is_same(found, coarser):
                break
            found = coarser
        return found

    def _look_at_tile(self, tile: Tile) -> FirstLook:
        encoded = self.encoded(tile)
        self.clock.start("decode", 0.7)
        found = self.look(tile, encoded)
        if not found.candidates:
            raise NothingFound()
        return found

    def _is_same(self, finer: FirstLook, coarser: FirstLook) -> bool:
        """Whether the next coarser level shows the same in what the finer one saw, and as well where it is a band."""
        grid = self.scene.source.grid
        here, there = grid.box(finer.tile), grid.box(coarser.tile)
        half = PixelBox(here.top // 2, here.left // 2, here.bottom // 2, here.right // 2) & there
        whole = PixelBox(2 * half.top, 2 * half.left, 2 * half.bottom, 2 * half.right)
        inside = finer.candidates[0].logits[whole.within(here)][::2, ::2] > 0
        overlap = iou(inside, coarser.candidates[0].logits[half.within(there)] > 0)
        if not is_band(finer.candidates[0].logits > 0):
            return overlap >= SAME_OBJECT_IOU
        return overlap >= SAME_BAND_IOU and coarser.candidates[0].score >= MIN_BAND_SCORE * finer.candidates[0].score

    def look_again(self, former: FirstLook) -> FirstLook:
        """At the tile of an earlier look, with the prompts there are now; raises `NothingFound`."""
        return self._look_at_tile(former.tile)

    def spread(self, found: Found, level: int, former: Found | None = None) -> Iterator[Spread]:
        """The best candidate beyond its tile and at ever finer levels, down to `level`, into `found`: a state after each tile.

        former: how most of the prompts were answered; what they have in common is taken from there.
        """
        grid, first = self.scene.source.grid, found.first
        whole = self._lengthened(first)
        logits: LogitField = OneTile(grid, first.tile, whole)
        around = {first.tile}
        for finer in range(first.tile.level, level - 1, -1):
            if finer < first.tile.level:
                stage = refinement(grid, logits, around)
            elif self.goes_on_beyond(first, whole):
                stage = Spread(grid, Mosaic(grid, Unknown(finer + 1)))
                stage.take(first.tile, whole)
            else:
                continue
            found.spreads.append(stage)
            stage.want(self._misunderstood(stage))
            for state in run(stage, self.middle, self.decide, partial(self._earlier, former)):
                self.clock.start("refine", state.fraction)
                yield state
            logits, around = stage.mosaic, stage.outlined

    def _lengthened(self, first: FirstLook) -> FloatImage:
        encoded = self.encoded(first.tile)
        return lengthened(first.candidates[0].logits, encoded.valid, first.prompts, partial(self.decoded, encoded))

    def decide(self, tile: Tile, before: FloatImage) -> FloatImage | None:
        """Logits of a tile, of which some may be known."""
        encoded = self.encoded(tile)
        self.clock.start("decode", 0.7)
        given = self.prompts_in(tile, encoded)
        decode = partial(self.decoded, encoded)
        known = before != UNKNOWN_LOGIT
        answer = None
        if known.mean() < MIN_KNOWN_SHARE:
            answer = grown(before, known, encoded.valid, given, decode)
        return refined(before, given, decode) if answer is None else answer

    def _misunderstood(self, stage: Spread) -> set[Tile]:
        """The tiles of prompts that a level contradicts."""
        grid, level = stage.grid, stage.mosaic.level
        found = set()
        for (x, y), is_foreground in zip(self.placed.points, self.placed.foreground, strict=True):
            row, col = int(y / 2.0**level), int(x / 2.0**level)
            if bool(stage.mosaic.read(PixelBox(row, col, row + 1, col + 1))[0, 0] > 0) is not bool(is_foreground):
                found.add(grid.tile_at(level, x, y))
        return found

    def _earlier(self, former: Found | None, tile: Tile) -> Spread | None:
        """An earlier query's spread of a tile's level, where nothing more is said in the tile now."""
        if former is None or (former.placed.box, former.placed.polygon) != (self.placed.box, self.placed.polygon):
            return None
        window = self.scene.source.grid.window(tile)
        if any(window.contains(x, y) for x, y in self.placed.points[len(former.placed.points) :]):
            return None
        return next((each for each in former.spreads if each.mosaic.level == tile.level), None)

    def is_cut(self, found: FirstLook) -> bool:
        """Whether the best mask runs into an edge of the tile that is not the raster's own."""
        return self._reaches_cut(found.window, found.candidates[0].logits)

    def goes_on_beyond(self, found: FirstLook, logits: FloatImage) -> bool:
        """Whether a tile does not hold all that is meant: the mask runs into its edge, or foreground clicks lie off it."""
        clicks = self.placed.points[self.placed.foreground]
        return self._reaches_cut(found.window, logits) or not all(found.window.contains(x, y) for x, y in clicks)

    def _reaches_cut(self, window: Window, logits: FloatImage) -> bool:
        source = self.scene.source
        cuts = (
            (window.x0 > 0, logits[:, 0]),
            (window.y0 > 0, logits[0]),
            (window.x1 < source.width_px, logits[:, -1]),
            (window.y1 < source.height_px, logits[-1]),
        )
        return any(is_cut and bool((edge > 0).any()) for is_cut, edge in cuts)
