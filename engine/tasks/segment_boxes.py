"""One object in each box: the boxes around some geometries are the prompts."""

from __future__ import annotations

from collections.abc import Iterator

import shapely

from ...contract.prompts import Box, Prompts
from ...contract.requests import ObjectPrompts, SegmentObjectsParams, ShapesParams
from ..encoding.clock import Checkpoint
from ..segmenting.placement import from_hex
from ..segmenting.session import Segmenter
from . import segment_objects
from .segment_objects import Segmented


def run(segmenter: Segmenter, params: ShapesParams, checkpoint: Checkpoint) -> Iterator[Segmented]:
    """As `segment_objects.run`; raises `ProtocolError` for what is no geometry."""
    objects = tuple(ObjectPrompts(each.id, _box(each.wkb_hex)) for each in params.shapes)
    return segment_objects.run(segmenter, segment_objects_params(params, objects), checkpoint)


def segment_objects_params(params: ShapesParams, objects: tuple[ObjectPrompts, ...]) -> SegmentObjectsParams:
    """The same parameters with prompts in the place of shapes."""
    return SegmentObjectsParams(params.image, objects, params.crs, params.model, params.level, params.stretch, params.finish)


def _box(wkb_hex: str) -> Prompts:
    """Of an empty geometry nothing, which is told when it is asked."""
    shape = from_hex(wkb_hex)
    return Prompts() if shape.is_empty else Prompts(box=Box(*map(float, shapely.bounds(shape))))
