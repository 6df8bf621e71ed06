"""The models there are, by name: the built-in one, and those that the user has added."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..contract.model_errors import ModelFailed, ModelFileUnusable, ModelUnknown
from .base import Model
from .library import families, weights
from .library.measured import Measured, measured

DEFAULT_MODEL = "builtin"


@dataclass(frozen=True)
class ModelEntry:
    """A model as users choose it; `load` makes it ready."""

    name: str
    title: str
    family: str
    licence: str
    parameters: int
    description: str
    version: str
    """Changes with the weights."""

    load: Callable[[], Model]


def _load_builtin() -> Model:
    from .builtin.model import BuiltinModel

    return BuiltinModel()


@cache
def _builtin() -> ModelEntry:
    weights_file = Path(__file__).with_name("builtin") / "clicknet.safetensors"
    return ModelEntry(
        name=DEFAULT_MODEL,
        title="Built-in",
        family="Raster Lasso",
        licence="GPL-3.0-or-later",
        parameters=3_200_000,
        description="A small network trained on aerial imagery. No download, no GPU.",
        version=hashlib.sha256(weights_file.read_bytes()).hexdigest(),
        load=_load_builtin,
    )


def entries() -> tuple[ModelEntry, ...]:
    """All models, the default first."""
    added = []
    for each in weights.installed():
        family = families.FAMILIES.get(each.kind)
        if family is not None:
            description = f"{family.title}, {each.parameters / 1e6:.0f} million parameters. A GPU helps."
            added.append(
                ModelEntry(
                    name=each.name,
                    title=each.name,
                    family=family.title,
                    licence=family.licence,
                    parameters=each.parameters,
                    description=description,
                    version=_version(each),
                    load=_loader(each),
                )
            )
    return (_builtin(), *added)


def _version(model: weights.Installed) -> str:
    found = measured(model.folder)
    return model.sha256[weights.WEIGHTS] + ("+openvino" if found and found.pays else "")


def accelerate(name: str) -> Measured:
    """Convert an added model's encoder for OpenVINO, and measure whether that is faster here: a minute or two.

    Raises `ModelUnknown`, `ModelExtraMissing`, `ModelFailed` and what loading it does.
    """
    model = entry(name).load()
    if not hasattr(model, "accelerate"):
        raise ModelFailed(name=name, reason="only encoders of SAM and its kin can be accelerated")
    try:
        found: Measured = model.accelerate()
    except ModuleNotFoundError as error:
        raise families.missing_library(name, error) from error
    return found


def _loader(model: weights.Installed) -> Callable[[], Model]:
    def load() -> Model:
        families.require_library(model.name, model.kind)
        try:
            if model.kind == "fastsam":
                from .ultralytics.fastsam import FastSamModel

                return FastSamModel(model.name, model.folder)
            if model.kind == "yolo26":
                from .ultralytics.yolo26 import Yolo26Model

                return Yolo26Model(model.name, model.folder)
            if model.kind == "mobile_sam":
                from .ultralytics.mobile_sam import mobile_sam_model

                return mobile_sam_model(model.name, model.folder)
            from .sam.model import SamModel

            return SamModel(model.name, model.folder)
        except ModuleNotFoundError as error:
            raise families.missing_library(model.name, error) from error

    return load


def tried(model: weights.Installed) -> weights.Installed:
    """A model that was added just now, loaded once: raises `ModelFileUnusable` where that fails, and then it is not kept."""
    try:
        _loader(model)()
    except ModelFileUnusable:
        weights.remove(model.name)
        raise
    return model


def entry(name: str) -> ModelEntry:
    """The model of a name; raises `ModelUnknown`."""
    if name == DEFAULT_MODEL:
        return _builtin()
    known = entries()
    for each in known:
        if each.name == name:
            return each
    raise ModelUnknown(name=name, known=", ".join(each.name for each in known))
