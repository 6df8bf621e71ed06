"""What each model fulfils: encode a tile once, decode it for each set of prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from .places import RowCol

FloatImage = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
RenderedTile = tuple[npt.NDArray[np.uint8], Mask]
"""(rows, columns, 3) RGB image and (rows, columns) valid pixels of a tile."""


Kind = TypeVar("Kind")

MOST_CANDIDATES = 3


class Embedding(Protocol):
    """A model's features of one tile, of a form that only the model knows."""

    @property
    def nbytes(self) -> int:
        """Memory held."""
        ...


@dataclass(frozen=True)
class PixelPrompts:
    """Prompts in a tile's continuous pixel coordinates: x right, y down, (0, 0) at the outer corner of the first pixel.

    points_xy: (n, 2) float64, oldest first. foreground: (n,) bool. box_xyxy: (x0, y0, x1, y1) with x0 < x1 and y0 < y1.
    Points lie inside the tile; of points in the same pixel the newest counts. prior: (rows, columns) float32 of the tile,
    the probability that an earlier or coarser answer gives each pixel; a model may leave it aside. prior_is_answer: it was
    answered to all of these prompts, elsewhere; else to none of the points.
    """

    points_xy: npt.NDArray[np.float64]
    foreground: Mask
    box_xyxy: tuple[float, float, float, float] | None = None
    prior: FloatImage | None = None
    prior_is_answer: bool = False

    def answered_with(self, answer: FloatImage) -> PixelPrompts:
        """The same, with the (rows, columns) probabilities that were answered to them elsewhere."""
        return replace(self, prior=answer, prior_is_answer=True)

    def pixels(self, shape: tuple[int, int]) -> dict[RowCol, bool]:
        """The pixel of each point in a tile of `shape` (rows, columns), with whether it is foreground; newest wins."""
        rows, cols = shape
        return {
            RowCol(min(max(int(y), 0), rows - 1), min(max(int(x), 0), cols - 1)): bool(is_foreground)
            for (x, y), is_foreground in zip(self.points_xy, self.foreground, strict=True)
        }


@dataclass(frozen=True)
class Candidate:
    """One of a model's masks. logits: (rows, columns) float32 of the tile, above 0 inside; score: predicted IoU, 0..1."""

    logits: FloatImage
    score: float


class Model(Protocol):
    """A promptable segmentation model.

    Contract (tests/engine/test_model_contract.py): same input, same output; logits are finite; the pixel of a foreground
    point is inside every candidate and the pixel of a background point outside; invalid pixels are never inside.
    """

    @property
    def name(self) -> str:
        """Name in the registry."""
        ...

    def encode(self, image: npt.NDArray[np.uint8], valid: Mask) -> Embedding:
        """Features of a (rows, columns, 3) uint8 RGB image of 1 to 1024 px a side, with (rows, columns) valid pixels."""
        ...

    def decode(self, embedding: Embedding, prompts: PixelPrompts, most: int = MOST_CANDIDATES) -> tuple[Candidate, ...]:
        """One to `most` candidates, best first, or none where nothing is found; the first ones do not depend on `most`."""
        ...


def own(embedding: Embedding, kind: type[Kind]) -> Kind:
    """An embedding as a model's own kind; raises `TypeError` for another model's."""
    if not isinstance(embedding, kind):
        raise TypeError(f"{type(embedding).__name__} where a {kind.__name__} belongs: it is another model's")
    return embedding


@runtime_checkable
class StorableEmbedding(Embedding, Protocol):
    """One that can be kept on disk."""

    def features(self) -> dict[str, FloatArray]:
        """What `Storing.restored` makes the same embedding of: (channels, ...) float32 each."""
        ...


@runtime_checkable
class Storing(Protocol):
    """A model whose embeddings can be kept on disk."""

    @property
    def encoding(self) -> str:
        """What embeddings depend on besides weights and tile: a version of how they are made, and the encoder's precision."""
        ...

    def restored(self, features: Mapping[str, FloatArray], valid: Mask) -> StorableEmbedding:
        """The embedding that gave the features; raises `KeyError` where some are missing."""
        ...


@dataclass(frozen=True)
class Cells:
    """Features of a tile, cell by cell: (channels, rows, columns). side_px: of a cell, in pixels of the tile."""

    features: FloatArray
    side_px: int


@runtime_checkable
class Describing(Protocol):
    """A model that shows what it makes of a tile."""

    def describe(self, embedding: Embedding) -> Cells:
        """Square cells that cover the tile, the last ones beyond it perhaps."""
        ...


@dataclass(frozen=True)
class Detection:
    """What a model found without prompts. class_name: of those that it was trained on."""

    class_name: str
    candidate: Candidate


@runtime_checkable
class Detecting(Protocol):
    """A model that finds objects of its classes by itself."""

    def detections(self, embedding: Embedding, least_score: float) -> Iterator[Detection]:
        """What there is in a tile with at least some score, best first; logits as candidates have them."""
        ...


@runtime_checkable
class Batching(Protocol):
    """A model that encodes several tiles together."""

    @property
    def batch(self) -> int:
        """How many at a time pay on its device and fit there; may become less."""
        ...

    def encode_all(self, tiles: Sequence[RenderedTile]) -> list[Embedding]:
        """As `Model.encode` of each, but for rounding."""
        ...


class LearningModel(Model, Protocol):
    """A model that follows the objects accepted on one raster."""

    def learn(self, embedding: Embedding, accepted: Mask, before_step: Callable[[], None]) -> None:
        """Take in an accepted object: (rows, columns) of the tile. Raises what `before_step` does, called often."""
        ...


@runtime_checkable
class Adaptable(Protocol):
    """A model of which there can be copies that learn."""

    def learner(self) -> LearningModel:
        """A copy that has learnt nothing yet; its embeddings and this one's are the same."""
        ...
