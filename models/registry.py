"""The models there are, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..engine.errors import ModelUnknown
from .base import Model

DEFAULT_MODEL = "builtin"


@dataclass(frozen=True)
class ModelEntry:
    """A model as users choose it; `load` makes it ready."""

    name: str
    title: str
    licence: str
    description: str
    load: Callable[[], Model]


def _load_builtin() -> Model:
    from .builtin.model import BuiltinModel

    return BuiltinModel()


_ENTRIES = (
    ModelEntry(
        name="builtin",
        title="Built-in",
        licence="GPL-3.0-or-later",
        description="A small network trained on aerial imagery. No download, no GPU.",
        load=_load_builtin,
    ),
)


def entries() -> tuple[ModelEntry, ...]:
    """All models, the default first."""
    return _ENTRIES


def entry(name: str) -> ModelEntry:
    """The model of a name; raises `ModelUnknown`."""
    for each in _ENTRIES:
        if each.name == name:
            return each
    raise ModelUnknown(name=name, known=", ".join(each.name for each in _ENTRIES))
