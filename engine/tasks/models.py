"""What the plugin asks about models: list, download, add, remove, accelerate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...contract.answers import ModelFetched, ModelMeasured, ModelsListed
from ...contract.errors import ProtocolError
from ...contract.requests import ModelInfo
from ...models import registry
from ...models.devices import best_hardware
from ...models.library import families, weights
from ...models.library.measured import measured
from ...models.library.published import PUBLISHED, published

Params = dict[str, Any]

SECONDS_PER_MILLION = 0.08
"""Encoding in bfloat16 on two server cores, for each million parameters (docs/BENCHMARKS.md)."""

FLOAT32_SLOWER = 1.8
"""How many times as long float32 takes (the same)."""


def list_models() -> Params:
    """Those that are ready, then those that can be downloaded, as `ModelInfo`s."""
    found = []
    for each in registry.entries():
        state = "built-in" if each.name == registry.DEFAULT_MODEL else "added"
        seconds = _measured_seconds(each.name) or _tile_seconds(each.parameters)
        found.append(ModelInfo(each.name, each.title, each.family, each.licence, each.parameters, state, seconds))
    names = {each.name for each in found}
    for other in PUBLISHED:
        if other.name not in names:
            family = families.FAMILIES[other.kind].title
            seconds = _tile_seconds(other.parameters)
            found.append(ModelInfo(other.name, other.name, family, other.licence, other.parameters, "published", seconds))
    return ModelsListed(tuple(found)).to_wire()


def fetch_model(params: Params, checkpoint: Callable[[str, float], None]) -> Params:
    """Download published weights; answers with their SHA-256 and whether it is the one that we know."""
    wanted = published(_name(params))

    def progress(done: int, total: int | None) -> None:
        checkpoint("download", done / total if total else 0.0)

    found = weights.fetch_published(wanted, progress)
    return ModelFetched(found, wanted.sha256 is not None).to_wire()


def install_model(params: Params) -> Params:
    """Add what `fetch_model` downloaded."""
    return {"name": registry.tried(weights.install_fetched(published(_name(params)))).name}


def discard_model(params: Params) -> Params:
    """Delete what `fetch_model` downloaded."""
    weights.discard_fetched(published(_name(params)))
    return {}


def add_model(params: Params) -> Params:
    """Add a folder or a file."""
    return {"name": registry.tried(weights.add(Path(str(params.get("path", ""))))).name}


def accelerate_model(params: Params) -> Params:
    """Convert an added model's encoder for OpenVINO and measure it."""
    found = registry.accelerate(_name(params))
    return ModelMeasured(found.torch_seconds, found.openvino_seconds, found.pays).to_wire()


def remove_model(params: Params) -> Params:
    """Delete an added model."""
    weights.remove(_name(params))
    return {}


def _tile_seconds(parameters: int) -> float | None:
    hardware = best_hardware()
    if hardware.device.type != "cpu":
        return None
    slower = 1.0 if hardware.is_half else FLOAT32_SLOWER
    return parameters / 1e6 * SECONDS_PER_MILLION * slower


def _measured_seconds(name: str) -> float | None:
    found = measured(weights.models_folder() / name)
    return found.openvino_seconds if found and found.pays else None


def _name(params: Params) -> str:
    name = params.get("name")
    if not isinstance(name, str):
        raise ProtocolError(reason="a request about a model without its name")
    return name
