"""A server of map tiles, of WMS maps and of files with ranges, on 127.0.0.1, with troubles on demand."""

import base64
import json
import struct
import threading
import time
import zlib
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import numpy as np

WORLD_M = 20037508.342789244
LAKE = (-11_785_000.0, 4_880_000.0, 3_000.0)
"""Middle and radius of the one lake there is, in Web Mercator."""

SIGN_IN = "Basic " + base64.b64encode(b"me:secret").decode()


def png(pixels):
    """A PNG of (rows, columns, 3) bytes."""
    rows, cols, _ = pixels.shape
    raw = np.pad(pixels.reshape(rows, -1), ((0, 0), (1, 0))).tobytes()

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", cols, rows, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw, 1)) + chunk(b"IEND", b"")


def picture(x0, y0, x1, y1, cols, rows):
    """The world between two corners, y0 the upper one: (rows, columns, 3) bytes."""
    row, col = np.mgrid[:rows, :cols]
    x, y = x0 + (x1 - x0) * (col + 0.5) / cols, y0 + (y1 - y0) * (row + 0.5) / rows
    noise = (col * 7 + row * 13 + col * row) % 11
    is_lake = (x - LAKE[0]) ** 2 + (y - LAKE[1]) ** 2 < LAKE[2] ** 2
    ground = np.where(is_lake[..., None], (20, 40, 90), (120, 140, 80))
    return (ground + noise[..., None]).astype(np.uint8)


class TileServer:
    """`troubles`: of `missing`, `slow`, `private`, `broken` and `sharp`; `paths`: what was asked for."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.troubles = set()
        self.paths = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.answer(self)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *args):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)

    @contextmanager
    def running(self):
        self._thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()

    def answer(self, request):
        url = urlparse(request.path)
        self.paths.append(request.path)
        if "slow" in self.troubles:
            time.sleep(0.3)
        if "broken" in self.troubles:
            self._send(request, 500, b"broken")
        elif "private" in self.troubles and request.headers.get("Authorization") != SIGN_IN:
            self._send(request, 401, b"who are you?", extra={"WWW-Authenticate": 'Basic realm="tiles"'})
        elif url.path.startswith("/xyz/"):
            z, x, y = (int(part) for part in url.path[5:].removesuffix(".png").split("/"))
            if "missing" in self.troubles and (x + y) % 3 == 0:
                self._send(request, 404, b"no such tile")
                return
            side = 2 * WORLD_M / 2**z
            pixels = 512 if "sharp" in self.troubles else 256
            left, top = -WORLD_M + x * side, WORLD_M - y * side
            self._send(request, 200, png(picture(left, top, left + side, top - side, pixels, pixels)), "image/png")
        elif url.path == "/wmts":
            self._send(request, 200, wmts_capabilities(self.url).encode(), "text/xml")
        elif url.path == "/wms":
            self._wms(request, {name.lower(): values[0] for name, values in parse_qs(url.query).items()})
        elif url.path.startswith("/arcgis/"):
            self._arcgis(request, url.path, {name: values[0] for name, values in parse_qs(url.query).items()})
        else:
            self._file(request, self.folder / url.path.lstrip("/"))

    def _wms(self, request, given):
        if given.get("request") == "GetCapabilities":
            self._send(request, 200, CAPABILITIES.format(url=self.url).encode(), "text/xml")
            return
        x0, y0, x1, y1 = (float(each) for each in given["bbox"].split(","))
        body = png(picture(x0, y1, x1, y0, int(given["width"]), int(given["height"])))
        self._send(request, 200, body, "image/png")

    def _arcgis(self, request, path, given):
        if not path.endswith("/export"):
            self._send(request, 200, json.dumps(MAP_SERVER).encode(), "application/json")
            return
        x0, y0, x1, y1 = (float(each) for each in given["bbox"].split(","))
        cols, rows = (int(each) for each in given["size"].split(","))
        self._send(request, 200, png(picture(x0, y1, x1, y0, cols, rows)), "image/png")

    def _file(self, request, path):
        if not path.is_file():
            self._send(request, 404, b"")
            return
        data = path.read_bytes()
        asked = request.headers.get("Range")
        if not asked:
            self._send(request, 200, data)
            return
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last or len(data) - 1), len(data) - 1)
        self._send(request, 206, data[start : end + 1], extra={"Content-Range": f"bytes {start}-{end}/{len(data)}"})

    def _send(self, request, code, body, kind="application/octet-stream", extra=None):
        request.send_response(code)
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Accept-Ranges": "bytes", **(extra or {})}
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(body)


def wmts_capabilities(url):
    """Of the tiles under /xyz/, from zoom 2 to 15."""
    matrices = "".join(
        f"<TileMatrix><ows:Identifier>{z}</ows:Identifier><ScaleDenominator>{559082264.0287178 / 2**z!r}</ScaleDenominator>"
        f"<TopLeftCorner>{-WORLD_M!r} {WORLD_M!r}</TopLeftCorner><TileWidth>256</TileWidth><TileHeight>256</TileHeight>"
        f"<MatrixWidth>{2**z}</MatrixWidth><MatrixHeight>{2**z}</MatrixHeight></TileMatrix>"
        for z in range(2, 16)
    )
    return WMTS_CAPABILITIES.format(url=url, matrices=matrices)


WMTS_CAPABILITIES = """<?xml version="1.0"?>
<Capabilities xmlns="http://www.opengis.net/wmts/1.0" xmlns:ows="http://www.opengis.net/ows/1.1"
xmlns:xlink="http://www.w3.org/1999/xlink" version="1.0.0">
<ows:ServiceIdentification><ows:Title>t</ows:Title><ows:ServiceType>OGC WMTS</ows:ServiceType>
<ows:ServiceTypeVersion>1.0.0</ows:ServiceTypeVersion></ows:ServiceIdentification>
<Contents><Layer><ows:Title>photo</ows:Title><ows:Identifier>photo</ows:Identifier>
<ows:WGS84BoundingBox><ows:LowerCorner>-180 -85.0511</ows:LowerCorner><ows:UpperCorner>180 85.0511</ows:UpperCorner>
</ows:WGS84BoundingBox><Style isDefault="true"><ows:Identifier>default</ows:Identifier></Style><Format>image/png</Format>
<TileMatrixSetLink><TileMatrixSet>mercator</TileMatrixSet></TileMatrixSetLink>
<ResourceURL format="image/png" resourceType="tile" template="{url}/xyz/{{TileMatrix}}/{{TileCol}}/{{TileRow}}.png"/></Layer>
<TileMatrixSet><ows:Identifier>mercator</ows:Identifier><ows:SupportedCRS>urn:ogc:def:crs:EPSG::3857</ows:SupportedCRS>
{matrices}</TileMatrixSet></Contents></Capabilities>
"""

MAP_SERVER = {
    "currentVersion": 10.81,
    "mapName": "photo",
    "layers": [{"id": 0, "name": "photo"}],
    "spatialReference": {"wkid": 102100, "latestWkid": 3857},
    "singleFusedMapCache": False,
    "supportedImageFormatTypes": "PNG32,PNG24,PNG,JPG",
    "capabilities": "Map",
    "fullExtent": {
        "xmin": -11885000,
        "ymin": 4780000,
        "xmax": -11685000,
        "ymax": 4980000,
        "spatialReference": {"wkid": 102100, "latestWkid": 3857},
    },
}

CAPABILITIES = """<?xml version="1.0"?>
<WMT_MS_Capabilities version="1.1.1">
<Service><Name>OGC:WMS</Name><Title>t</Title><OnlineResource/></Service><Capability><Request>
<GetCapabilities><Format>application/vnd.ogc.wms_xml</Format><DCPType><HTTP><Get><OnlineResource
xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="{url}/wms?"/></Get></HTTP></DCPType></GetCapabilities>
<GetMap><Format>image/png</Format><DCPType><HTTP><Get><OnlineResource xmlns:xlink="http://www.w3.org/1999/xlink"
xlink:href="{url}/wms?"/></Get></HTTP></DCPType></GetMap></Request><Layer><Title>w</Title><SRS>EPSG:3857</SRS>
<Layer queryable="0"><Name>photo</Name><Title>photo</Title><SRS>EPSG:3857</SRS><BoundingBox SRS="EPSG:3857" minx="-11885000"
miny="4780000" maxx="-11685000" maxy="4980000"/><LatLonBoundingBox minx="-106.77" miny="39.4" maxx="-104.97"
maxy="40.77"/></Layer></Layer></Capability></WMT_MS_Capabilities>
"""
