"""What the engine does for each request: one `Segmenter` lives from request to request."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...contract.answers import Glanced
from ...contract.errors import (
    EngineBroken,
    NothingFound,
    PromptError,
    ProtocolError,
    RasterLassoError,
    SettingUnusable,
    first_line,
)
from ...contract.protocol import Item, Message, Notice, Progress, Request
from ...contract.requests import LearnParams, PrefetchParams, SegmentParams
from ...contract.wkb import checked_wkb
from ...models.places import XY
from ..tasks.table import CHORES, TASKS, Chore, Task
from .inbox import Inbox, RequestCancelled

if TYPE_CHECKING:
    from ..segmenting.answer import Segmentation
    from ..segmenting.session import Segmenter
    from ..tiles.grid import Tile

log = logging.getLogger(__name__)

MIN_PART_SECONDS = 0.5
PART_PAUSE = 5
"""Between two parts of an answer lie at least so many seconds, and so many times what the last one took."""


class Ops:
    """Its libraries load when the segmenter is first asked for, after `Ready` was sent."""

    def __init__(self, send: Callable[[Message], None], inbox: Inbox) -> None:
        self._send = send
        self._inbox = inbox
        self._segmenter: Segmenter | None = None
        self._prefetching: Iterator[Tile] | None = None
        self._view = PrefetchParams()
        self._by_name: dict[str, Callable[[Request], dict[str, Any]]] = {
            "segment": self._segment,
            "glance": self._glance,
            "learn": self._learn,
            "prefetch": self._prefetch,
            "forget": self._forget,
        }

    def run(self, request: Request) -> dict[str, Any]:
        """The value that answers a request; raises `RasterLassoError`s and `RequestCancelled`."""
        if request.op in TASKS:
            return self._run_task(request, TASKS[request.op])
        if request.op in CHORES:
            return self._run_chore(request, CHORES[request.op])
        op = self._by_name.get(request.op)
        if op is None:
            raise ProtocolError(reason=f"unknown op {request.op!r}")
        return op(request)

    def _run_task(self, request: Request, task: Task) -> dict[str, Any]:
        """Send each item as it comes; the answer says how many there were."""
        params, count = task.params.from_wire(request.params), 0
        for item in task.run(self.segmenter(), params, self._checkpoint(request)):
            self._send(Item(request.id, item.to_wire()))
            count += 1
        return {"count": count}

    def _run_chore(self, request: Request, chore: Chore) -> dict[str, Any]:
        segmenter = self.segmenter()
        answer = chore.run(chore.params.from_wire(request.params), self._checkpoint(request))
        segmenter.drop_changed_models()
        return answer.to_wire()

    def warm_up(self) -> None:
        """Load what the first request will need; an engine that can't work says so at once."""
        try:
            self.segmenter()
        except EngineBroken as error:
            self._notify(error)

    def segmenter(self) -> Segmenter:
        """Raises `EngineBroken`."""
        if self._segmenter is None:
            try:
                self._segmenter = self._made_segmenter()
            except Exception as error:  # whatever a library that does not fit this machine raises when it is loaded
                log.exception("the engine does not work")
                raise EngineBroken(reason=f"{type(error).__name__}: {first_line(error)}") from error
        return self._segmenter

    @property
    def is_prefetching(self) -> bool:
        """Whether tiles are left that nobody waits for yet."""
        return self._prefetching is not None

    def prefetch_one(self) -> None:
        """Encode one tile ahead, if any is left."""
        if self._prefetching is not None:
            self._prefetch_one(self._prefetching)

    def close(self) -> None:
        """Let all files go."""
        if self._segmenter is not None:
            self._segmenter.close()

    def _segment(self, request: Request) -> dict[str, Any]:
        import shapely

        from ..segmenting.data_end import data_end
        from ..tasks.segment_objects import result_of

        params = SegmentParams.from_wire(request.params)
        segmenter = self.segmenter()
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
            most_tiles=params.most_tiles,
            closer=params.closer,
        )
        answer = result_of(found)
        if params.with_data_end:
            scene, polygons = segmenter.scene(params.image, params.stretch), [each.polygon for each in found.candidates]
            strip = data_end(scene, polygons, found.level)
            answer = replace(answer, data_end="" if strip is None else shapely.to_wkb(strip, hex=True))
        return answer.to_wire()

    def _part_sender(self, request: Request) -> Callable[[Callable[[], Segmentation]], None]:
        """Sends what is found so far, as often as that takes a small share of the time."""
        due = 0.0

        def send(offer: Callable[[], Segmentation]) -> None:
            nonlocal due
            start = time.monotonic()
            if start < due:
                return
            with suppress(NothingFound):  # the next tiles may find it again
                self._send(Progress(request.id, "refine", 0.0, _result(offer())))
            end = time.monotonic()
            due = end + max(MIN_PART_SECONDS, PART_PAUSE * (end - start))

        return send

    def _glance(self, request: Request) -> dict[str, Any]:
        """What a click would give, where that costs nothing; nothing elsewhere."""
        from ...models.base import MOST_CANDIDATES
        from ..tasks.segment_objects import result_of

        params = SegmentParams.from_wire(request.params)
        try:
            found = self.segmenter().glance(
                params.image,
                params.prompts,
                model=params.model,
                level=params.level or 0,
                learned=params.learned,
                stretch=params.stretch,
                finish=params.finish,
                most=MOST_CANDIDATES if params.with_others else 1,
                closer=params.closer,
            )
        except PromptError:
            found = None
        return Glanced(None if found is None else result_of(found)).to_wire()

    def _prefetch(self, request: Request) -> dict[str, Any]:
        self._view = PrefetchParams.from_wire(request.params)
        self._begin_prefetching()
        return {}

    def _begin_prefetching(self) -> None:
        """Of the view that was told last; tiles that are kept cost next to nothing."""
        view = self._view
        self._prefetching = None
        if view.image:
            self._prefetching = self.segmenter().prefetch(
                view.image,
                model=view.model,
                level=view.level,
                center_xy=XY(*view.center_xy),
                view=view.view,
                stretch=view.stretch,
                checkpoint=self._give_way,
            )

    def _give_way(self, stage: str, fraction: float) -> None:
        """Nobody waits for what is prefetched: not even reading it goes on while something is asked."""
        if self._inbox.has_waiting or self._inbox.is_closed:
            raise RequestCancelled

    def _prefetch_one(self, tiles: Iterator[Tile]) -> None:
        """One tile; nobody asked for it, so an error is for the log, and a click there will tell the user."""
        try:
            if next(tiles, None) is None:
                self._prefetching = None
        except RequestCancelled:
            self._begin_prefetching()
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
            polygon = shapely.from_wkb(checked_wkb(params.wkb_hex))
        except (ValueError, shapely.GEOSException) as error:
            raise ProtocolError(reason=f"bad learn parameters, {error}") from error

        def checkpoint(stage: str, fraction: float) -> None:
            if self._inbox.stop_current or self._inbox.has_waiting:
                raise RequestCancelled

        learnt = self.segmenter().learn(
            params.image,
            polygon,
            model=params.model,
            level=params.level,
            stretch=params.stretch,
            checkpoint=checkpoint,
        )
        return {"learnt": learnt}

    def _forget(self, request: Request) -> dict[str, Any]:
        self.segmenter().forget()
        return {}

    def _made_segmenter(self) -> Segmenter:
        from ...models.registry import DEFAULT_MODEL
        from ..segmenting.session import Segmenter
        from ..tiles.disk_store import TileStore, default_folder, default_limit_bytes

        try:
            folder, limit_bytes = default_folder(), default_limit_bytes()
        except SettingUnusable as error:  # clicks work without; the user is told once
            self._notify(error)
            folder, limit_bytes = None, 0
        segmenter = Segmenter(store=TileStore(folder, limit_bytes, self._notify), notify=self._notify)
        segmenter.model(DEFAULT_MODEL)
        return segmenter

    def _notify(self, error: RasterLassoError) -> None:
        self._send(Notice(error.code, error.params, str(error)))

    def _checkpoint(self, request: Request) -> Callable[[str, float], None]:
        """Tells how far a request is, and stops it where nobody waits any more."""

        def checkpoint(stage: str, fraction: float) -> None:
            if self._inbox.stop_current:
                raise RequestCancelled
            self._send(Progress(request.id, stage, fraction))

        return checkpoint


def _result(found: Segmentation) -> dict[str, Any]:
    from ..tasks.segment_objects import result_of

    return result_of(found).to_wire()
