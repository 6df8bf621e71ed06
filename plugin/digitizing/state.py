"""What the object under way waits for: the engine, the user, or nothing."""

from __future__ import annotations

from enum import Enum


class DraftState(Enum):
    """One at a time."""

    EMPTY = "empty"
    """Nothing was said yet."""

    ASKING = "asking"
    """The engine works on it, and nothing of the answer is there."""

    GROWING = "growing"
    """A part of an object larger than a tile is shown while the rest is being found."""

    ANSWERED = "answered"
    """The user may correct it, go on or accept it; also where nothing was found to it."""

    WAITING_TO_ACCEPT = "waiting to accept"
    """It was accepted before its answer is there."""

    SPLITTING = "splitting"
    """The next line that is drawn cuts it."""

    @property
    def is_asking(self) -> bool:
        """Whether the engine works on it."""
        return self in (DraftState.ASKING, DraftState.GROWING, DraftState.WAITING_TO_ACCEPT)
