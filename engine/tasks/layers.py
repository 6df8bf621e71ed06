"""What is done to layers: polygons that share borders simplified, files written in formats that QGIS's GDAL may lack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import shapely

from ...contract.answers import Done, Simplified
from ...contract.chores import ConvertParams, SimplifyParams
from ...contract.errors import BordersNotShared, ProtocolError
from ...contract.wkb import checked_wkb
from ..encoding.clock import Checkpoint
from ..files.export import write_frame
from ..files.reading import read_layer
from ..outlines.contours import polygonal


def simplify(params: SimplifyParams, checkpoint: Checkpoint) -> Simplified:
    """Polygons with fewer vertices, borders shared as before; raises `BordersNotShared`, `ProtocolError`.

    Visvalingam and Whyatt (1993) on the edges between polygons, as GEOS does it: a tolerance in units of the coordinates is the
    square root of the area that leaving out a vertex may change.
    """
    try:
        shapes = shapely.from_wkb([checked_wkb(each) for each in params.wkb_hex])
    except (ValueError, shapely.GEOSException) as error:
        raise ProtocolError(reason=f"bad shapes, {error!r}") from error
    sound = np.array([polygonal(shape) or shape for shape in shapes], dtype=object)
    if not shapely.coverage_is_valid(sound):
        wrong = sum(edges is not None and not edges.is_empty for edges in shapely.coverage_invalid_edges(sound))
        raise BordersNotShared(count=wrong)
    simpler = shapely.coverage_simplify(sound, params.tolerance, simplify_boundary=params.is_whole)
    return Simplified(tuple(shapely.to_wkb(shape, hex=True) for shape in simpler))


def convert(params: ConvertParams, checkpoint: Checkpoint) -> Done:
    """A layer from one file to another, in the format of its suffix; raises `LayerUnreadable` and as `export.write`."""
    write_frame(read_layer(Path(params.source)), Path(params.target))
    return Done()
