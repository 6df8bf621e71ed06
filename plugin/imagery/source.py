"""From a raster layer of the map to what the engine opens, and from the map's scale to a level."""

from __future__ import annotations

import math
from functools import lru_cache

from qgis.core import (
    QgsCoordinateTransform,
    QgsPointXY,
    QgsProviderRegistry,
    QgsRasterDataProvider,
    QgsRasterLayer,
)

from ..errors import ImageryInvalid, ImageryUnsupported, NoImagery
from ..geo.transforms import transformed
from .services import PROVIDERS, gdal_source


def raster_path(layer: QgsRasterLayer | None) -> str:
    """What GDAL opens for the layer; raises `NoImagery`, `ImageryInvalid`, `ImageryUnsupported`."""
    if layer is None:
        raise NoImagery()
    if not layer.isValid():
        raise ImageryInvalid(layer=layer.name())
    if layer.providerType() not in ("gdal", *PROVIDERS):
        raise ImageryUnsupported(layer=layer.name(), provider=layer.providerType())
    if layer.providerType() in PROVIDERS:
        return gdal_source(layer)
    parts = QgsProviderRegistry.instance().decodeUri("gdal", layer.source())
    if parts.get("layerName") or not parts.get("path"):
        return layer.source()
    return f"{parts.get('vsiPrefix') or ''}{parts['path']}{parts.get('vsiSuffix') or ''}"


def says_more_than_its_file(layer: QgsRasterLayer) -> bool:
    """Whether a layer of a file has options for opening it, or says itself which values are no data: only QGIS heeds that."""
    if layer.providerType() != "gdal" or not layer.isValid():
        return False
    if QgsProviderRegistry.instance().decodeUri("gdal", layer.source()).get("openOptions"):
        return True
    provider = layer.dataProvider()
    return any(
        provider.userNoDataValues(band) or (provider.sourceHasNoDataValue(band) and not provider.useSourceNoDataValue(band))
        for band in range(1, provider.bandCount() + 1)
    )


def opens_in_qgis(layer: QgsRasterLayer) -> bool:
    """Whether QGIS's own GDAL still opens the layer's source, which the engine's does not."""
    opened = QgsProviderRegistry.instance().createProvider("gdal", layer.source())
    return isinstance(opened, QgsRasterDataProvider) and opened.isValid()


def level_at(
    layer: QgsRasterLayer, source: str, center: QgsPointXY, map_units_per_pixel: float, transform: QgsCoordinateTransform
) -> int:
    """The level whose pixels are nearest to the map's, so that what is segmented is what is seen.

    source: what GDAL opens for the layer. transform: map to layer. Raises `CoordinatesUntransformable` and `ImageryInvalid`.
    """
    here = transformed(center, transform)
    right = transformed(QgsPointXY(center.x() + map_units_per_pixel, center.y()), transform)
    pixel_x, pixel_y = pixel_size(layer, source)
    native_px = math.hypot((right.x() - here.x()) / pixel_x, (right.y() - here.y()) / pixel_y)
    return round(math.log2(native_px)) if native_px > 0 else 0


def pixel_size(layer: QgsRasterLayer, source: str) -> tuple[float, float]:
    """(x, y) in units of the CRS, of what GDAL opens for a layer; raises `ImageryInvalid`."""
    if layer.providerType() == "gdal":
        return layer.rasterUnitsPerPixelX(), layer.rasterUnitsPerPixelY()
    resolutions = layer.dataProvider().nativeResolutions()
    if source.startswith("WMTS:") and resolutions:  # GDAL would ask the server
        return min(resolutions), min(resolutions)
    try:
        return _pixel_size(source)  # QGIS tells 1 of servers
    except ImageryInvalid as error:
        raise ImageryInvalid(layer=layer.name()) from error


@lru_cache(maxsize=16)
def _pixel_size(source: str) -> tuple[float, float]:
    opened = QgsProviderRegistry.instance().createProvider("gdal", source)  # a layer would read pixels, for statistics
    if not isinstance(opened, QgsRasterDataProvider) or not opened.isValid():
        raise ImageryInvalid(layer=source)
    return opened.extent().width() / opened.xSize(), opened.extent().height() / opened.ySize()
