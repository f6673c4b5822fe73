"""The learning-rate schedule, and what decays."""

import pytest
import torch

from core.optimizer import decayed_adamw, learning_rate_share


def test_the_schedule_by_hand() -> None:
    shares = [learning_rate_share(step, total_steps=6, warmup=1 / 3) for step in range(6)]
    assert shares == pytest.approx([0.5, 1.0, 1.0, 0.75, 0.5, 0.25])
    assert learning_rate_share(0, total_steps=4, warmup=0.0) == 1.0
    assert learning_rate_share(3, total_steps=4, warmup=1.0) == 1.0


def test_the_cosine_by_hand() -> None:
    """After the warm-up: (1 + cos) / 2 of the share of the fall that is behind."""
    shares = [learning_rate_share(step, total_steps=6, warmup=1 / 3, shape="cosine") for step in range(6)]
    assert shares == pytest.approx([0.5, 1.0, 1.0, (1 + 2**-0.5) / 2, 0.5, (1 - 2**-0.5) / 2])


def test_only_matrices_decay() -> None:
    layer = torch.nn.Linear(3, 2)
    decayed, plain = decayed_adamw(layer.parameters(), learning_rate=0.1, weight_decay=0.3).param_groups
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.3, 0.0)
    assert [tuple(tensor.shape) for tensor in (*decayed["params"], *plain["params"])] == [(2, 3), (2,)]
