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


def _load_click_model() -> Model:
    from .builtin.click_model import ClickModel

    return ClickModel()


_ENTRIES = (
    ModelEntry(
        name="builtin",
        title="Built-in",
        licence="GPL-3.0-or-later",
        description="Region growing over superpixels. No download, no GPU; best on fields and water.",
        load=_load_builtin,
    ),
    ModelEntry(
        name="builtin-net",
        title="Built-in network (preview)",
        licence="GPL-3.0-or-later",
        description="A small trained network. No download; buildings and textured objects, outlines still soft.",
        load=_load_click_model,
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
