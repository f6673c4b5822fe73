import numpy as np
import pytest

from eval.auc import auc


def area(positive: list[float], negative: list[float]) -> float:
    return auc(positive, negative, list(range(len(positive))), list(range(len(negative))), seed=0, resamples=10).value


def test_by_hand() -> None:
    # Pairs: 3 beats 1 and 2; 2 beats 1 and ties 2; of four, 3 and a half are won.
    assert area([3, 2], [1, 2]) == pytest.approx(3.5 / 4)
    assert area([1, 1], [1, 1]) == 0.5
    assert area([2], [1]) == 1.0
    assert area([1], [2]) == 0.0


def test_it_equals_scikit_learn() -> None:
    from sklearn.metrics import roc_auc_score

    generator = np.random.default_rng(0)
    positive, negative = generator.integers(3, 11, 200), generator.integers(0, 9, 150)
    truth = [1] * 200 + [0] * 150
    assert area(list(positive), list(negative)) == pytest.approx(roc_auc_score(truth, [*positive, *negative]))


def test_the_interval_covers_and_narrows() -> None:
    generator = np.random.default_rng(1)

    def width(n: int) -> float:
        found = auc(
            generator.normal(1, 1, n), generator.normal(0, 1, n), list(range(n)), list(range(n)), seed=0, resamples=300
        )
        assert found.low <= found.value <= found.high
        assert found.low < 0.7602 < found.high  # Phi(1 / sqrt 2), the true value
        return found.high - found.low

    assert width(400) < 0.6 * width(50)


def test_rows_of_one_group_count_as_one() -> None:
    positive, negative = [5.0, 1.0] * 20, [3.0] * 40
    alone = auc(positive, negative, list(range(40)), list(range(40)), seed=0, resamples=200)
    grouped = auc(positive, negative, [0, 1] * 20, [0, 1] * 20, seed=0, resamples=200)
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_bad_calls_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        area([], [1])
    with pytest.raises(ValueError, match="finite"):
        area([float("nan")], [1])
    with pytest.raises(ValueError, match="resamples"):
        auc([1], [0], [0], [0], seed=0, resamples=0)
