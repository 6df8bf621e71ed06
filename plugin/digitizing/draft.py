"""The object under way: what the user has said of it so far, in the imagery's CRS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Union

from qgis.core import QgsCoordinateTransform, QgsGeometry, QgsPointXY, QgsRectangle

from ...contract.edits import Edit
from ...contract.looks import Finish
from ...contract.prompts import Box, Point, Prompts
from ...contract.requests import SegmentResult
from ..geo.transforms import transformed, transformed_box, transformed_shape
from ..geo.wkb import from_hex, to_hex
from .by_hand import contradicts, edited
from .candidates import Candidates


@dataclass(frozen=True)
class Scribble:
    """Clicks along a line that was drawn; taken back at once."""

    points: tuple[Point, ...]


@dataclass(frozen=True)
class Outline:
    """A rough outline, as hexadecimal WKB."""

    wkb_hex: str


Step = Union[Point, Box, Scribble, Outline, Edit]


class Combining(Enum):
    """What is done with what is found, where something is kept."""

    ADD = "add"
    SUBTRACT = "subtract"


@dataclass(frozen=True)
class Kept:
    """What was found before the prompts there are now: each piece will be a feature.

    answer: the newest that it is made of. shown: what is shown again where keeping it is undone; None where the engine must be
    asked.
    """

    pieces: tuple[QgsGeometry, ...]
    answer: SegmentResult
    score: float
    shown: Candidates | None = None


@dataclass(frozen=True)
class AsReopened:
    """What a feature kept of how it was made: it gives its shape again as long as nothing else is said.

    shown: its very shape; None once it would be drawn otherwise. choice: as `Recipe` has it. finish: the feature's own, None
    where that is not known; it holds until the panel's (panel_finish, when it was reopened) is changed.
    """

    steps: tuple[Step, ...]
    shown: Candidates | None
    choice: int | None
    finish: Finish | None
    panel_finish: Finish


@dataclass(frozen=True)
class Draft:
    """What the user has said so far, oldest first; each change gives a new draft.

    reopened: layer and feature whose shape it changes, by their ids; as_reopened: as that was. kept: what the prompts add to or
    subtract from. before: the draft that was kept.
    """

    steps: tuple[Step, ...] = ()
    reopened: tuple[str, int] | None = None
    as_reopened: AsReopened | None = None
    kept: Kept | None = None
    combining: Combining = Combining.ADD
    before: Draft | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said yet."""
        return not self.steps and self.kept is None

    @property
    def unchanged(self) -> Candidates | None:
        """The very shape of the feature that was reopened, while nothing is changed."""
        was = self.as_reopened
        return None if was is None or self.kept is not None or self.steps != was.steps else was.shown

    @property
    def is_of_recipe(self) -> bool:
        """Whether the feature that was reopened kept how it is drawn."""
        return self.as_reopened is not None and self.as_reopened.finish is not None

    @property
    def choice(self) -> int | None:
        """Of a feature that was reopened, as `Recipe` has it, while no more is said of it."""
        was = self.as_reopened
        return was.choice if was is not None and self.says_as_reopened else None

    @property
    def says_as_reopened(self) -> bool:
        """Whether the prompts are still those of the feature that was reopened, whatever was changed by hand."""
        was = self.as_reopened
        return was is not None and self.kept is None and _said(self.steps) == _said(was.steps)

    @property
    def is_begun_anew(self) -> bool:
        """Whether there is one prompt only, of a new feature."""
        return len(_said(self.steps)) == 1 and self.reopened is None and self.as_reopened is None

    @property
    def edits(self) -> tuple[Edit, ...]:
        """What was changed by hand, but for what a later click contradicts."""
        return tuple(
            step
            for index, step in enumerate(self.steps)
            if isinstance(step, Edit) and not any(_contradicts(step, point) for point in points_of(self.steps[index:]))
        )

    def finish(self, of_panel: Finish) -> Finish:
        """How its outline is drawn."""
        was = self.as_reopened
        return was.finish if was is not None and was.finish is not None and was.panel_finish == of_panel else of_panel

    @property
    def points(self) -> tuple[Point, ...]:
        """All clicks, those of scribbles included."""
        return points_of(self.steps)

    @property
    def box(self) -> Box | None:
        """The newest box."""
        boxes = [step for step in self.steps if isinstance(step, Box)]
        return boxes[-1] if boxes else None

    @property
    def outline(self) -> str | None:
        """The newest rough outline, as hexadecimal WKB."""
        outlines = [step.wkb_hex for step in self.steps if isinstance(step, Outline)]
        return outlines[-1] if outlines else None

    @property
    def prompts(self) -> Prompts:
        """For the engine."""
        return Prompts(self.points, self.box, self.outline)

    def with_step(self, step: Step) -> Draft:
        """With one more prompt."""
        return replace(self, steps=(*self.steps, step))

    def without_last(self) -> Draft:
        """With the newest prompt taken back, or what was kept last taken up again."""
        if not self.steps and self.before is not None:
            return self.before
        shorter = replace(self, steps=self.steps[:-1])
        return Draft() if shorter.is_empty else shorter

    def shown_before_last(self, now: Candidates) -> Candidates | None:
        """What is shown again, of what is shown now, where the newest step is taken back; None for asking the engine."""
        if not self.steps:
            return None if self.kept is None else self.kept.shown
        return self.without_last().unchanged or (now.as_now() if isinstance(self.steps[-1], Edit) else None)

    def keeping(self, kept: Kept, combining: Combining) -> Draft:
        """Begun anew, with what is found now kept."""
        return Draft((), self.reopened, self.as_reopened, kept, combining, self)

    def without_shown(self) -> Draft:
        """With nothing to show again where keeping is undone: it would be answered otherwise now."""
        kept, before, was = self.kept, self.before, self.as_reopened
        return replace(
            self,
            as_reopened=None if was is None else replace(was, shown=None),
            kept=None if kept is None else replace(kept, shown=None),
            before=None if before is None else before.without_shown(),
        )

    def pieces(self, found: QgsGeometry | None) -> tuple[QgsGeometry, ...]:
        """What is kept, combined with what was found, and changed by hand; empty where there is neither."""
        return edited(self._combined(found), self.edits)

    def _combined(self, found: QgsGeometry | None) -> tuple[QgsGeometry, ...]:
        if self.kept is None:
            return () if found is None else (found,)
        pieces = self.kept.pieces
        if found is None:
            return pieces
        if self.combining is Combining.SUBTRACT:
            left = tuple(piece.difference(found) for piece in pieces)
            return tuple(piece for piece in left if not piece.isEmpty())
        nearest = min(range(len(pieces)), key=lambda index: pieces[index].distance(found))
        return tuple(piece.combine(found) if index == nearest else piece for index, piece in enumerate(pieces))

    def transformed(self, transform: QgsCoordinateTransform) -> Draft:
        """In another CRS; raises `CoordinatesUntransformable`."""
        kept, before, was = self.kept, self.before, self.as_reopened
        return replace(
            self,
            steps=tuple(moved(step, transform) for step in self.steps),
            as_reopened=None
            if was is None
            else replace(was, steps=tuple(moved(step, transform) for step in was.steps), shown=None),
            kept=None
            if kept is None
            else replace(
                kept,
                pieces=tuple(transformed_shape(piece, transform) for piece in kept.pieces),
                answer=replace(kept.answer, data_end=""),  # of the other imagery
                shown=None,
            ),
            before=None if before is None else before.transformed(transform),
        )


def points_of(steps: Sequence[Step]) -> tuple[Point, ...]:
    """All clicks of some steps, those of scribbles included."""
    groups = ((step,) if isinstance(step, Point) else step.points for step in steps if isinstance(step, (Point, Scribble)))
    return tuple(point for group in groups for point in group)


def _said(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The prompts alone."""
    return tuple(step for step in steps if not isinstance(step, Edit))


def _contradicts(edit: Edit, point: Point) -> bool:
    return contradicts(edit, QgsPointXY(point.x, point.y), point.foreground)


def joined(pieces: tuple[QgsGeometry, ...]) -> QgsGeometry | None:
    """All pieces as one geometry, if there are any."""
    if len(pieces) < 2:
        return pieces[0] if pieces else None
    return QgsGeometry.collectGeometry([part for piece in pieces for part in piece.asGeometryCollection()])


def point_at(place: QgsPointXY, foreground: bool) -> Point:
    """A click."""
    return Point(place.x(), place.y(), foreground)


def box_of(rectangle: QgsRectangle) -> Box:
    """A box."""
    return Box(rectangle.xMinimum(), rectangle.yMinimum(), rectangle.xMaximum(), rectangle.yMaximum())


def outline_of(shape: QgsGeometry) -> Outline:
    """A rough outline."""
    return Outline(to_hex(shape))


def moved(step: Step, transform: QgsCoordinateTransform) -> Step:
    """In another CRS; raises `CoordinatesUntransformable`."""
    if isinstance(step, Point):
        return point_at(transformed(QgsPointXY(step.x, step.y), transform), step.foreground)
    if isinstance(step, Scribble):
        places = ((transformed(QgsPointXY(point.x, point.y), transform), point.foreground) for point in step.points)
        return Scribble(tuple(point_at(place, foreground) for place, foreground in places))
    if isinstance(step, Outline):
        return outline_of(transformed_shape(from_hex(step.wkb_hex), transform))
    if isinstance(step, Edit):
        return Edit(*(each and to_hex(transformed_shape(from_hex(each), transform)) for each in (step.added, step.removed)))
    return box_of(transformed_box(QgsRectangle(step.x0, step.y0, step.x1, step.y1), transform))


def steps_of(prompts: Prompts) -> tuple[Step, ...]:
    """Prompts as steps."""
    outline = () if prompts.polygon is None else (Outline(prompts.polygon),)
    return (*outline, *(() if prompts.box is None else (prompts.box,)), *prompts.points)
