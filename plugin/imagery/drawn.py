"""Layers that GDAL can't read: QGIS draws them, and a server on this machine alone gives the engine the pictures."""

from __future__ import annotations

import secrets
from functools import partial
from itertools import count
from urllib.parse import parse_qs, urlsplit

from qgis.core import QgsMapRendererSequentialJob, QgsMapSettings, QgsProject, QgsRasterLayer, QgsRectangle
from qgis.PyQt.QtCore import QBuffer, QEventLoop, QIODevice, QObject, QSize, Qt, QTimer
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtNetwork import QHostAddress, QTcpServer, QTcpSocket

from .services import wms_of

MOST_PX = 4096
"""Side of a picture; the engine asks for much smaller ones."""

MOST_WAIT_MS = 2000

MOST_REQUEST = 1 << 16
"""Bytes of a request's head."""


class DrawnLayers(QObject):
    """A map server for raster layers of a project, as they are shown on the map.

    Its addresses hold a secret, so that no other program on the machine gets pictures. Requests are answered in QGIS's own
    thread as they come, drawing happens in another one.
    """

    def __init__(self, project: QgsProject) -> None:
        super().__init__()
        self._project = project
        self._secret = secrets.token_urlsafe(16)
        self._looks: dict[str, int] = {}
        self._new_look = count()
        self._connected: set[QTcpSocket] = set()
        """Held: a socket and the slots on it are a ring, which Python would take for garbage, slots and all."""
        self._waiting: dict[QTcpSocket, QgsMapSettings] = {}
        self._drawing: QTcpSocket | None = None
        self._job: QgsMapRendererSequentialJob | None = None
        self._server = QTcpServer(self)
        self._server.newConnection.connect(self._take_connections)
        project.layersWillBeRemoved.connect(self._forget)

    def source(self, layer: QgsRasterLayer) -> str:
        """What GDAL opens for a layer of the project; another one once it looks otherwise. Raises `ImageryUnsupported`."""
        if not self._server.isListening():
            self._server.listen(QHostAddress(QHostAddress.SpecialAddress.LocalHost), 0)
        if layer.id() not in self._looks:
            self._note_look(layer.id())
            layer.rendererChanged.connect(partial(self._note_look, layer.id()))
            layer.dataChanged.connect(partial(self._note_look, layer.id()))
        address = f"http://127.0.0.1:{self._server.serverPort()}/{self._secret}/{layer.id()}/{self._looks[layer.id()]}"
        return wms_of(layer, address)

    def close(self) -> None:
        """Draw nothing any more; waits a little for the picture under way, which needs QGIS's events to end."""
        self._project.layersWillBeRemoved.disconnect(self._forget)
        self._server.close()
        for socket in list(self._connected):
            socket.abort()
        if self._job is not None:
            ended = QEventLoop()
            self._job.finished.connect(ended.quit)
            self._job.cancelWithoutBlocking()
            QTimer.singleShot(MOST_WAIT_MS, ended.quit)
            ended.exec()

    def _note_look(self, layer_id: str) -> None:
        self._looks[layer_id] = next(self._new_look)

    def _forget(self, layer_ids: list[str]) -> None:
        """A project that is opened again brings other layers of the same ids."""
        for layer_id in layer_ids:
            self._looks.pop(layer_id, None)

    def _take_connections(self) -> None:
        while self._server.hasPendingConnections():
            socket = self._server.nextPendingConnection()
            self._connected.add(socket)
            socket.setReadBufferSize(MOST_REQUEST)
            socket.readyRead.connect(partial(self._read, socket))
            socket.disconnected.connect(partial(self._drop, socket))
            self._read(socket)  # what came before the signal was connected

    def _read(self, socket: QTcpSocket) -> None:
        request = bytes(socket.peek(MOST_REQUEST))
        if b"\r\n\r\n" not in request:
            if len(request) == MOST_REQUEST:
                socket.abort()
            return
        socket.readAll()
        asked = urlsplit(request.partition(b" ")[2].partition(b" ")[0].decode("ascii", "replace"))
        secret, _, rest = asked.path.lstrip("/").partition("/")
        layer = self._project.mapLayer(rest.split("/")[0])
        if secret != self._secret or not isinstance(layer, QgsRasterLayer):
            _answer(socket, "410 Gone")
            return
        try:
            settings = _map_of(layer, {name.lower(): values[0] for name, values in parse_qs(asked.query).items()})
        except (KeyError, ValueError):
            _answer(socket, "501 Not Implemented")
            return
        self._waiting[socket] = settings
        self._draw_next()

    def _draw_next(self) -> None:
        """One at a time: sign-ins of several drawing threads can wait for one another forever."""
        if self._job is not None or not self._waiting:
            return
        socket, settings = next(iter(self._waiting.items()))
        self._drawing = socket
        self._job = QgsMapRendererSequentialJob(settings)
        self._job.setParent(self)  # Python's own would be deleted within its signal
        self._job.finished.connect(partial(self._on_drawn, socket))
        self._job.start()

    def _on_drawn(self, socket: QTcpSocket) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.deleteLater()
            if self._waiting.pop(socket, None) is not None:
                self._send(socket, job)
        self._draw_next()

    def _send(self, socket: QTcpSocket, job: QgsMapRendererSequentialJob) -> None:
        if job.errors():
            _answer(socket, "502 Bad Gateway")
            return
        picture = QBuffer()
        picture.open(QIODevice.OpenModeFlag.WriteOnly)
        job.renderedImage().save(picture, "PNG", 100)  # hardly compressed: it does not leave the machine
        _answer(socket, "200 OK", bytes(picture.data()))

    def _drop(self, socket: QTcpSocket) -> None:
        was_waiting = self._waiting.pop(socket, None) is not None
        if was_waiting and socket is self._drawing and self._job is not None:
            self._job.cancelWithoutBlocking()
        self._connected.discard(socket)
        socket.deleteLater()


def _map_of(layer: QgsRasterLayer, given: dict[str, str]) -> QgsMapSettings:
    """Of a WMS request; raises `KeyError` and `ValueError`."""
    x0, y0, x1, y1 = (float(value) for value in given["bbox"].split(","))
    size = QSize(int(given["width"]), int(given["height"]))
    if not (0 < size.width() <= MOST_PX and 0 < size.height() <= MOST_PX):
        raise ValueError(size)
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(layer.crs())
    settings.setExtent(QgsRectangle(x0, y0, x1, y1))
    settings.setOutputSize(size)
    settings.setBackgroundColor(QColor(Qt.GlobalColor.transparent))
    settings.setFlag(QgsMapSettings.Flag.RenderMapTile)
    return settings


def _answer(socket: QTcpSocket, status: str, body: bytes = b"") -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Type: image/png\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    socket.write(head.encode("ascii") + body)
    socket.disconnectFromHost()
