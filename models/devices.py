"""Where networks run, and in which precision."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache

import torch

WORTH = 1.3
"""Half precision is used where it is so much faster: its results differ a little."""


@dataclass(frozen=True)
class Hardware:
    """A device, the precision of encoders on it, and what to tell a user who asks why."""

    device: torch.device
    encoder_dtype: torch.dtype = torch.float32
    explanation: str = ""

    def autocast(self) -> AbstractContextManager[None]:
        """Within it encoders run in their precision."""
        enabled = self.encoder_dtype is not torch.float32
        context: AbstractContextManager[None] = torch.autocast(
            self.device.type, torch.bfloat16 if not enabled else self.encoder_dtype, enabled=enabled
        )
        return context


CPU = Hardware(torch.device("cpu"))


@cache
def best_hardware() -> Hardware:
    """CUDA, else Apple's GPU, else the CPU; bfloat16 where a measurement says that it pays."""
    if torch.cuda.is_available():
        dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        free, total = (size / 2**30 for size in torch.cuda.mem_get_info())
        memory = f"{free:.1f} of {total:.1f} GiB free"
        return Hardware(torch.device("cuda"), dtype, f"{torch.cuda.get_device_name()}, {memory}, {_short(dtype)} encoders")
    if torch.backends.mps.is_available():
        return Hardware(torch.device("mps"), torch.float32, "Apple GPU, float32")
    ratio = _time_product(torch.float32) / _time_product(torch.bfloat16)
    dtype = torch.bfloat16 if ratio >= WORTH else torch.float32
    measured = f"bfloat16 takes {1 / ratio:.2f} of float32's time, so downloaded encoders run in {_short(dtype)}"
    return Hardware(torch.device("cpu"), dtype, f"CPU, since {_why_no_gpu()}; {measured}")


def _why_no_gpu() -> str:
    if torch.version.cuda is None and torch.version.hip is None:
        return "an NVIDIA GPU is here but this torch can't use it" if shutil.which("nvidia-smi") else "no GPU was found"
    return "no GPU was found, or its driver is too old for this torch"


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _time_product(dtype: torch.dtype) -> float:
    """Seconds of a matrix product of a size that encoders have, undisturbed: the least of several."""
    a, b = torch.randn(512, 768).to(dtype), torch.randn(768, 768).to(dtype)
    return min(_seconds(lambda: a @ b) for _ in range(8))


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
