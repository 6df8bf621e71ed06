"""Errors of the engine in terms of the map: layers by their names, places in the map's coordinates."""

from __future__ import annotations

from collections.abc import Callable

from qgis.core import QgsPointXY, QgsRasterLayer

from ...contract.errors import PromptError, RasterLassoError


def in_terms_of_the_map(
    error: RasterLassoError, layer: QgsRasterLayer | None, to_map: Callable[[QgsPointXY], QgsPointXY]
) -> RasterLassoError:
    """The same error for who sees the map. layer: that was asked about; to_map: from its coordinates, may raise any of ours.

    A file that can't be read is named by its path, and a server by its address, by which they can be mended.
    """
    if layer is None or not isinstance(error, PromptError):
        return error
    params = dict(error.params)
    if "path" in params:
        params["path"] = layer.name()
    if "x" in params and "y" in params:
        try:
            place = to_map(QgsPointXY(float(params["x"]), float(params["y"])))
            params["x"], params["y"] = place.x(), place.y()
        except (RasterLassoError, TypeError, ValueError):  # no coordinates are better than those of another CRS
            return error
    return type(error)(**params)
