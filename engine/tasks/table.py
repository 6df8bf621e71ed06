"""The use cases that the worker, the command line and the Python interface have in common.

A task's module is loaded when it is first asked for: an engine answers before its libraries are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from ...contract.requests import SegmentObjectsParams, ShapesParams
from ...contract.wire import Wire

if TYPE_CHECKING:
    from ..encoding.clock import Checkpoint
    from ..segmenting.session import Segmenter


class Item(Protocol):
    """One of the things that a task gives."""

    def to_wire(self) -> dict[str, Any]:
        """As it crosses the pipe."""
        ...


@dataclass(frozen=True)
class Task:
    """A use case. params: the class of its parameters. module: of this package; its `run` does it."""

    params: type[Wire]
    module: str

    @property
    def run(self) -> Callable[[Segmenter, Any, Checkpoint], Iterator[Item]]:
        """Gives item after item; the checkpoint is told the stage and the fraction of all, and may raise to stop it."""
        found: Callable[[Segmenter, Any, Checkpoint], Iterator[Item]] = import_module(f".{self.module}", __package__).run
        return found


TASKS = {
    "segment_objects": Task(SegmentObjectsParams, "segment_objects"),
    "segment_boxes": Task(ShapesParams, "segment_boxes"),
    "refine_polygons": Task(ShapesParams, "refine_polygons"),
}
"""By the names that requests have."""
