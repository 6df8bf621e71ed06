"""The engine's side of the pipe: reads requests from standard input, answers on standard output.

A reader thread takes lines at once, so that a newer request or a cancellation stops the work in hand at its next
checkpoint. The end of standard input ends the engine.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO

from . import protocol
from .errors import EngineBroken, InternalError, NothingFound, PromptError, ProtocolError, RasterLassoError, first_line
from .ops import LearnParams, PrefetchParams, SegmentParams, SegmentResult
from .protocol import Cancel, Cancelled, Failure, Message, Notice, Progress, Ready, Request, Result
from .version import version

if TYPE_CHECKING:
    from .segmenter import Segmentation, Segmenter
    from .tiling import Tile

log = logging.getLogger(__name__)


MIN_PART_SECONDS = 0.5
PART_PAUSE = 5
"""Between two parts of an answer lie at least so many seconds, and so many times what the last one took."""


class RequestCancelled(Exception):
    """Unwinds the work on a request that nobody waits for any more."""


class Inbox:
    """Requests in order of arrival, less those cancelled or overtaken. Shared by the reader and the working thread."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._queue: deque[Request] = deque()
        self._current: Request | None = None
        self._stop_current = False
        self._closed = False

    def put(self, request: Request) -> list[Request]:
        """Queue a request; returns the queued ones of its channel that it overtakes."""
        with self._condition:
            overtaken = [r for r in self._queue if _overtakes(request, r)]
            for each in overtaken:
                self._queue.remove(each)
            if self._current is not None and _overtakes(request, self._current):
                self._stop_current = True
            self._queue.append(request)
            self._condition.notify()
            return overtaken

    def cancel(self, request_id: int) -> list[Request]:
        """Take a request back; returns it where it was still queued."""
        with self._condition:
            dropped = [r for r in self._queue if r.id == request_id]
            for each in dropped:
                self._queue.remove(each)
            if self._current is not None and self._current.id == request_id:
                self._stop_current = True
            return dropped

    def close(self) -> None:
        """No more will come: stop the work in hand and let `take` end."""
        with self._condition:
            self._closed = self._stop_current = True
            self._queue.clear()
            self._condition.notify()

    def take(self, *, wait: bool = True) -> Request | None:
        """The next request. None once closed, and where none is there and `wait` is false."""
        with self._condition:
            self._current, self._stop_current = None, self._closed
            if wait:
                self._condition.wait_for(lambda: self._queue or self._closed)
            if self._closed or not self._queue:
                return None
            self._current = self._queue.popleft()
            return self._current

    @property
    def is_closed(self) -> bool:
        """Whether no more will come."""
        with self._condition:
            return self._closed

    @property
    def has_waiting(self) -> bool:
        """Whether another request is queued."""
        with self._condition:
            return bool(self._queue)

    @property
    def stop_current(self) -> bool:
        """Whether nobody waits for the request in hand any more."""
        with self._condition:
            return self._stop_current


def _overtakes(newer: Request, older: Request) -> bool:
    return bool(newer.channel) and newer.channel == older.channel and newer.revision > older.revision


class Worker:
    """Answers requests with one `Segmenter`. Its libraries load after `Ready` was sent, while the user looks for a place."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._inbox = Inbox()
        self._segmenter: Segmenter | None = None
        self._prefetching: Iterator[Tile] | None = None
        self._ops: dict[str, Callable[[Request], dict[str, Any]]] = {
            "segment": self._segment,
            "glance": self._glance,
            "learn": self._learn,
            "prefetch": self._prefetch,
            "forget": self._forget,
            "models": self._models,
            "fetch_model": lambda request: model_requests().fetch_model(request.params, self._checkpoint(request)),
            "install_model": lambda request: model_requests().install_model(request.params),
            "discard_model": lambda request: model_requests().discard_model(request.params),
            "add_model": lambda request: model_requests().add_model(request.params),
            "accelerate_model": lambda request: model_requests().accelerate_model(request.params),
            "remove_model": lambda request: model_requests().remove_model(request.params),
            "simplify": lambda request: layer_requests().simplify(request.params),
            "convert": lambda request: layer_requests().convert(request.params),
        }

    def read(self, lines: Iterable[bytes]) -> None:
        """Take messages until `lines` end. Runs in a thread of its own."""
        try:
            for line in lines:
                if line.strip():
                    self._receive(line)
        finally:
            self._inbox.close()

    def work(self) -> None:
        """Answer requests until the inbox closes."""
        try:
            self._warm_segmenter()
        except EngineBroken as error:
            self._notify(error)
        while not self._inbox.is_closed:
            request = self._inbox.take(wait=self._prefetching is None)
            if request is not None:
                self._send(self._answer(request))
            elif self._prefetching is not None:
                self._prefetch_one(self._prefetching)
        if self._segmenter is not None:
            self._segmenter.close()

    def _receive(self, line: bytes) -> None:
        try:
            message = protocol.decode(line)
        except ProtocolError as error:
            log.error("%s", error)
            return
        if isinstance(message, Request):
            dropped = self._inbox.put(message)
        elif isinstance(message, Cancel):
            dropped = self._inbox.cancel(message.id)
        else:
            log.error("an engine got %r", message)
            return
        for each in dropped:
            self._send(Cancelled(each.id))

    def _answer(self, request: Request) -> Message:
        try:
            op = self._ops.get(request.op)
            if op is None:
                raise ProtocolError(reason=f"unknown op {request.op!r}")
            return Result(request.id, op(request))
        except RequestCancelled:
            return Cancelled(request.id)
        except RasterLassoError as error:
            return Failure(request.id, error.code, error.params, str(error))
        except Exception as error:  # the engine must outlive a defect; the user is told and the log has the trace
            log.exception("request %s", request)
            internal = InternalError(reason=f"{type(error).__name__}: {error}")
            return Failure(request.id, internal.code, internal.params, str(internal))

    def _segment(self, request: Request) -> dict[str, Any]:
        params = SegmentParams.from_wire(request.params)
        segmenter = self._warm_segmenter()
        found = segmenter.segment(
            params.image,
            params.prompts,
            model=params.model,
            level=params.level,
            learned=params.learned,
            stretch=params.stretch,
            finish=params.finish,
            checkpoint=self._checkpoint(request),
            on_part=self._part_sender(request),
        )
        return _to_wire(found)

    def _part_sender(self, request: Request) -> Callable[[Callable[[], Segmentation]], None]:
        """Sends what is found so far, as often as that takes a small share of the time."""
        due = 0.0

        def send(offer: Callable[[], Segmentation]) -> None:
            nonlocal due
            start = time.monotonic()
            if start < due:
                return
            with suppress(NothingFound):  # the next tiles may find it again
                self._send(Progress(request.id, "refine", 0.0, _to_wire(offer())))
            end = time.monotonic()
            due = end + max(MIN_PART_SECONDS, PART_PAUSE * (end - start))

        return send

    def _glance(self, request: Request) -> dict[str, Any]:
        """What a click would give, where that costs nothing; no polygon elsewhere."""
        import shapely

        params = SegmentParams.from_wire(request.params)
        try:
            polygon = self._warm_segmenter().glance(
                params.image,
                params.prompts,
                model=params.model,
                level=params.level or 0,
                learned=params.learned,
                stretch=params.stretch,
                finish=params.finish,
            )
        except PromptError:
            polygon = None
        return {"wkb_hex": None if polygon is None else shapely.to_wkb(polygon, hex=True)}

    def _prefetch(self, request: Request) -> dict[str, Any]:
        params = PrefetchParams.from_wire(request.params)
        self._prefetching = None
        if params.image:
            self._prefetching = self._warm_segmenter().prefetch(
                params.image,
                model=params.model,
                level=params.level,
                center_xy=params.center_xy,
                view=params.view,
                stretch=params.stretch,
            )
        return {}

    def _prefetch_one(self, tiles: Iterator[Tile]) -> None:
        """One tile; nobody asked for it, so an error is for the log, and a click there will tell the user."""
        try:
            if next(tiles, None) is None:
                self._prefetching = None
        except RasterLassoError as error:
            log.info("prefetching: %s", error)
            self._prefetching = None
        except Exception:  # the engine must outlive a defect
            log.exception("prefetching")
            self._prefetching = None

    def _learn(self, request: Request) -> dict[str, Any]:
        """Learning makes way for whatever is waiting; what was learnt until then stays."""
        import shapely

        params = LearnParams.from_wire(request.params)
        try:
            polygon = shapely.from_wkb(params.wkb_hex)
        except shapely.GEOSException as error:
            raise ProtocolError(reason=f"bad learn parameters, {error}") from error

        def checkpoint(stage: str, fraction: float) -> None:
            if self._inbox.stop_current or self._inbox.has_waiting:
                raise RequestCancelled

        learnt = self._warm_segmenter().learn(
            params.image,
            polygon,
            model=params.model,
            level=params.level,
            stretch=params.stretch,
            checkpoint=checkpoint,
        )
        return {"learnt": learnt}

    def _forget(self, request: Request) -> dict[str, Any]:
        self._warm_segmenter().forget()
        return {}

    def _warm_segmenter(self) -> Segmenter:
        """Raises `EngineBroken`."""
        if self._segmenter is None:
            try:
                self._segmenter = self._made_segmenter()
            except Exception as error:  # whatever a library that does not fit this machine raises when it is loaded
                log.exception("the engine does not work")
                raise EngineBroken(reason=f"{type(error).__name__}: {first_line(error)}") from error
        return self._segmenter

    def _made_segmenter(self) -> Segmenter:
        from ..models.registry import DEFAULT_MODEL
        from .segmenter import Segmenter
        from .tile_store import TileStore, default_folder, default_limit_bytes

        segmenter = Segmenter(store=TileStore(default_folder(), default_limit_bytes(), self._notify))
        segmenter.model(DEFAULT_MODEL)
        return segmenter

    def _notify(self, error: RasterLassoError) -> None:
        self._send(Notice(error.code, error.params, str(error)))

    def _models(self, request: Request) -> dict[str, Any]:
        self._warm_segmenter().drop_changed_models()
        found: dict[str, Any] = model_requests().list_models()
        return found

    def _checkpoint(self, request: Request) -> Callable[[str, float], None]:
        """Tells how far a request is, and stops it where nobody waits any more."""

        def checkpoint(stage: str, fraction: float) -> None:
            if self._inbox.stop_current:
                raise RequestCancelled
            self._send(Progress(request.id, stage, fraction))

        return checkpoint


def _to_wire(found: Segmentation) -> dict[str, Any]:
    import shapely

    (wkb_hex, score), *others = ((shapely.to_wkb(each.polygon, hex=True), each.score) for each in found.candidates)
    seconds, gsd_m = found.seconds, found.gsd_m
    return SegmentResult(wkb_hex, score, found.model, found.level, seconds, tuple(others), gsd_m).to_wire()


def model_requests() -> ModuleType:
    """Imported when first asked for: it needs torch, and `Ready` must not wait for that."""
    from . import model_requests as found

    return found


def layer_requests() -> ModuleType:
    """As `model_requests`, of geopandas."""
    from . import layer_requests as found

    return found


def _take_stdout() -> BinaryIO:
    """The real standard output for the protocol; what libraries print goes to standard error from now on."""
    pipe = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return pipe


def _lines(fd: int) -> Iterator[bytes]:
    """Lines from a file descriptor as they arrive.

    Not `sys.stdin`: an interpreter that ends while a thread waits in that object's read aborts (it can't take its lock).
    """
    pending = b""
    while chunk := os.read(fd, 1 << 16):
        *lines, pending = (pending + chunk).split(b"\n")
        yield from lines
    yield pending


def main() -> int:
    """Run a worker over the standard streams until standard input ends."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    pipe = _take_stdout()
    lock = threading.Lock()

    def send(message: Message) -> None:
        with lock:
            pipe.write(protocol.encode(message))

    send(Ready(protocol.PROTOCOL_VERSION, version(), os.getpid()))
    worker = Worker(send)
    # A daemon: a read that never returns must not keep a finished engine alive.
    threading.Thread(target=worker.read, args=(_lines(0),), name="reader", daemon=True).start()
    try:
        worker.work()
    except BrokenPipeError:
        log.info("the client is gone")
    return 0
