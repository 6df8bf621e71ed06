"""What a model that knows classes finds in a tile by itself."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import shapely

from ...contract.prompts import Point
from ...models.base import Detecting, PixelPrompts
from ..segmenting.answer import polygon_of
from ..segmenting.query import FirstLook, Query
from ..tiles.grid import Tile
from .proposals import Found

NO_PROMPTS = PixelPrompts(np.empty((0, 2)), np.empty(0, np.bool_))


def detected(query: Query, network: Detecting, tile: Tile, least_score: float) -> Iterator[Found]:
    """All objects of a tile that it does not cut: what is at most half a tile large is whole on one of those that hold it.

    Raises `RasterError`s, `ModelFailed`, and what the query's checkpoint does.
    """
    source, encoded = query.scene.source, query.encoded(tile)
    query.clock.start("decode", 0.7)
    look = FirstLook(tile, source.grid.window(tile), NO_PROMPTS, ())
    for each in network.detections(encoded.embedding, least_score):
        query.clock.ask()
        if query.goes_on_beyond(look, each.candidate.logits):
            continue
        polygon = polygon_of(each.candidate, look, source)
        if polygon is None:
            continue
        inside = polygon.representative_point()
        polygon_px = shapely.transform(polygon, source.to_pixel)
        nothing = np.zeros(0, np.float32)
        place = Point(inside.x, inside.y)
        yield Found(tile, place, None, polygon, polygon_px, each.candidate.score, 1.0, nothing, each.class_name)
