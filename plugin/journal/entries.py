"""What a journal holds: the object under way, and accepted ones that are not saved.

`Optional` and not `| None`: the types are read when an entry is, and Python 3.9 knows no other form then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from qgis.core import NULL, QgsFeature, QgsGeometry, QgsMapLayer, QgsProject, QgsVectorLayer
from qgis.PyQt.QtCore import QDate, QDateTime, Qt, QTime

from ...contract.edits import Edit
from ...contract.prompts import Prompts
from ...contract.requests import SegmentResult
from ...contract.secrets import without_secrets
from ...contract.wire import Wire
from ..digitizing.draft import Combining, Draft, Kept, Scribble, Step, steps_of
from ..geo.crs import crs_code
from ..geo.wkb import from_hex, to_hex


@dataclass(frozen=True)
class LayerName(Wire):
    """How a layer is known again. source: without passwords, so it opens nothing by itself."""

    id: str
    name: str
    source: str

    @classmethod
    def of(cls, layer: QgsMapLayer) -> LayerName:
        """Of a layer of the project."""
        return cls(layer.id(), layer.name(), _public_source(layer))

    def find(self, project: QgsProject) -> QgsMapLayer | None:
        """The layer of a project: the same one, or one of the same source."""
        own = project.mapLayer(self.id)
        alike = (layer for layer in project.mapLayers().values() if _is_same_source(_public_source(layer), self.source))
        return own or next(alike, None)


@dataclass(frozen=True)
class AcceptedEntry(Wire):
    """A feature as it is in its layer's edit buffer. crs: of the layer. attributes: by field name.

    was_there: whether the file of the layer has it, in an earlier shape; the ids of others end with QGIS.
    """

    layer: LayerName
    feature_id: int
    crs: str
    wkb_hex: str
    attributes: Mapping[str, Any]
    was_there: bool = False

    @classmethod
    def of(cls, layer: QgsVectorLayer, feature: QgsFeature, was_there: bool) -> AcceptedEntry:
        """Of a feature with a geometry."""
        values = {name: _plain(feature[name]) for name in feature.fields().names()}
        known = {name: value for name, value in values.items() if value is not None}
        return cls(LayerName.of(layer), feature.id(), crs_code(layer.crs()), to_hex(feature.geometry()), known, was_there)

    @property
    def shape(self) -> QgsGeometry:
        """In the layer's CRS; null where it can't be read. Raises `ValueError`."""
        return from_hex(self.wkb_hex)


@dataclass(frozen=True)
class KeptEntry(Wire):
    """Pieces that later prompts are added to or subtracted from."""

    pieces: tuple[str, ...]
    answer: SegmentResult
    score: float


@dataclass(frozen=True)
class StepEntry(Wire):
    """One step of a draft: prompts, or what was changed by hand."""

    prompts: Prompts
    edit: Optional[Edit] = None

    @classmethod
    def of(cls, step: Step) -> StepEntry:
        """Of a step."""
        return cls(Prompts(), step) if isinstance(step, Edit) else cls(Draft((step,)).prompts)

    @property
    def step(self) -> Step:
        """The step again."""
        if self.edit is not None:
            return self.edit
        if len(self.prompts.points) > 1:
            return Scribble(self.prompts.points)
        [step] = steps_of(self.prompts)
        return step


@dataclass(frozen=True)
class DraftEntry(Wire):
    """The object under way, in the imagery's CRS. steps: oldest first."""

    imagery: LayerName
    view_level: int
    steps: tuple[StepEntry, ...]
    combining: str = Combining.ADD.value
    kept: Optional[KeptEntry] = None
    reopened_layer: Optional[LayerName] = None
    reopened_id: int = 0

    @classmethod
    def of(cls, draft: Draft, imagery: QgsMapLayer, view_level: int, project: QgsProject) -> DraftEntry:
        """Of a draft that is not empty."""
        kept = draft.kept
        layer_id, feature_id = draft.reopened or ("", 0)
        layer = project.mapLayer(layer_id)
        return cls(
            LayerName.of(imagery),
            view_level,
            tuple(StepEntry.of(step) for step in draft.steps),
            draft.combining.value,
            None if kept is None else KeptEntry(tuple(map(to_hex, kept.pieces)), kept.answer, kept.score),
            None if layer is None else LayerName.of(layer),
            feature_id,
        )

    @property
    def draft(self) -> Draft:
        """The draft again, as a new object; what was undone step by step before is kept as one."""
        kept = self.kept
        again = None if kept is None else Kept(tuple(map(from_hex, kept.pieces)), kept.answer, kept.score)
        return Draft(tuple(entry.step for entry in self.steps), kept=again, combining=Combining(self.combining))


def _public_source(layer: QgsMapLayer) -> str:
    return without_secrets(layer.publicSource())


def _is_same_source(one: str, other: str) -> bool:
    """Whether two layers show the same; of a file that holds one layer its name is not always said."""
    (path, _, name), (other_path, _, other_name) = one.partition("|"), other.partition("|")
    return bool(path) and path == other_path and (name == other_name or not name or not other_name)


def _plain(value: Any) -> Any:
    """As JSON has it; None where there is nothing, or what only a program reads."""
    if value is None or value == NULL:
        return None
    if isinstance(value, (QDate, QTime, QDateTime)):
        return value.toString(Qt.DateFormat.ISODate)
    return value if isinstance(value, (str, int, float, bool)) else None
