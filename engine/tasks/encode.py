"""A raster's tiles, encoded ahead of all clicks and kept on disk."""

from __future__ import annotations

from collections.abc import Iterator

from ...contract.answers import Encoded
from ...contract.chores import EncodeParams
from ..encoding.clock import Checkpoint
from ..segmenting.session import Segmenter


def run(segmenter: Segmenter, params: EncodeParams, checkpoint: Checkpoint) -> Iterator[Encoded]:
    """How far it is after each step; raises as `Segmenter.encode`."""
    share = 0.0

    def told(stage: str, fraction: float) -> None:
        checkpoint(stage, share)

    steps = segmenter.encode(
        params.image,
        model=params.model,
        levels=params.levels,
        area=params.area,
        stretch=params.stretch,
        checkpoint=told,
    )
    for done, total in steps:
        share = done / total
        yield Encoded(done, total)
