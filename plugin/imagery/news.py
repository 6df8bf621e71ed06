"""What is told once of each layer that is clicked on."""

from __future__ import annotations

from collections.abc import Iterator

from qgis.core import QgsRasterLayer
from qgis.gui import QgsMapCanvas

from ..translation import tr


class ImageryNews:
    """Of a canvas's layers."""

    def __init__(self, canvas: QgsMapCanvas) -> None:
        self._canvas = canvas
        self._told: set[tuple[str, str]] = set()

    def of(self, layer: QgsRasterLayer) -> Iterator[str]:
        """What the user does not know yet."""
        if not layer.crs().isValid() and self._is_new(layer, "crs"):
            yield tr("The imagery has no CRS: polygons are in its coordinates. If you know it, assign one in its properties.")
        is_shown = layer in self._canvas.layers()
        if not is_shown and self._is_new(layer, "hidden"):
            text = tr(
                "{layer} is segmented, though the map does not show it. Show it in the list of layers, or choose other imagery."
            )
            yield text.format(layer=layer.name())
        if is_shown:
            self._told.discard((layer.id(), "hidden"))

    def _is_new(self, layer: QgsRasterLayer, what: str) -> bool:
        is_new = (layer.id(), what) not in self._told
        self._told.add((layer.id(), what))
        return is_new
