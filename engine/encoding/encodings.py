"""The encoded tiles of one raster, as one model sees it: from memory, from disk, or made now."""

from __future__ import annotations

from dataclasses import dataclass

from ...models.base import Embedding, Mask, Model, RenderedTile, StorableEmbedding, Storing
from ..rasters.scene import Scene
from ..tiles.disk_store import TileStore
from ..tiles.grid import Tile
from ..tiles.memory_cache import EncodedTile, TileCache, TileKey
from ..tiles.packing import StoredTile, pack, unpack
from .clock import Clock


@dataclass(frozen=True)
class Encodings:
    """group: of the tiles on disk; None where they are not kept there."""

    scene: Scene
    network: Model
    cache: TileCache
    store: TileStore
    group: str | None

    def get(self, tile: Tile, clock: Clock) -> EncodedTile:
        """As it was kept, else read and encoded now.

        Raises `RasterError`s, `ModelFailed`, and what the clock's checkpoint does.
        """
        found = self.kept(tile)
        if found is None:
            clock.start("read", 0.05)
            image, valid = self.scene.reading.get(tile, lambda: self.rendered(tile), clock.ask)
            clock.start("encode", 0.1)
            found = self.keep(tile, self.network.encode(image, valid), valid)
        return found

    def rendered(self, tile: Tile) -> RenderedTile:
        """Read now, as the model sees it."""
        return self.scene.radiometry.render(self.scene.source, self.scene.source.grid.window(tile))

    def keep(self, tile: Tile, embedding: Embedding, valid: Mask) -> EncodedTile:
        """In memory and, soon, on disk; in both as it comes back from disk, so that a click has one answer ever after."""
        if isinstance(self.network, Storing) and isinstance(embedding, StorableEmbedding):
            packed = pack(StoredTile(embedding.features(), valid))
            embedding = self.network.restored(unpack(packed).features, valid)
            if self.group is not None:
                self.store.put(self.group, tile, packed)
        found = EncodedTile(embedding, valid)
        self.cache.put(self.key(tile), found)
        return found

    def is_kept(self, tile: Tile) -> bool:
        """On disk, or in memory where nothing is kept on disk."""
        return self.cache.get(self.key(tile)) is not None if self.group is None else self.store.has(self.group, tile)

    def kept(self, tile: Tile) -> EncodedTile | None:
        """From memory, or from disk."""
        found = self.cache.get(self.key(tile))
        if found is None and self.group is not None and isinstance(self.network, Storing):
            stored = self.store.get(self.group, tile)
            if stored is not None:
                found = EncodedTile(self.network.restored(stored.features, stored.valid), stored.valid)
                self.cache.put(self.key(tile), found)
        return found

    def key(self, tile: Tile) -> TileKey:
        """Of the tile in memory."""
        return TileKey(self.scene.fingerprint, self.scene.radiometry.key, self.network.name, tile)
