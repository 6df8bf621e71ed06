"""Encoded tiles in memory, limited by bytes."""

from __future__ import annotations

from dataclasses import dataclass

from ...models.base import Embedding, Mask
from ...models.recently_used import RecentlyUsed
from .freed_memory import give_back
from .grid import Tile

DEFAULT_BUDGET_BYTES = 1 << 30

GIVE_BACK_BYTES = 1 << 28
"""Memory is given back each time that so much was forgotten: that takes some milliseconds."""


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
        self._kept: RecentlyUsed[TileKey, EncodedTile] = RecentlyUsed(budget_bytes, lambda tile: tile.nbytes, self._note)
        self._forgotten_bytes = 0

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._kept.weight

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: TileKey) -> EncodedTile | None:
        """The tile, which counts as used now, or None."""
        return self._kept.get(key)

    def drop(self, model: str) -> None:
        """Forget a model's tiles."""
        self._kept.pop_all(lambda key: key.model == model)

    def put(self, key: TileKey, tile: EncodedTile) -> None:
        """Keep a tile; the newest is kept even where it alone passes the budget."""
        self._kept.put(key, tile)
        if self._forgotten_bytes > GIVE_BACK_BYTES:
            self._forgotten_bytes = 0
            give_back()

    def _note(self, forgotten: EncodedTile) -> None:
        self._forgotten_bytes += forgotten.nbytes
