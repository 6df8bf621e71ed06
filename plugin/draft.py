"""The object under way: its prompts, oldest first, in the imagery's CRS."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Union

from ..engine.prompts import Box, Point, Prompts

Step = Union[Point, Box]


@dataclass(frozen=True)
class Draft:
    """What the user has said so far; each change gives a new draft."""

    steps: tuple[Step, ...] = ()
    reopened: int | None = None
    """The feature of the target layer that it changes."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said yet."""
        return not self.steps

    @property
    def points(self) -> tuple[Point, ...]:
        """All clicks."""
        return tuple(step for step in self.steps if isinstance(step, Point))

    @property
    def box(self) -> Box | None:
        """The newest box."""
        boxes = [step for step in self.steps if isinstance(step, Box)]
        return boxes[-1] if boxes else None

    @property
    def prompts(self) -> Prompts:
        """For the engine."""
        return Prompts(self.points, self.box)

    def with_step(self, step: Step) -> Draft:
        """With one more prompt."""
        return replace(self, steps=(*self.steps, step))

    def without_last(self) -> Draft:
        """With the newest prompt taken back."""
        return replace(self, steps=self.steps[:-1])
