"""OpenVINO for encoders on CPUs: an extra, used where a measurement on this machine found it faster, and remembered."""

from __future__ import annotations

import importlib
import logging
import shutil
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from ...contract.errors import first_line
from ..devices import Hardware
from ..library.measured import FOLDER, Measured, measured, note

log = logging.getLogger(__name__)

NETWORK = "encoder.xml"
TIMES = 3

Encoder = Callable[[Tensor], tuple[Tensor, ...]]


def accelerate(encoder: nn.Module, example: Tensor, folder: Path, hardware: Hardware) -> Measured:
    """Convert an encoder of a model's folder for OpenVINO, and measure; takes a minute or two.

    Raises `ModuleNotFoundError` without OpenVINO, and what its conversion raises.
    """
    openvino = _library()
    place = folder / FOLDER
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    with torch.inference_mode():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what would not fit other sizes; there is one
            converted = openvino.convert_model(encoder, example_input=example, input=list(example.shape))
        openvino.save_model(converted, place / NETWORK, compress_to_fp16=False)
        fast = _compiled(openvino, place)
        with hardware.autocast():
            torch_seconds, openvino_seconds = (_seconds(run, example) for run in (encoder, fast))
    found = Measured(torch_seconds, openvino_seconds, *_identity(openvino))
    note(found, folder)
    return found


def accelerated(folder: Path) -> Encoder | None:
    """A model's encoder with OpenVINO where it was found faster, with this OpenVINO on this processor."""
    found = measured(folder)
    if found is None or not found.pays:
        return None
    openvino = _library()
    if (found.openvino, found.processor) != _identity(openvino):
        return None
    try:
        return _compiled(openvino, folder / FOLDER)
    except (RuntimeError, OSError) as error:  # damaged: torch's encoder gives the same
        log.warning("%s: not used (%s)", folder / FOLDER, first_line(error))
        return None


def _library() -> Any:
    cast("dict[str, Any]", sys.modules).setdefault("openvino_telemetry", None)  # not importable: it would tell its makers
    return importlib.import_module("openvino")


def _identity(openvino: Any) -> tuple[str, str]:
    return openvino.get_version(), openvino.Core().get_property("CPU", "FULL_DEVICE_NAME")


def _compiled(openvino: Any, place: Path) -> Encoder:
    settings = {"PERFORMANCE_HINT": "LATENCY", "CACHE_DIR": str(place)}
    network = openvino.Core().compile_model(place / NETWORK, "CPU", settings)

    def run(pixels: Tensor) -> tuple[Tensor, ...]:
        found = network(pixels.numpy())
        return tuple(torch.from_numpy(found[index]) for index in range(len(network.outputs)))

    return run


def _seconds(run: Callable[[Tensor], object], example: Tensor) -> float:
    run(example)
    taken = []
    for _ in range(TIMES):
        start = time.perf_counter()
        run(example)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)
