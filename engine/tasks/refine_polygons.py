"""Rough outlines made exact: each is the model's prior for one object."""

from __future__ import annotations

from collections.abc import Iterator

from ...contract.prompts import Prompts
from ...contract.requests import ObjectPrompts, ShapesParams
from ..encoding.clock import Checkpoint
from ..segmenting.session import Segmenter
from . import segment_objects
from .segment_boxes import segment_objects_params
from .segment_objects import Segmented


def run(segmenter: Segmenter, params: ShapesParams, checkpoint: Checkpoint) -> Iterator[Segmented]:
    """As `segment_objects.run`; shapes are polygons."""
    objects = tuple(ObjectPrompts(each.id, Prompts(polygon=each.wkb_hex)) for each in params.shapes)
    return segment_objects.run(segmenter, segment_objects_params(params, objects), checkpoint)
