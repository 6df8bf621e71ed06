"""How a polygon was made: what gives it again, as a field of its layer keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from .edits import Edit
from .errors import ProtocolError
from .looks import Finish, Stretch
from .prompts import Prompts
from .wkb import checked_wkb

MOST_DIGITS = 400
"""A number of more digits is no coordinate; Python takes seconds to read long ones, or refuses to."""

MOST_LEVEL = 64
"""Levels are far nearer to 0."""

MOST_TEXT = 16 << 20
"""Characters of a recipe: more is none."""


@dataclass(frozen=True)
class Recipe:
    """What was said, and how it was looked at.

    crs: of prompts and edits, as an authority's code or WKT; None where unknown. finish: None where it was not kept. stretch:
    None for the engine's own choice. choice: how many of the model's candidates are smaller than the one that was chosen, None
    for the best one. view_level: the level that was asked for, where the outline might be made at a finer one; None where it
    was made at the level that was asked for. edits: what was changed by hand afterwards, in turn.
    """

    prompts: Prompts
    crs: Optional[str] = None
    finish: Optional[Finish] = None
    stretch: Optional[Stretch] = None
    choice: Optional[int] = None
    view_level: Optional[int] = None
    edits: tuple[Edit, ...] = ()

    def to_text(self) -> str:
        """JSON; what has its usual value is left out, since some formats keep short texts only."""
        body: dict[str, Any] = {"crs": self.crs, **self.prompts.to_wire()}
        if self.finish is not None:
            usual = Finish().to_wire()
            body["finish"] = {name: value for name, value in self.finish.to_wire().items() if value != usual[name]}
        if self.stretch is not None:
            body["stretch"] = self.stretch.to_wire()
        if self.choice is not None:
            body["choice"] = self.choice
        if self.view_level is not None:
            body["view_level"] = self.view_level
        if self.edits:
            body["edits"] = [edit.to_wire() for edit in self.edits]
        return json.dumps(body)

    @classmethod
    def of(cls, kept: Any) -> Recipe:
        """Of a text, or of the JSON object that some formats make of it; raises `ProtocolError` for anything else."""
        body = _body(kept)
        crs, choice = body.get("crs"), body.get("choice")
        finish, stretch = body.get("finish"), body.get("stretch")
        if isinstance(choice, bool) or not (choice is None or (isinstance(choice, int) and choice >= 0)):
            raise ProtocolError(reason=f"bad choice {choice!r:.40}")
        view_level = body.get("view_level")
        is_level = isinstance(view_level, int) and not isinstance(view_level, bool) and abs(view_level) <= MOST_LEVEL
        if view_level is not None and not is_level:
            raise ProtocolError(reason=f"bad view_level {view_level!r:.40}")
        edits = body.get("edits") or []
        if not isinstance(edits, list):
            raise ProtocolError(reason=f"bad edits {edits!r:.40}")
        prompts = Prompts.from_wire(body)
        try:
            if prompts.polygon is not None:
                checked_wkb(prompts.polygon)
        except ValueError as error:
            raise ProtocolError(reason=f"bad prompts, {error}") from error
        return cls(
            prompts,
            None if crs is None else str(crs),
            None if finish is None else Finish.from_wire(finish),
            None if stretch is None else Stretch.from_wire(stretch),
            choice,
            view_level,
            tuple(Edit.from_wire(edit) for edit in edits),
        )


def size_ranks(areas: Sequence[float]) -> list[int]:
    """How many of some candidates are smaller than each."""
    return [sum(other < area for other in areas) for area in areas]


def chosen(areas: Sequence[float], choice: int | None) -> int:
    """Number of the candidate that a choice means, 0 (the best one) where there is none of that rank. areas: best first."""
    ranks = size_ranks(areas)
    return ranks.index(choice) if choice in ranks else 0


def _body(kept: Any) -> Mapping[str, Any]:
    if isinstance(kept, Mapping):
        return kept
    if not isinstance(kept, str) or len(kept) > MOST_TEXT:
        raise ProtocolError(reason="no prompts, or too long a text")
    try:
        body = json.loads(kept, parse_int=_whole)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(reason=f"bad prompts, {error}") from error
    if not isinstance(body, dict):
        raise ProtocolError(reason=f"bad prompts, {type(body).__name__} where an object belongs")
    return body


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError("a number of too many digits")
    return int(digits)
