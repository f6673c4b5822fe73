"""Fitting on a grid: ties, coordinate ascent and the share of unseen labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.fitting import fit_weight, fit_weights, query_weights, reweighted_mean


def test_fit_weight_takes_the_best_and_keeps_the_table() -> None:
    fitted = fit_weight([1.0, 0.0, 0.5, 0.5], lambda w: -((w - 0.6) ** 2))
    assert fitted.value == 0.5
    assert fitted.score == pytest.approx(-0.01)
    assert [value for value, _ in fitted.table] == [0.0, 0.5, 1.0]


def test_ties_go_to_the_value_nearest_to_nought() -> None:
    assert fit_weight([0.75, 0.25, 0.5], lambda w: 1.0).value == 0.25
    assert fit_weight([-2.0, -0.5, 1.0], lambda w: 1.0).value == -0.5
    assert fit_weight([1.0, -1.0], lambda w: 1.0).value == -1.0


@pytest.mark.parametrize("grid", [[], [float("nan")], [0.0, float("inf")]])
def test_a_grid_must_be_usable(grid: list[float]) -> None:
    with pytest.raises(ValueError, match="grid of weights"):
        fit_weight(grid, lambda w: 0.0)


def test_a_score_must_be_finite() -> None:
    with pytest.raises(ValueError, match="not finite"):
        fit_weight([0.0], lambda w: float("nan"))
    with pytest.raises(ValueError, match="not finite"):
        fit_weights([[0.0]], lambda w: float("nan"))


def test_fit_weights_climbs_to_the_top_of_a_concave_score() -> None:
    grid = [0.0, 0.25, 0.5, 0.75, 1.0]
    calls: list[tuple[float, ...]] = []

    def score(point: tuple[float, ...]) -> float:
        calls.append(point)
        x, y = point
        return -((x - 0.5) ** 2) - (y - 0.75) ** 2 - 0.5 * (x - 0.5) * (y - 0.75)

    fitted = fit_weights([grid, grid], score)
    assert fitted.values == (0.5, 0.75)
    assert fitted.score == 0.0
    assert len(calls) == len(set(calls)) == len(fitted.table)
    assert fitted.rounds >= 2


def test_fit_weights_does_not_move_on_a_tie() -> None:
    assert fit_weights([[0.0, 1.0], [0.5, 1.0]], lambda p: 7.0).values == (0.0, 0.5)
    assert fit_weights([[0.0, 1.0], [0.5, 1.0]], lambda p: 7.0, start=[1.0, 0.3]).values == (1.0, 0.3)


def test_fit_weights_obeys_max_rounds() -> None:
    def ridge(point: tuple[float, ...]) -> float:  # each pass over the coordinates can climb one stair only
        return min(point) * 10 - abs(point[0] - point[1]) * 4

    grid = [0.0, 1.0, 2.0, 3.0]
    assert fit_weights([grid, grid], ridge, max_rounds=1).rounds == 1


@pytest.mark.parametrize(
    ("grids", "start", "rounds"), [([], None, 5), ([[0.0], []], None, 5), ([[0.0]], [0.0, 1.0], 5), ([[0.0]], None, 0)]
)
def test_fit_weights_refuses_unusable_input(grids: list[list[float]], start: list[float] | None, rounds: int) -> None:
    with pytest.raises(ValueError):
        fit_weights(grids, lambda p: 0.0, start=start, max_rounds=rounds)


def test_reweighted_mean_by_hand() -> None:
    values = [1.0, 0.0, 0.5, 0.2]
    unseen = [False, False, False, True]
    # seen mean 0.5, unseen mean 0.2
    assert reweighted_mean(values, unseen, 0.6) == pytest.approx(0.6 * 0.2 + 0.4 * 0.5)
    assert reweighted_mean(values, unseen, 0.25) == pytest.approx(np.mean(values))
    assert reweighted_mean(values, unseen, 0.0) == pytest.approx(0.5)
    assert reweighted_mean(values, unseen, 1.0) == pytest.approx(0.2)


def test_query_weights_by_hand() -> None:
    assert query_weights([True, False, False, True], 0.6).tolist() == pytest.approx([0.3, 0.2, 0.2, 0.3])


@given(st.lists(st.booleans(), min_size=2).filter(lambda m: any(m) and not all(m)), st.floats(0, 1))
def test_query_weights_give_the_share(mask: list[bool], share: float) -> None:
    weights = query_weights(mask, share)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[np.array(mask)].sum() == pytest.approx(share)


@pytest.mark.parametrize(("mask", "share"), [([False], 0.5), ([True], 0.5), ([True, False], 1.1), ([], 0.5)])
def test_a_side_that_must_count_may_not_be_empty(mask: list[bool], share: float) -> None:
    with pytest.raises(ValueError, match="unseen"):
        query_weights(mask, share)


def test_a_side_that_does_not_count_may_be_empty() -> None:
    assert reweighted_mean([0.4, 0.6], [False, False], 0.0) == pytest.approx(0.5)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="one shape"):
        reweighted_mean([1.0], [True, False], 0.5)
