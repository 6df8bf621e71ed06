"""What the plugin asks about layers: to simplify polygons that share borders, to write formats that QGIS's GDAL may lack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import shapely

from ...contract.answers import Simplified
from ...contract.errors import BordersNotShared, ProtocolError
from ...contract.wkb import checked_wkb
from ..files.export import write_frame
from ..files.reading import read_layer
from ..outlines.contours import polygonal

Params = dict[str, Any]


def simplify(params: Params) -> Params:
    """Polygons as hexadecimal WKB, with fewer vertices, borders shared as before; raises `BordersNotShared`.

    Visvalingam and Whyatt (1993) on the edges between polygons, as GEOS does it: a tolerance in units of the coordinates is the
    square root of the area that leaving out a vertex may change. is_whole: whether these are all
    the polygons there are; else their outer borders stay.
    """
    try:
        shapes = shapely.from_wkb([checked_wkb(each) for each in params["wkb_hex"]])
        tolerance, is_whole = float(params["tolerance"]), bool(params.get("is_whole", True))
    except (KeyError, TypeError, ValueError, shapely.GEOSException) as error:
        raise ProtocolError(reason=f"bad shapes, {error!r}") from error
    sound = np.array([polygonal(shape) or shape for shape in shapes], dtype=object)
    if not shapely.coverage_is_valid(sound):
        wrong = sum(edges is not None and not edges.is_empty for edges in shapely.coverage_invalid_edges(sound))
        raise BordersNotShared(count=wrong)
    simpler = shapely.coverage_simplify(sound, tolerance, simplify_boundary=is_whole)
    return Simplified(tuple(shapely.to_wkb(shape, hex=True) for shape in simpler)).to_wire()


def convert(params: Params) -> Params:
    """A layer from one file to another, in the format of its suffix; raises `LayerUnreadable` and as `export.write`."""
    try:
        source, target = Path(str(params["source"])), Path(str(params["target"]))
    except KeyError as error:
        raise ProtocolError(reason=f"bad conversion, {error!r}") from error
    write_frame(read_layer(source), target)
    return {}
