"""What was found in one tile, as a line of text and back, bit for bit."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from ...contract.prompts import Point
from ..rasters.source import RasterSource
from ..tiles.grid import Tile
from .proposals import Found


@dataclass(frozen=True)
class TileFinds:
    """All proposals of a tile that is done."""

    tile: Tile
    found: tuple[Found, ...]

    def to_text(self) -> str:
        """JSON on one line."""
        tile = [self.tile.level, self.tile.row, self.tile.col]
        return json.dumps({"tile": tile, "found": [_plain(each) for each in self.found]}, separators=(",", ":"))

    @staticmethod
    def of(text: str, source: RasterSource) -> TileFinds:
        """Inverse of `to_text`; raises `ValueError`, `KeyError` or `TypeError` for any other text."""
        body = json.loads(text)
        tile = Tile(*(int(each) for each in body["tile"]))
        return TileFinds(tile, tuple(_read(each, tile, source) for each in body["found"]))


def tile_of(text: str) -> Tile:
    """Which tile a text is about; raises as `TileFinds.of`."""
    return Tile(*(int(each) for each in json.loads(text)["tile"]))


def _plain(found: Found) -> dict[str, Any]:
    return {
        "xy": [found.place.x, found.place.y],
        "choice": found.choice,
        "wkb": shapely.to_wkb(found.polygon, hex=True),
        "score": found.score,
        "stability": found.stability,
        "class": found.class_name,
        "descriptor": base64.b64encode(found.descriptor.astype("<f4").tobytes()).decode(),
    }


def _read(body: dict[str, Any], tile: Tile, source: RasterSource) -> Found:
    x, y = body["xy"]
    polygon = shapely.from_wkb(body["wkb"])
    descriptor = np.frombuffer(base64.b64decode(body["descriptor"]), "<f4").astype(np.float32)
    polygon_px = shapely.transform(polygon, source.to_pixel)
    place, score, stability = Point(x, y), body["score"], body["stability"]
    return Found(tile, place, body["choice"], polygon, polygon_px, score, stability, descriptor, body["class"])
