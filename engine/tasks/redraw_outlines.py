"""Outlines drawn in another style, as they would be if they had just been found on a raster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import shapely

from ...contract.chores import RedrawParams
from ...contract.errors import PromptError
from ...contract.prompts import Prompts
from ...contract.requests import Shape
from ..encoding.clock import Checkpoint
from ..outlines.finish import finished
from ..segmenting.placement import place_polygon
from ..segmenting.reproject import reprojected
from ..segmenting.session import Segmenter


def run(segmenter: Segmenter, params: RedrawParams, checkpoint: Checkpoint) -> Iterator[Shape]:
    """Each shape in the raster's CRS, redrawn; those that lie off the raster, or that are none, are left out.

    Raises `RasterError`s, `CrsMissing`, `CrsUnknown`, and what `checkpoint` does.
    """
    source = segmenter.scene(params.image).source
    for number, each in enumerate(params.shapes):
        checkpoint("vectorize", number / len(params.shapes))
        drawn = Prompts(polygon=each.wkb_hex)
        if params.crs is not None:
            drawn = reprojected(drawn, params.crs, source.crs_wkt, params.image)
        try:
            placed = place_polygon(source, drawn.polygon or "")
        except PromptError:
            continue
        outline = finished(shapely.transform(placed, source.to_map), source, params.level, params.finish)
        yield replace(each, wkb_hex=shapely.to_wkb(outline, hex=True))
