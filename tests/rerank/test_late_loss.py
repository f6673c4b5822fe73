"""One step late, each loss once, and one that is no number stops the run under its own step's number."""

import math

import pytest
import torch

from core.errors import ModelError
from rerank.late_loss import LateLoss, zero_loss


def test_each_loss_comes_once_and_one_step_late() -> None:
    late = LateLoss()
    assert late.read() == 0.0
    assert [late.exchanged(number, loss) for number, loss in enumerate([0.5, torch.tensor(0.25), 2.0])] == [
        0,
        0.5,
        0.25,
    ]
    assert late.read() == 2.0 and late.read() == 0.0


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_is_told_with_its_own_step(wrong: float) -> None:
    late = LateLoss()
    late.exchanged(3, torch.tensor(wrong))
    with pytest.raises(ModelError, match=f"step 3: the training loss is {wrong}; lower learning_rate"):
        late.exchanged(4, 0.5)


def test_the_sum_on_the_device_is_the_one_that_python_makes() -> None:
    """In float32 the third would be lost: 2^24 + 1."""
    parts = torch.tensor([2.0**24, 1.0, 0.1])
    total = zero_loss("cpu")
    for part in parts:
        total += part
    assert float(total) == 0.0 + 2.0**24 + 1.0 + float(parts[2])
    assert float(parts.sum()) != float(total)
