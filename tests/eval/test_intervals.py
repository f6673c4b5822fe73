from itertools import product

import numpy as np
import pytest

from eval import intervals
from eval.intervals import bootstrap_interval, bootstrap_intervals, paired_randomisation_test


def test_the_interval_has_the_textbook_width() -> None:
    values = np.random.default_rng(0).normal(size=400)
    low, high = bootstrap_interval(values, range(400), seed=1, resamples=4000)
    error = values.std() / 20
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_copies_of_a_row_in_one_group_add_no_certainty() -> None:
    values = np.random.default_rng(0).random(50)
    single = bootstrap_interval(values, range(50), seed=1, resamples=500)
    copied = bootstrap_interval(np.repeat(values, 4), np.repeat(np.arange(50), 4), seed=1, resamples=500)
    alone = bootstrap_interval(np.repeat(values, 4), range(200), seed=1, resamples=500)
    assert copied == pytest.approx(single)
    assert alone[1] - alone[0] < 0.7 * (single[1] - single[0])


def test_a_small_bootstrap_by_enumeration() -> None:
    # Groups a: {0, 0}, b: {1}. Draws of two groups: aa -> 0, ab and ba -> 1/3, bb -> 1; a quarter each of aa and bb.
    low, high = bootstrap_interval([0.0, 0.0, 1.0], ["a", "a", "b"], seed=0, resamples=4000, level=0.6)
    assert (low, high) == (0.0, 1.0)
    low, high = bootstrap_interval([0.0, 0.0, 1.0], ["a", "a", "b"], seed=0, resamples=4000, level=0.4)
    assert (low, high) == pytest.approx((1 / 3, 1 / 3))


def test_one_group_gives_a_point_and_equal_seeds_equal_intervals() -> None:
    assert bootstrap_interval([0.2, 0.4], ["q", "q"], seed=0, resamples=10) == pytest.approx((0.3, 0.3))
    values = np.random.default_rng(0).random((30, 2))
    first = bootstrap_intervals(values, range(30), seed=5, resamples=100)
    assert np.array_equal(first, bootstrap_intervals(values, range(30), seed=5, resamples=100))
    assert not np.array_equal(first, bootstrap_intervals(values, range(30), seed=6, resamples=100))
    assert tuple(first[1]) == pytest.approx(bootstrap_interval(values[:, 1], range(30), seed=5, resamples=100))


def test_the_randomisation_test_equals_enumeration() -> None:
    rng = np.random.default_rng(2)
    a, b, groups = rng.random(16), rng.random(16) - 0.1, np.repeat(np.arange(8), 2)
    sums = (a - b).reshape(8, 2).sum(axis=1)
    exact = np.mean([abs(np.dot(signs, sums)) >= abs(sums.sum()) - 1e-12 for signs in product((1, -1), repeat=8)])
    test = paired_randomisation_test(a, b, groups, seed=0, permutations=20_000)
    assert test.p == pytest.approx(exact, abs=0.012)
    assert test.difference == pytest.approx(np.mean(a) - np.mean(b))
    assert test.low < test.difference < test.high
    swapped = paired_randomisation_test(b, a, groups, seed=0, permutations=20_000)
    assert swapped.p == test.p
    assert swapped.difference == -test.difference


def test_swaps_that_tie_on_paper_count_despite_rounding() -> None:
    # 104 of the 128 sign patterns reach |0.3|; compared bit by bit in binary, only 84 of them do.
    differences = [0.4, 0.2, 0.0, -0.3, 0.5, -0.2, -0.3]
    test = paired_randomisation_test(differences, [0.0] * 7, range(7), seed=0, permutations=20_000)
    assert test.p == pytest.approx(104 / 128, abs=0.015)


def test_extremes_of_p() -> None:
    same = paired_randomisation_test([0.5, 0.2], [0.5, 0.2], [1, 2], seed=0, permutations=99)
    assert (same.p, same.difference, same.low, same.high) == (1.0, 0.0, 0.0, 0.0)
    # Twenty groups that all gain 0.1: only 2 of 2^20 sign patterns tie, so the + 1 alone is left.
    clear = paired_randomisation_test([0.3] * 20, [0.2] * 20, range(20), seed=0, permutations=99)
    assert clear.p == pytest.approx(1 / 100)


def test_memory_chunks_change_no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).random(40)
    whole = bootstrap_interval(values, range(40), seed=0, resamples=200)
    monkeypatch.setattr(intervals, "_CELLS", 130)
    assert bootstrap_interval(values, range(40), seed=0, resamples=200) == pytest.approx(whole)


@pytest.mark.parametrize(("values", "groups"), [([], []), ([1.0], [1, 2]), ([float("nan")], [1])])
def test_bad_shapes_are_refused(values: list[float], groups: list[int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        bootstrap_interval(values, groups, seed=0, resamples=10)


def test_bad_ranges_are_refused() -> None:
    with pytest.raises(ValueError, match="resamples"):
        bootstrap_interval([1.0], [1], seed=0, resamples=0)
    with pytest.raises(ValueError, match="one length"):
        paired_randomisation_test([1.0], [1.0, 2.0], [1, 2], seed=0)
    with pytest.raises(ValueError, match="permutations"):
        paired_randomisation_test([1.0], [1.0], [1], seed=0, permutations=0)
