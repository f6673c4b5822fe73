"""What is checked before anything is loaded."""

from pathlib import Path

import pytest

from rerank.linear_layers import LinearLayer, ModelShape
from rerank.quantization_checks import (
    GIGABYTE,
    free_memory,
    group_size_faults,
    kernel_warning,
    largest_group_size,
    need_faults,
    needs,
)


def shape_of(hidden: int, inner: int, parameters: int = 10**9) -> ModelShape:
    layers = (
        LinearLayer(name="model.layers.0.self_attn.o_proj", outputs=hidden, inputs=hidden),
        LinearLayer(name="model.layers.0.mlp.up_proj", outputs=inner, inputs=hidden),
        LinearLayer(name="model.layers.0.mlp.down_proj", outputs=hidden, inputs=inner),
        LinearLayer(name="model.layers.1.mlp.down_proj", outputs=hidden, inputs=inner),
    )
    return ModelShape(parameters=parameters, layers=layers, largest_block=parameters // 10)


SMOL = shape_of(576, 1536)
QWEN_72B = shape_of(8192, 29568, 72_700_000_000)


def test_smollm2_takes_64_and_not_128() -> None:
    assert group_size_faults(SMOL, group_size=64, parts=1) == []
    faults = group_size_faults(SMOL, group_size=128, parts=1)
    assert len(faults) == 2  # one a kind of layer: o_proj and up_proj read 576
    assert "group_size 128 divides, got 576; the largest group size that fits this model is 64" in faults[0]


def test_a_72b_on_two_gpus_does_not_take_128() -> None:
    assert group_size_faults(QWEN_72B, group_size=128, parts=1) == []
    [fault] = group_size_faults(QWEN_72B, group_size=128, parts=2)  # 29568 / 2 = 14784 = 115.5 groups
    assert "down_proj" in fault and "14784 on each of 2 GPUs" in fault and "fits this model is 64" in fault
    assert group_size_faults(QWEN_72B, group_size=64, parts=2) == []
    assert largest_group_size(QWEN_72B, 4) == 32


def test_widths_that_cannot_be_shared_are_told() -> None:
    assert "that 7 GPUs can share" in group_size_faults(SMOL, group_size=64, parts=7)[0]
    assert (
        "no linear layers"
        in group_size_faults(ModelShape(parameters=1, layers=(), largest_block=0), group_size=64, parts=1)[0]
    )


def test_widths_that_vllms_fast_kernel_does_not_take_are_told() -> None:
    told = kernel_warning(SMOL, group_size=64, parts=1, symmetric=True)
    assert told and "2 layers, for example model.layers.0.self_attn.o_proj" in told and "dtype float16" in told
    assert "symmetric" not in told
    assert "symmetric=true" in str(kernel_warning(SMOL, group_size=64, parts=1, symmetric=False))
    assert kernel_warning(QWEN_72B, group_size=128, parts=1, symmetric=True) is None
    # 29568 / 2 = 14784 = 115.5 times 128.
    assert "2 layers, for example model.layers.0.mlp.down" in str(
        kernel_warning(QWEN_72B, group_size=64, parts=2, symmetric=True)
    )
    assert "group size 16" in str(kernel_warning(QWEN_72B, group_size=16, parts=1, symmetric=True))


def wanted(**changes: object) -> object:
    plain = {
        "bits": 4,
        "merges": False,
        "dequantises": False,
        "on_gpu": True,
        "offloads": False,
        "streams": False,
        "calibration_tokens": 0,
        "hidden": 1000,
    }
    return needs(shape_of(512, 512), **{**plain, **changes})  # type: ignore[arg-type]


def test_needs_by_hand() -> None:
    # 1e9 parameters: two folders of 0.6 GB; the whole model in 16 bits; 12 bytes a weight of the largest layer.
    found = wanted()
    assert (found.disk, found.memory, found.device) == (1_200_000_000, 2_000_000_000, 1_200_000_000)
    assert wanted(merges=True).disk == 3_200_000_000
    assert wanted(dequantises=True).disk == 5_200_000_000
    assert wanted(bits=8).disk == 2_200_000_000
    assert wanted(on_gpu=False).memory == 4_000_000_000 and wanted(on_gpu=False).device == 0
    assert wanted(offloads=True).memory == 800_000_000
    assert wanted(calibration_tokens=1000).device == 1_200_000_000 + 2 * 1000 * 1000 * 2


def test_what_lacks_is_told_with_numbers(tmp_path: Path) -> None:
    found = wanted()
    assert need_faults(found, folder=tmp_path / "not" / "yet", memory=3 * GIGABYTE, device=None) == []
    faults = need_faults(found, folder=tmp_path, memory=GIGABYTE, device=GIGABYTE)
    assert len(faults) == 2
    assert "2.0 GB of main memory are needed, 1.0 GB are free" in faults[0]
    assert "1.2 GB of GPU memory" in faults[1]
    huge = needs(
        shape_of(512, 512, 10**15),
        bits=4,
        merges=False,
        dequantises=False,
        on_gpu=False,
        offloads=False,
        streams=True,
        calibration_tokens=0,
        hidden=1,
    )
    assert "of disk are needed" in need_faults(huge, folder=tmp_path, memory=10**18, device=None)[0]


def test_free_memory_is_a_number_of_bytes() -> None:
    assert 10_000_000 < free_memory() < 10**14


def test_text() -> None:
    assert wanted().text() == "1.2 GB of disk, 2.0 GB of memory, 1.2 GB of GPU memory"
    with pytest.raises(AttributeError):
        wanted().disk = 1  # type: ignore[attr-defined]
