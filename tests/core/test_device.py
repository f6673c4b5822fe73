import logging

import pytest
import torch

from core.device import dtype_name, resolve_device, resolve_dtype, take_own_gpu
from core.errors import ConfigError


def test_auto_prefers_cuda_then_mps_then_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for cuda, mps, expected in [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]:
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert resolve_device() == expected


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cuda:-1", ""])
def test_unknown_devices_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="expected auto, cpu"):
        resolve_device(name)


def test_absent_devices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve_device("cuda:0") == "cuda:0"
    with pytest.raises(ConfigError, match="sees 1 CUDA"):
        resolve_device("cuda:1")
    with pytest.raises(ConfigError, match="no MPS"):
        resolve_device("mps")


def test_under_a_launcher_each_process_takes_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert (take_own_gpu(), taken) == ("cuda", [])
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert [take_own_gpu(name) for name in ("auto", "cuda", "cuda:0", "cpu")] == ["cuda:1", "cuda:1", "cuda:0", "cpu"]
    assert taken == ["cuda:1", "cuda:1"]
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ConfigError, match="sees 2 CUDA"):
        take_own_gpu()


@pytest.mark.parametrize(
    ("capability", "expected"), [((7, 5), torch.float32), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)]
)
def test_auto_dtype_on_cuda(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert resolve_dtype("auto", "cuda:0") == expected


@pytest.mark.parametrize(("amx", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_dtype_on_cpu_is_logged_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, amx: bool, expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    with caplog.at_level(logging.INFO, logger="core.device"):
        assert resolve_dtype("auto", "cpu") == expected
    assert "AMX" in caplog.text


def test_a_stated_dtype_is_taken() -> None:
    assert resolve_dtype("float16", "cpu") == torch.float16
    assert resolve_dtype("auto", "mps") == torch.float32
    with pytest.raises(ConfigError, match="expected one of auto"):
        resolve_dtype("int8", "cpu")  # type: ignore[arg-type]


def test_a_manifest_reads_the_same_type_without_a_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    with caplog.at_level(logging.INFO, logger="core.device"):
        assert dtype_name("auto", "cuda:0") == "bfloat16"
        assert dtype_name("float16", "cpu") == "float16"
    assert caplog.text == ""
