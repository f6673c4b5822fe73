"""The bit layouts of 4-bit weights: by hand, and against compressed-tensors' own code."""

import pytest
import torch

from rerank.packed_weights import AWQ_ORDER, dequantise_awq, dequantise_compressed, pack, unpack


def test_the_first_column_lies_in_the_lowest_bits() -> None:
    word = pack(torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8]]))
    assert word.dtype == torch.int32 and word.tolist() == [[0x87654321 - (1 << 32)]]


def test_awq_shuffles_each_eight_columns() -> None:
    # From the lowest bits: columns 0, 2, 4, 6, 1, 3, 5, 7.
    word = pack(torch.tensor([[0, 1, 2, 3, 4, 5, 6, 7]]), AWQ_ORDER)
    assert word.tolist() == [[0x75316420]]
    assert unpack(word, AWQ_ORDER).tolist() == [[0, 1, 2, 3, 4, 5, 6, 7]]


@pytest.mark.parametrize("order", [tuple(range(8)), AWQ_ORDER])
def test_what_is_packed_comes_back(order: tuple[int, ...]) -> None:
    values = torch.randint(0, 16, (5, 24), generator=torch.Generator().manual_seed(1), dtype=torch.int8)
    assert torch.equal(unpack(pack(values, order), order), values)


@pytest.mark.parametrize("values", [torch.zeros(2, 7), torch.full((1, 8), 16), torch.full((1, 8), -1), torch.zeros(8)])
def test_what_cannot_be_packed_is_refused(values: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="expected"):
        pack(values)


def test_packing_is_that_of_compressed_tensors() -> None:
    helpers = pytest.importorskip("compressed_tensors.compressors.pack_quantized.helpers")
    levels = torch.randint(-8, 8, (6, 16), generator=torch.Generator().manual_seed(2), dtype=torch.int8)
    assert torch.equal(pack(levels + 8), helpers.pack_to_int32(levels, 4))
    assert torch.equal(unpack(helpers.pack_to_int32(levels, 4)) - 8, levels)


def test_a_compressed_layer_by_hand() -> None:
    levels = torch.tensor([[-8, -1, 0, 1, 2, 3, 4, 7], [0, 0, 0, 0, 1, 1, 1, 1]])
    scale = torch.tensor([[0.5, 2.0], [1.0, 10.0]])
    found = dequantise_compressed(pack(levels + 8), scale, zero_point=None, shape=(2, 8))
    assert found.tolist() == [[-4.0, -0.5, 0.0, 0.5, 4.0, 6.0, 8.0, 14.0], [0, 0, 0, 0, 10.0, 10.0, 10.0, 10.0]]


def test_zero_points_are_taken_off_and_groups_may_be_permuted() -> None:
    helpers = pytest.importorskip("compressed_tensors.compressors.pack_quantized.helpers")
    levels = torch.tensor([[1, 1, 1, 1, 2, 2, 2, 2]] * 8, dtype=torch.int8)
    zeros = torch.tensor([[row - 4, 1] for row in range(8)], dtype=torch.int8)
    scale = torch.tensor([[1.0, 10.0]] * 8)
    packed_zeros = helpers.pack_to_int32(zeros, 4, packed_dim=0)
    found = dequantise_compressed(pack(levels + 8), scale, zero_point=packed_zeros, shape=(8, 8))
    assert found[:, 0].tolist() == [1.0 - (row - 4) for row in range(8)]
    assert found[:, 7].tolist() == [10.0] * 8
    groups = torch.tensor([1, 0, 0, 0, 0, 0, 0, 0])
    turned = dequantise_compressed(pack(levels + 8), scale, zero_point=None, shape=(8, 8), groups=groups)
    assert turned[0].tolist() == [10.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0]


def test_an_awq_layer_by_hand() -> None:
    # Two inputs, eight outputs, one group a input: weight = (level - zero) * scale, then outputs by inputs.
    levels = torch.tensor([[0, 1, 2, 3, 4, 5, 6, 7], [15, 14, 13, 12, 11, 10, 9, 8]])
    zeros = torch.tensor([[1] * 8, [8] * 8])
    scales = torch.tensor([[1.0] * 8, [0.5] * 8])
    found = dequantise_awq(pack(levels, AWQ_ORDER), pack(zeros, AWQ_ORDER), scales)
    assert found.shape == (8, 2)
    assert found[:, 0].tolist() == [-1, 0, 1, 2, 3, 4, 5, 6]
    assert found[:, 1].tolist() == [3.5, 3.0, 2.5, 2.0, 1.5, 1.0, 0.5, 0.0]


def test_parts_of_two_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="expected weights, zeros and scales"):
        dequantise_awq(torch.zeros(4, 1, dtype=torch.int32), torch.zeros(1, 1, dtype=torch.int32), torch.zeros(3, 8))
    with pytest.raises(ValueError, match="expected packed weights"):
        dequantise_compressed(torch.zeros(4, 1, dtype=torch.int32), torch.ones(3, 1), zero_point=None, shape=(4, 8))
