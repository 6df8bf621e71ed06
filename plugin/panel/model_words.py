"""What models are like, in the words of the person who digitizes."""

from __future__ import annotations

from collections.abc import Iterable

from ...contract.requests import ModelInfo
from ..translation import tr

BYTES_PER_PARAMETER = 4

QUICK_S = 4.0
"""A model that needs longer for each new place holds up the hand."""


def speed_text(model: ModelInfo) -> str:
    """How long a new place takes."""
    if model.state == "built-in":
        return tr("instant, no GPU needed")
    if model.tile_seconds is None:
        return tr("fast, where the GPU's memory holds it")
    return tr("about {seconds:.0f} s for a new place, then fast").format(seconds=max(1.0, model.tile_seconds))


def quality_text(model: ModelInfo) -> str:
    """What to expect of it."""
    if model.state == "built-in":
        return tr("small, trained on aerial imagery")
    size = tr("large") if model.parameters > 200e6 else tr("medium") if model.parameters > 60e6 else tr("small")
    return tr("{family}, {size}").format(family=model.family, size=size)


def best_for_text(model: ModelInfo) -> str:
    """What kinds of features it suits."""
    if model.state == "built-in":
        return tr("fields, buildings, water, trees")
    if model.family == "FastSAM":
        return tr("things that stand apart: buildings, boats")
    if model.family == "SAM-HQ":
        return tr("anything with a clear edge; thin shapes")
    return tr("anything with a clear edge")


def state_text(model: ModelInfo) -> str:
    """Whether it is there."""
    if model.state == "published":
        return tr("to download, {gigabytes:.1f} GB").format(gigabytes=model.parameters * BYTES_PER_PARAMETER / 1e9)
    return tr("built in") if model.state == "built-in" else tr("added")


def advice(models: Iterable[ModelInfo]) -> str:
    """Which to take on this machine, and why."""
    others = [model for model in models if model.state != "built-in"]
    if not others:
        return tr("Take the built-in model: it is the only one here.")
    if all(model.tile_seconds is None for model in others):
        return tr(
            "This machine has a GPU. Begin with the built-in model, which answers at once; where its outlines do not satisfy, "
            "get sam2.1-large, the most accurate that needs no sign-in."
        )
    slow, quickest = min((model.tile_seconds or 0.0, model.name) for model in others)
    text = tr("This machine has no GPU that the engine can use. Take the built-in model: it answers at once.")
    if slow <= QUICK_S:
        return f"{text} " + tr("Of the others {name} is the quickest, with about {seconds:.0f} s for each new place.").format(
            name=quickest, seconds=max(1.0, slow)
        )
    return f"{text} " + tr("The others take {seconds:.0f} s and more for each new place.").format(seconds=slow)
