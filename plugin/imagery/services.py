"""Layers of QGIS's providers for servers (XYZ, WMS, WMTS, ArcGIS) as what GDAL's own drivers for such services open."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit
from urllib.request import url2pathname
from xml.etree import ElementTree  # nosec B405 # it only writes

from qgis.core import QgsCoordinateReferenceSystem, QgsDataSourceUri, QgsRasterInterface, QgsRasterLayer

from ..errors import ImageryUnsupported
from ..geo.crs import crs_code
from ..translation import tr

WORLD_M = 20037508.342789244
"""Half the side of Web Mercator's square."""

DEFAULT_ZMAX = 18
TILE_PX = 256
FINEST_M = 0.1
"""Ground size of a pixel that a WMS is asked for at most."""

METRES_PER_DEGREE = 111_320.0
MISSING_CODES = "204,400,404,416"
"""HTTP codes of a tile that is not there."""

TIMEOUT_S = 30

ARCGIS = "arcgismapserver"
PROVIDERS = ("wms", ARCGIS)
"""Of QGIS, whose layers are read through GDAL's driver for services."""


def gdal_source(layer: QgsRasterLayer) -> str:
    """For `gdal.Open`; raises `ImageryUnsupported`."""
    if layer.providerType() == ARCGIS:
        return _arcgis(layer)
    given = {name: values[-1] for name, values in parse_qs(layer.source().replace("+", "%2B"), keep_blank_values=True).items()}
    if "authcfg" in given:
        raise _unsupported(layer, tr("it needs a sign-in that only QGIS knows"))
    if given.get("type") == "mbtiles":
        return url2pathname(urlsplit(given.get("url", "")).path)
    if given.get("type") == "xyz":
        return _xyz(layer, given)
    if "tileMatrixSet" in given:
        return f"WMTS:{given['url']},layer={given.get('layers', '')},tilematrixset={given['tileMatrixSet']}"
    return _wms(layer, given)


def _xyz(layer: QgsRasterLayer, given: dict[str, str]) -> str:
    url = given.get("url", "")
    if not all(f"{{{name}}}" in url for name in "zx") or not ("{y}" in url or "{-y}" in url):
        raise _unsupported(layer, tr("its address has no {z}, {x} and {y}"))
    if float(given.get("tilePixelRatio") or 0) > 1:
        raise _unsupported(layer, tr("its tiles have more pixels than GDAL expects"))
    zmax, zmin = int(given.get("zmax") or DEFAULT_ZMAX), int(given.get("zmin") or 0)
    is_from_below = "{-y}" in url
    for ours, theirs in (("{z}", "${z}"), ("{x}", "${x}"), ("{-y}", "${y}"), ("{y}", "${y}")):
        url = url.replace(ours, theirs)
    root = ElementTree.Element("GDAL_WMS")
    service = ElementTree.SubElement(root, "Service", name="TMS")
    ElementTree.SubElement(service, "ServerUrl").text = url
    window = {"UpperLeftX": -WORLD_M, "UpperLeftY": WORLD_M, "LowerRightX": WORLD_M, "LowerRightY": -WORLD_M}
    grid = {"TileLevel": zmax, "TileCountX": 1, "TileCountY": 1, "YOrigin": "bottom" if is_from_below else "top"}
    _add(ElementTree.SubElement(root, "DataWindow"), {**window, **grid})
    _add(root, {"Projection": "EPSG:3857", "OverviewCount": max(zmax - zmin, 0), "BlockSizeX": TILE_PX, "BlockSizeY": TILE_PX})
    return _finished(root, given)


def _wms(layer: QgsRasterLayer, given: dict[str, str]) -> str:
    url = given.get("url", "")
    url += "" if url.endswith(("?", "&")) else "&" if "?" in url else "?"
    crs = QgsCoordinateReferenceSystem(given.get("crs", ""))
    service: dict[str, object] = {
        "Version": "1.1.1",  # x first in every CRS
        "ServerUrl": url,
        "SRS": crs_code(crs),
        "ImageFormat": given.get("format") or "image/png",
        "Layers": given.get("layers", ""),
        "Styles": given.get("styles", ""),
        "Transparent": "TRUE",
    }
    return _of_extent(layer, "WMS", given, crs, service)


def wms_of(layer: QgsRasterLayer, url: str) -> str:
    """For `gdal.Open`, of a WMS that draws a layer as it is shown; raises `ImageryUnsupported`."""
    service: dict[str, object] = {
        "Version": "1.1.1",
        "ServerUrl": f"{url}?",
        "SRS": crs_code(layer.crs()),
        "ImageFormat": "image/png",
        "Layers": "shown",
    }
    has_pixels = layer.dataProvider().capabilities() & QgsRasterInterface.Capability.Size
    pixel = min(layer.rasterUnitsPerPixelX(), layer.rasterUnitsPerPixelY()) if has_pixels else None
    return _of_extent(layer, "WMS", {"url": url}, layer.crs(), service, pixel)


def _arcgis(layer: QgsRasterLayer) -> str:
    """Of an ArcGIS map service, drawn by the server."""
    uri = QgsDataSourceUri(layer.source())
    if uri.authConfigId():
        raise _unsupported(layer, tr("it needs a sign-in that only QGIS knows"))
    given = {"url": uri.param("url"), "referer": uri.param("referer")}
    service: dict[str, object] = {
        "ServerUrl": given["url"],
        "BBoxOrder": "xyXY",
        "SRS": str(layer.crs().postgisSrid()),
        "ImageFormat": uri.param("format") or "PNG32",
        "Transparent": "TRUE",
    }
    if uri.param("layer"):
        service["Layers"] = f"show:{uri.param('layer')}"
    return _of_extent(layer, "AGS", given, layer.crs(), service)


def _of_extent(
    layer: QgsRasterLayer,
    kind: str,
    given: dict[str, str],
    crs: QgsCoordinateReferenceSystem,
    service: dict[str, object],
    pixel: float | None = None,
) -> str:
    """Of a server that draws any part of a layer's extent.

    pixel: size in units of the CRS, None where there is no native one.
    """
    extent = layer.extent()
    if not given.get("url") or not crs.isValid() or extent.isEmpty():
        raise _unsupported(layer, tr("its address, CRS or extent is not known"))
    pixel = pixel or (FINEST_M / METRES_PER_DEGREE if crs.isGeographic() else FINEST_M)
    root = ElementTree.Element("GDAL_WMS")
    _add(ElementTree.SubElement(root, "Service", name=kind), service)
    corners = {"UpperLeftX": extent.xMinimum(), "UpperLeftY": extent.yMaximum()}
    corners |= {"LowerRightX": extent.xMaximum(), "LowerRightY": extent.yMinimum()}
    size = {"SizeX": round(extent.width() / pixel), "SizeY": round(extent.height() / pixel)}
    _add(ElementTree.SubElement(root, "DataWindow"), {**corners, **size})
    _add(root, {"Projection": crs_code(crs), "BlockSizeX": 512, "BlockSizeY": 512})
    return _finished(root, given)


def _finished(root: ElementTree.Element, given: dict[str, str]) -> str:
    _add(root, {"BandsCount": 4, "MaxConnections": 4, "Timeout": TIMEOUT_S, "ZeroBlockHttpCodes": MISSING_CODES})
    referer = given.get("http-header:referer") or given.get("referer")
    _add(root, {"UserAgent": "Mozilla/5.0 QGIS/Raster Lasso", **({"Referer": referer} if referer else {})})
    return ElementTree.tostring(root, encoding="unicode")


def _add(parent: ElementTree.Element, values: dict[str, object]) -> None:
    for name, value in values.items():
        ElementTree.SubElement(parent, name).text = repr(value) if isinstance(value, float) else str(value)


def _unsupported(layer: QgsRasterLayer, reason: str) -> ImageryUnsupported:
    return ImageryUnsupported(layer=layer.name(), provider=f"{layer.providerType()}, {reason}")
