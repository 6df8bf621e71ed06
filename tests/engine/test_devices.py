"""The device and precision that networks run in; GPUs are said to be there, for none is."""

import pytest
import torch

from rasterlasso.models.devices import Hardware, best_hardware, is_out_of_memory


@pytest.fixture(autouse=True)
def measured_anew():
    best_hardware.cache_clear()
    yield
    best_hardware.cache_clear()


def test_without_a_gpu_the_reason_is_told(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    found = best_hardware()
    assert found.device.type == "cpu"
    assert "GPU" in found.explanation
    assert ("bfloat16" if found.encoder_dtype is torch.bfloat16 else "float32") in found.explanation


@pytest.mark.parametrize(("native", "dtype"), [(True, torch.bfloat16), (False, torch.float16)])
def test_cuda_runs_encoders_in_the_half_precision_that_it_has(monkeypatch, native, dtype):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native or including_emulation)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (2**30, 8 * 2**30))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "GTX 1660")
    found = best_hardware()
    assert (found.device.type, found.encoder_dtype, found.name) == ("cuda", dtype, "GTX 1660")
    assert "1.0 of 8.0 GiB free" in found.explanation


def test_full_memory_is_known_by_class_and_by_words():
    assert is_out_of_memory(torch.OutOfMemoryError("x"))
    assert is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert Hardware(torch.device("cpu")).name == "cpu"
