"""What is kept in memory: encoded tiles, limited by bytes, and the newest of other things, limited by count."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ...models.base import Embedding, Mask
from .freed_memory import give_back
from .grid import Tile

DEFAULT_BUDGET_BYTES = 1 << 30

GIVE_BACK_BYTES = 1 << 28
"""Memory is given back each time that so much was forgotten: that takes some milliseconds."""


Value = TypeVar("Value")


class Recent(Generic[Value]):
    """The last few values by their keys."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def get(self, key: Hashable) -> Value:
        """A value that is there, which counts as used now."""
        self._values.move_to_end(key)
        return self._values[key]

    def put(self, key: Hashable, value: Value) -> None:
        """Keep a value."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._count:
            self._values.popitem(last=False)

    def clear(self) -> None:
        """Forget all."""
        self._values.clear()


@dataclass(frozen=True)
class TileKey:
    """What an encoded tile depends on."""

    raster: str
    radiometry: str
    model: str
    tile: Tile


@dataclass(frozen=True)
class EncodedTile:
    """A model's embedding of a tile, and the tile's (rows, columns) valid pixels."""

    embedding: Embedding
    valid: Mask

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self.embedding.nbytes + self.valid.nbytes


class TileCache:
    """Maps keys to encoded tiles; forgets the least recently used when the budget is passed."""

    def __init__(self, budget_bytes: int = DEFAULT_BUDGET_BYTES) -> None:
        self._budget_bytes = budget_bytes
        self._entries: OrderedDict[TileKey, EncodedTile] = OrderedDict()
        self._nbytes = 0
        self._forgotten_bytes = 0

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._nbytes

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: TileKey) -> EncodedTile | None:
        """The tile, which counts as used now, or None."""
        tile = self._entries.get(key)
        if tile is not None:
            self._entries.move_to_end(key)
        return tile

    def drop(self, model: str) -> None:
        """Forget a model's tiles."""
        for key in [key for key in self._entries if key.model == model]:
            self._nbytes -= self._entries.pop(key).nbytes

    def put(self, key: TileKey, tile: EncodedTile) -> None:
        """Keep a tile; the newest is kept even where it alone passes the budget."""
        former = self._entries.pop(key, None)
        if former is not None:
            self._nbytes -= former.nbytes
        self._entries[key] = tile
        self._nbytes += tile.nbytes
        while self._nbytes > self._budget_bytes and len(self._entries) > 1:
            _, oldest = self._entries.popitem(last=False)
            self._nbytes -= oldest.nbytes
            self._forgotten_bytes += oldest.nbytes
        if self._forgotten_bytes > GIVE_BACK_BYTES:
            self._forgotten_bytes = 0
            give_back()
