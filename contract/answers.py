"""What the engine answers, other than `SegmentResult`s."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from .requests import ModelInfo, SegmentResult
from .wire import Wire


@dataclass(frozen=True)
class Glanced(Wire):
    """What a click would give; None where that is not known without more work."""

    found: Optional[SegmentResult]


@dataclass(frozen=True)
class ModelsListed(Wire):
    """Those that are ready, then those that can be downloaded."""

    models: tuple[ModelInfo, ...]


@dataclass(frozen=True)
class ModelFetched(Wire):
    """Weights that were downloaded and not installed yet. is_known: whether their SHA-256 is the one that we know."""

    sha256: str
    is_known: bool


@dataclass(frozen=True)
class ModelMeasured(Wire):
    """Seconds to encode a tile; pays: whether OpenVINO is used from now on."""

    torch_seconds: float
    openvino_seconds: float
    pays: bool


@dataclass(frozen=True)
class Simplified(Wire):
    """Polygons in the order in which they were sent, as hexadecimal WKB."""

    wkb_hex: tuple[str, ...]


@dataclass(frozen=True)
class ModelAdded(Wire):
    """A model that was added, and the SHA-256 of its weights."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Encoded(Wire):
    """Tiles that are kept on disk now, and how many there will be."""

    done: int
    total: int


@dataclass(frozen=True)
class ReplayedFeature(Wire):
    """One of many features asked again, counted from 1. iou: with the old shape, None where nothing was found; status: why."""

    number: int
    count: int
    iou: Optional[float]
    status: str


@dataclass(frozen=True)
class Done(Wire):
    """There is nothing more to say."""
