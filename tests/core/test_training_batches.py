"""The order of training groups."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.training_batches import training_batches


@given(st.lists(st.integers(0, 500), max_size=200), st.integers(1, 16), st.integers(0, 5))
def test_every_row_once_in_as_few_batches_as_can_be(lengths: list[int], size: int, epoch: int) -> None:
    batches = training_batches(lengths, batch_size=size, seed=1, epoch=epoch)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    assert len(batches) == -(-len(lengths) // size)
    assert all(len(batch) <= size for batch in batches)


def test_seed_and_epoch_decide() -> None:
    lengths = list(range(100))
    one = training_batches(lengths, batch_size=4, seed=1, epoch=0)
    assert one == training_batches(lengths, batch_size=4, seed=1, epoch=0)
    assert one != training_batches(lengths, batch_size=4, seed=1, epoch=1)
    assert one != training_batches(lengths, batch_size=4, seed=2, epoch=0)


def test_a_batch_holds_like_lengths() -> None:
    lengths = list(range(800))
    spread = [max(batch) - min(batch) for batch in training_batches(lengths, batch_size=10, seed=0, epoch=0)]
    assert sum(spread) / len(spread) < 150  # without sorting about 650


def test_a_batch_must_hold_something() -> None:
    with pytest.raises(ValueError, match="batch_size"):
        training_batches([1], batch_size=0, seed=0, epoch=0)
