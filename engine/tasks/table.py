"""The use cases that the worker, the command line and the Python interface have in common.

A task's module is loaded when it is first asked for: an engine answers before its libraries are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from ...contract.chores import (
    AddModelParams,
    ConvertParams,
    EncodeParams,
    ModelParams,
    NoParams,
    RedrawParams,
    ReplayParams,
    SimplifyParams,
)
from ...contract.datasets import ExportDatasetParams, ImportPredictionsParams
from ...contract.proposals import AnswersParams, DetectParams, EverythingParams, SimilarParams
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
    """A use case that gives item after item. params: the class of its parameters. module: of this package; function: of it."""

    params: type[Wire]
    module: str
    function: str = "run"

    @property
    def run(self) -> Callable[[Segmenter, Any, Checkpoint], Iterator[Item]]:
        """The checkpoint is told the stage and the fraction of all, and may raise to stop it."""
        found: Callable[[Segmenter, Any, Checkpoint], Iterator[Item]] = getattr(
            import_module(f".{self.module}", __package__), self.function
        )
        return found


@dataclass(frozen=True)
class Chore:
    """A use case that needs no raster open and has one answer. function: of the module."""

    params: type[Wire]
    module: str
    function: str

    @property
    def run(self) -> Callable[[Any, Checkpoint], Wire]:
        """As that of a task."""
        found: Callable[[Any, Checkpoint], Wire] = getattr(import_module(f".{self.module}", __package__), self.function)
        return found


TASKS = {
    "segment_objects": Task(SegmentObjectsParams, "segment_objects"),
    "segment_boxes": Task(ShapesParams, "segment_boxes"),
    "refine_polygons": Task(ShapesParams, "refine_polygons"),
    "segment_everything": Task(EverythingParams, "segment_everything"),
    "detect_classes": Task(DetectParams, "detect_classes"),
    "find_similar": Task(SimilarParams, "find_similar"),
    "answer_similar": Task(AnswersParams, "find_similar", "answer"),
    "redraw_outlines": Task(RedrawParams, "redraw_outlines"),
    "export_dataset": Task(ExportDatasetParams, "export_dataset"),
    "import_predictions": Task(ImportPredictionsParams, "import_predictions"),
    "encode": Task(EncodeParams, "encode"),
    "replay": Task(ReplayParams, "replay"),
}
"""By the names that requests have."""

CHORES = {
    "models": Chore(NoParams, "models", "list_models"),
    "fetch_model": Chore(ModelParams, "models", "fetch_model"),
    "install_model": Chore(ModelParams, "models", "install_model"),
    "discard_model": Chore(ModelParams, "models", "discard_model"),
    "add_model": Chore(AddModelParams, "models", "add_model"),
    "accelerate_model": Chore(ModelParams, "models", "accelerate_model"),
    "verify_model": Chore(ModelParams, "models", "verify_model"),
    "remove_model": Chore(ModelParams, "models", "remove_model"),
    "simplify": Chore(SimplifyParams, "layers", "simplify"),
    "convert": Chore(ConvertParams, "layers", "convert"),
}
"""The same."""
