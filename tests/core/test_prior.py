"""The prior for unseen labels: fitted for a stated share, off where it loses."""

from collections.abc import Sequence

import pytest

from core.fusion import add_unseen_prior
from core.prior import fit_unseen_prior
from core.records import Ranking


def top_one(rankings: Sequence[Ranking], labels: Sequence[tuple[int, ...]]) -> list[float]:
    return [float(ranking.ids[0] in truth) for ranking, truth in zip(rankings, labels, strict=True)]


def split(n_seen: int, n_unseen: int, gap: float) -> tuple[list[Ranking], list[tuple[int, ...]]]:
    """Seen label 1 leads by `gap` where it is the truth and by half of it where unseen label 2 is."""
    seen = [Ranking.from_scores(f"{q}_A", [1, 2], [0.0, -gap]) for q in range(n_seen)]
    unseen = [Ranking.from_scores(f"{q}_B", [1, 2], [0.0, -gap / 2]) for q in range(100, 100 + n_unseen)]
    labels: list[tuple[int, ...]] = [(1,) if row < n_seen else (2,) for row in range(n_seen + n_unseen)]
    return seen + unseen, labels


def test_a_prior_that_pays_is_used() -> None:
    rankings, labels = split(10, 10, gap=2.0)
    fitted = fit_unseen_prior(rankings, labels, [1], grid=[0.5, 1.5, 2.5], unseen_share=0.6, metric=top_one)
    assert fitted.used
    assert fitted.value == fitted.fitted == 1.5  # lifts 2 over 1 by half a gap and not by a whole one
    assert fitted.without_prior == pytest.approx(0.4)  # only the seen are right, and they count 0.4
    assert fitted.with_prior == pytest.approx(1.0)
    assert dict(fitted.table) == pytest.approx({0.0: 0.4, 0.5: 0.4, 1.5: 1.0, 2.5: 0.6})
    assert top_one(add_unseen_prior(rankings, seen=[1], prior=fitted.value), labels) == [1.0] * 20


def test_the_share_decides() -> None:
    # Here 1 leads by the same whichever is the truth: a prior buys the unseen with the seen.
    rankings = [Ranking.from_scores(f"{q}_A", [1, 2], [0.0, -1.0]) for q in range(20)]
    labels = [(1,) if row < 10 else (2,) for row in range(20)]
    many = fit_unseen_prior(rankings, labels, [1], grid=[2.0], unseen_share=0.9, metric=top_one)
    few = fit_unseen_prior(rankings, labels, [1], grid=[2.0], unseen_share=0.1, metric=top_one)
    assert (many.used, many.value) == (True, 2.0)
    assert (few.used, few.value) == (False, 0.0)
    assert few.without_prior == pytest.approx(0.9)


def test_a_prior_that_only_fits_its_own_rows_is_switched_off() -> None:
    # Two parts that want opposite things: each value fitted on one part loses on the other.
    rankings, labels = [], []
    for question in range(4):
        wants_lift = question % 2 == 0
        rankings.append(Ranking.from_scores(f"{question}_A", [1, 2], [0.0, -1.0] if wants_lift else [-1.0, 0.0]))
        labels.append((2,) if wants_lift else (1,))
    fitted = fit_unseen_prior(rankings, labels, [1], grid=[-2.0, 2.0], unseen_share=0.55, metric=top_one, parts=2)
    assert fitted.fitted == 2.0  # on the whole split it looks worth having (0.55 against 0)
    assert fitted.without_prior == 0.0
    assert fitted.with_prior == 0.0
    assert (fitted.used, fitted.value) == (False, 0.0)


def test_the_order_of_the_rows_does_not_matter() -> None:
    rankings, labels = split(9, 7, gap=2.0)
    one = fit_unseen_prior(rankings, labels, [1], grid=[0.5, 1.5], unseen_share=0.5, metric=top_one)
    two = fit_unseen_prior(rankings[::-1], labels[::-1], [1], grid=[1.5, 0.5], unseen_share=0.5, metric=top_one)
    assert (one.value, one.used) == (two.value, two.used)
    assert one.with_prior == pytest.approx(two.with_prior)


def test_a_query_with_one_seen_label_counts_as_seen() -> None:
    rankings = [Ranking.from_scores("1_A", [1, 2], [0.0, -1.0]), Ranking.from_scores("2_A", [1, 2], [0.0, -1.0])]
    fitted = fit_unseen_prior(rankings, [(1, 2), (2,)], [1], grid=[0.5], unseen_share=0.25, metric=top_one, parts=2)
    assert fitted.without_prior == pytest.approx(0.75)


def test_wrong_input_says_what_is_wrong() -> None:
    rankings, labels = split(2, 2, gap=2.0)
    with pytest.raises(ValueError, match="labels"):
        fit_unseen_prior(rankings, labels[1:], [1], grid=[1.0], unseen_share=0.5, metric=top_one)
    with pytest.raises(ValueError, match="labels"):
        fit_unseen_prior(rankings, [(), *labels[1:]], [1], grid=[1.0], unseen_share=0.5, metric=top_one)
    with pytest.raises(ValueError, match="0 unseen"):
        fit_unseen_prior(rankings, labels, [1, 2], grid=[1.0], unseen_share=0.5, metric=top_one)
    with pytest.raises(ValueError, match="parts"):
        fit_unseen_prior(rankings, labels, [1], grid=[1.0], unseen_share=0.5, metric=top_one, parts=1)
    with pytest.raises(ValueError, match="one value for each"):
        fit_unseen_prior(rankings, labels, [1], grid=[1.0], unseen_share=0.5, metric=lambda r, t: [1.0])
