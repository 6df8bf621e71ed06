"""What is done to models: list, download, add, remove, verify, accelerate."""

from __future__ import annotations

from pathlib import Path

from ...contract.answers import Done, ModelAdded, ModelFetched, ModelMeasured, ModelsListed
from ...contract.chores import AddModelParams, ModelParams, NoParams
from ...contract.requests import ModelInfo
from ...models import registry
from ...models.devices import best_hardware
from ...models.library import families, weights
from ...models.library.measured import measured
from ...models.library.published import PUBLISHED, published
from ..encoding.clock import Checkpoint

SECONDS_PER_MILLION = 0.08
"""Encoding in bfloat16 on two server cores, for each million parameters (docs/BENCHMARKS.md)."""

FLOAT32_SLOWER = 1.8
"""How many times as long float32 takes (the same)."""


def list_models(params: NoParams, checkpoint: Checkpoint) -> ModelsListed:
    """Those that are ready, then those that can be downloaded."""
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
    return ModelsListed(tuple(found))


def fetch_model(params: ModelParams, checkpoint: Checkpoint) -> ModelFetched:
    """Download published weights; raises as `weights.fetch_published`."""
    wanted = published(params.name)

    def progress(done: int, total: int | None) -> None:
        checkpoint("download", done / total if total else 0.0)

    return ModelFetched(weights.fetch_published(wanted, progress), wanted.sha256 is not None)


def install_model(params: ModelParams, checkpoint: Checkpoint) -> ModelAdded:
    """Add what `fetch_model` downloaded; raises as `weights.install_fetched`."""
    return _added(registry.tried(weights.install_fetched(published(params.name))))


def discard_model(params: ModelParams, checkpoint: Checkpoint) -> Done:
    """Delete what `fetch_model` downloaded."""
    weights.discard_fetched(published(params.name))
    return Done()


def add_model(params: AddModelParams, checkpoint: Checkpoint) -> ModelAdded:
    """Add a folder or a file; raises as `weights.add`."""
    return _added(registry.tried(weights.add(Path(params.path), params.name)))


def accelerate_model(params: ModelParams, checkpoint: Checkpoint) -> ModelMeasured:
    """Convert an added model's encoder for OpenVINO and measure it; raises as `registry.accelerate`."""
    found = registry.accelerate(params.name)
    return ModelMeasured(found.torch_seconds, found.openvino_seconds, found.pays)


def verify_model(params: ModelParams, checkpoint: Checkpoint) -> Done:
    """Compare an added model's files with the hashes noted when it was added; raises as `weights.verify`."""
    weights.verify(params.name)
    return Done()


def remove_model(params: ModelParams, checkpoint: Checkpoint) -> Done:
    """Delete an added model; raises as `weights.remove`."""
    weights.remove(params.name)
    return Done()


def _added(model: weights.Installed) -> ModelAdded:
    return ModelAdded(model.name, model.sha256[weights.WEIGHTS])


def _tile_seconds(parameters: int) -> float | None:
    hardware = best_hardware()
    if hardware.device.type != "cpu":
        return None
    slower = 1.0 if hardware.is_half else FLOAT32_SLOWER
    return parameters / 1e6 * SECONDS_PER_MILLION * slower


def _measured_seconds(name: str) -> float | None:
    found = measured(weights.models_folder() / name)
    return found.openvino_seconds if found and found.pays else None
