"""The listwise loss, by hand."""

import math

import pytest
import torch

from rerank.listwise_loss import listwise_softmax_loss


def test_groups_of_different_sizes_by_hand() -> None:
    logits = torch.tensor([0.0, math.log(3.0), 0.0, 0.0, 0.0])
    # first group: the label has 1/4; second: 1/3
    loss = listwise_softmax_loss(logits, [2, 3], [0, 2])
    assert loss.item() == pytest.approx((math.log(4) + math.log(3)) / 2)


def test_offsets_are_added_to_the_logits() -> None:
    loss = listwise_softmax_loss(torch.zeros(2), [2], [0], torch.tensor([math.log(3.0), 0.0]))
    assert loss.item() == pytest.approx(math.log(4 / 3))


def test_a_group_of_one_costs_nothing_and_gives_no_nan() -> None:
    logits = torch.tensor([5.0, 1.0, 1.0], requires_grad=True)
    loss = listwise_softmax_loss(logits, [1, 2], [0, 1])
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(math.log(2) / 2)
    assert logits.grad is not None
    assert logits.grad.tolist() == pytest.approx([0.0, 0.25, -0.25])


def test_half_precision_logits_are_summed_in_single() -> None:
    assert listwise_softmax_loss(torch.zeros(2, dtype=torch.bfloat16), [2], [0]).dtype == torch.float32


def test_sizes_and_labels_are_checked() -> None:
    with pytest.raises(ValueError, match="expected 3 logits"):
        listwise_softmax_loss(torch.zeros(2), [3], [0])
    with pytest.raises(ValueError, match="inside groups"):
        listwise_softmax_loss(torch.zeros(2), [2], [2])


def test_weights_multiply_each_groups_loss() -> None:
    logits = torch.tensor([0.0, math.log(3.0), 0.0, 0.0, 0.0])
    loss = listwise_softmax_loss(logits, [2, 3], [0, 2], weights=[1.0, 0.5])
    assert loss.item() == pytest.approx((math.log(4) + 0.5 * math.log(3)) / 2)
    assert listwise_softmax_loss(logits, [2, 3], [0, 2], weights=[1.0, 1.0]).item() == pytest.approx(
        listwise_softmax_loss(logits, [2, 3], [0, 2]).item()
    )
