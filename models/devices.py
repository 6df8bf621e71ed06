"""Where networks run, and in which precision."""

from __future__ import annotations

import shutil
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache

import torch

WORTH = 1.3
"""Half precision is used where it is so much faster: its results differ a little."""


MOST_BATCH = 8
GIB_A_TILE = 2.0
"""Of a GPU's free memory, for each tile that is encoded together with others: what a large encoder of the SAM family needs."""


@dataclass(frozen=True)
class Hardware:
    """A device, the precision of encoders on it, what to tell a user who asks why, and how many tiles it encodes together."""

    device: torch.device
    encoder_dtype: torch.dtype = torch.float32
    explanation: str = ""
    batch: int = 1

    @property
    def is_half(self) -> bool:
        """Whether encoders run in half precision."""
        return self.encoder_dtype is not torch.float32

    @property
    def name(self) -> str:
        """For the user."""
        return self.explanation.split(",")[0] or self.device.type

    def autocast(self) -> AbstractContextManager[None]:
        """Within it encoders run in their precision."""
        dtype = self.encoder_dtype if self.is_half else torch.bfloat16
        context: AbstractContextManager[None] = torch.autocast(self.device.type, dtype, enabled=self.is_half)
        return context


CPU = Hardware(torch.device("cpu"))


def best_device() -> torch.device:
    """CUDA, else Apple's GPU, else the CPU; nothing is measured."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def is_out_of_memory(error: Exception) -> bool:
    """CUDA has a class for it; Apple's GPU and the CPU say it in words."""
    words = ("MPS backend out of memory", "DefaultCPUAllocator", "not enough memory", "can't allocate memory")
    return isinstance(error, torch.OutOfMemoryError) or any(each in str(error) for each in words)


@cache
def best_hardware() -> Hardware:
    """The best device; half precision on CUDA, and on a CPU where a measurement says that it pays."""
    device = best_device()
    if device.type == "cuda":
        dtype = torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
        free, total = (size / 2**30 for size in torch.cuda.mem_get_info())
        memory = f"{free:.1f} of {total:.1f} GiB free"
        batch = min(max(int(free / GIB_A_TILE), 1), MOST_BATCH)
        return Hardware(device, dtype, f"{torch.cuda.get_device_name()}, {memory}, {_short(dtype)} encoders", batch)
    if device.type == "mps":
        return Hardware(device, torch.float32, "Apple GPU, float32")
    full = min(_time_product(torch.float32) for _ in range(8))
    half = _time_product(torch.bfloat16)
    for _ in range(7):
        if half > 3 * full:  # emulated, and slow to measure
            break
        half = min(half, _time_product(torch.bfloat16))
    ratio = full / half
    dtype = torch.bfloat16 if ratio >= WORTH else torch.float32
    measured = f"bfloat16 takes {1 / ratio:.2f} of float32's time, so downloaded encoders run in {_short(dtype)}"
    return Hardware(device, dtype, f"CPU, since {_why_no_gpu()}; {measured}")


def _why_no_gpu() -> str:
    if torch.version.cuda is None and torch.version.hip is None:
        return "an NVIDIA GPU is here but this torch can't use it" if shutil.which("nvidia-smi") else "no GPU was found"
    return "no GPU was found, or its driver is too old for this torch"


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _time_product(dtype: torch.dtype) -> float:
    """Seconds of a matrix product of a size that encoders have."""
    a, b = torch.randn(512, 768).to(dtype), torch.randn(768, 768).to(dtype)
    start = time.perf_counter()
    a @ b
    return time.perf_counter() - start
