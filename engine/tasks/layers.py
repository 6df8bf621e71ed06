"""What the plugin asks about layers: to simplify polygons that share borders, to write formats that QGIS's GDAL may lack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError

from ...contract.errors import BordersNotShared, LayerUnreadable, ProtocolError
from ..files.export import write_frame
from ..outlines.contours import polygonal

Params = dict[str, Any]


def simplify(params: Params) -> Params:
    """Polygons as hexadecimal WKB, with fewer vertices, borders shared as before; raises `BordersNotShared`.

    Visvalingam and Whyatt (1993) on the edges between polygons, as GEOS does it: a tolerance in units of the coordinates is the
    square root of the area that leaving out a vertex may change. is_whole: whether these are all
    the polygons there are; else their outer borders stay.
    """
    try:
        shapes = shapely.from_wkb([bytes.fromhex(each) for each in params["wkb_hex"]])
        tolerance, is_whole = float(params["tolerance"]), bool(params.get("is_whole", True))
    except (KeyError, TypeError, ValueError, shapely.GEOSException) as error:
        raise ProtocolError(reason=f"bad shapes, {error!r}") from error
    sound = np.array([polygonal(shape) or shape for shape in shapes], dtype=object)
    if not shapely.coverage_is_valid(sound):
        wrong = sum(edges is not None and not edges.is_empty for edges in shapely.coverage_invalid_edges(sound))
        raise BordersNotShared(count=wrong)
    simpler = shapely.coverage_simplify(sound, tolerance, simplify_boundary=is_whole)
    return {"wkb_hex": [shapely.to_wkb(shape, hex=True) for shape in simpler]}


def convert(params: Params) -> Params:
    """A layer from one file to another, in the format of its suffix; raises `LayerUnreadable` and as `export.write`."""
    try:
        source, target = str(params["source"]), Path(str(params["target"]))
        frame = pyogrio.read_dataframe(source)
    except KeyError as error:
        raise ProtocolError(reason=f"bad conversion, {error!r}") from error
    except (DataSourceError, DataLayerError) as error:
        raise LayerUnreadable(path=source, reason=str(error)) from error
    write_frame(frame, target)
    return {}
