"""What was changed on an outline by hand."""

from __future__ import annotations

from dataclasses import dataclass

from .wire import Wire
from .wkb import checked_wkb


@dataclass(frozen=True)
class Edit(Wire):
    """Areas that belong to the object, and such that do not, whatever the model says: hexadecimal WKB of polygons, or empty.

    Where the two overlap, what is removed counts.
    """

    added: str = ""
    removed: str = ""

    def __post_init__(self) -> None:
        for wkb_hex in (self.added, self.removed):
            if wkb_hex:
                checked_wkb(wkb_hex)
