"""A raster's tiles encoded ahead of all clicks, several together where the model's device is quicker so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from ...models.base import Batching, RenderedTile
from ..tiles.grid import Tile
from .clock import Clock
from .encodings import Encodings


def encode_ahead(encodings: Encodings, tiles: Sequence[Tile], clock: Clock) -> Iterator[int]:
    """Encode those that are not kept; how many of all are done, after each step.

    Nothing is read or encoded between two steps: the raster and the model are free for clicks then. Raises as `Encodings.get`.
    """
    network = encodings.network
    if isinstance(network, Batching) and network.batch > 1:
        yield from _in_batches(encodings, network, tiles)
        return
    for done, tile in enumerate(tiles, 1):
        if not encodings.is_kept(tile):
            encodings.get(tile, clock)
        yield done


def _in_batches(encodings: Encodings, network: Batching, tiles: Sequence[Tile]) -> Iterator[int]:
    """The next tiles are read while the network has those before: on a GPU the processor is idle then."""
    todo = ((done, tile) for done, tile in enumerate(tiles, 1) if not encodings.is_kept(tile))

    def read_next() -> list[tuple[int, Tile, RenderedTile]]:
        return [(done, tile, encodings.rendered(tile)) for done, tile in islice(todo, network.batch)]

    done = 0
    with ThreadPoolExecutor(1, "reader") as reader:
        batch = read_next()
        while batch:
            following = reader.submit(read_next)
            embeddings = network.encode_all([rendered for _, _, rendered in batch])
            for (_, tile, (_, valid)), embedding in zip(batch, embeddings, strict=True):
                encodings.keep(tile, embedding, valid)
            done, batch = batch[-1][0], following.result()
            yield done
    if done < len(tiles):  # the last ones were kept
        yield len(tiles)
