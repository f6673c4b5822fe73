"""Weights of an average; the greedy soup with scripted scores."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.average_weights import equal_weights, greedy_soup, score_weights, stated_weights
from core.errors import ConfigError


def test_weights_by_hand() -> None:
    assert equal_weights(4) == [0.25] * 4
    assert stated_weights([1, 2, 1]) == [0.25, 0.5, 0.25]
    assert score_weights([0.2, 0.3, 0.5]) == pytest.approx([0.2, 0.3, 0.5])
    assert score_weights([0.42, 0.42]) == [0.5, 0.5]


@pytest.mark.parametrize("wrong", [[], [1.0, 0.0], [1.0, -1.0], [float("nan"), 1.0], [float("inf"), 1.0]])
def test_weights_that_mean_nothing_are_refused(wrong: list[float]) -> None:
    with pytest.raises(ConfigError, match="expected finite numbers above 0"):
        stated_weights(wrong)
    with pytest.raises(ConfigError, match="expected validation scores above 0"):
        score_weights(wrong)
    with pytest.raises(ValueError, match="nothing to average"):
        equal_weights(0)


def test_a_soup_step_by_step() -> None:
    """Singles 0.40, 0.50, 0.45, 0.30: it begins with 1, tries 2, then 0, then 3."""
    scripted = {(1, 2): 0.52, (1, 2, 0): 0.51, (1, 2, 3): 0.52}
    soup = greedy_soup([0.40, 0.50, 0.45, 0.30], scripted.__getitem__)
    assert (soup.members, soup.score) == ((1, 2, 3), 0.52)
    assert soup.trail == (
        ((1,), 0.50, True),
        ((1, 2), 0.52, True),
        ((1, 2, 0), 0.51, False),
        ((1, 2, 3), 0.52, True),  # no worse: it stays
    )
    assert soup.weights(4) == pytest.approx([0.0, 1 / 3, 1 / 3, 1 / 3])


def test_ties_go_to_the_first_and_a_lone_model_is_a_soup() -> None:
    asked: list[tuple[int, ...]] = []

    def worse(members: tuple[int, ...]) -> float:
        asked.append(members)
        return 0.1

    assert greedy_soup([0.3, 0.3, 0.3], worse).members == (0,)
    assert asked == [(0, 1), (0, 2)]
    assert greedy_soup([0.3], worse).weights(1) == [1.0]
    with pytest.raises(ValueError, match="finite scores of at least one"):
        greedy_soup([], worse)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_a_soup_is_never_worse_than_the_best_single_one(scores: list[float], draw: object) -> None:
    kept: dict[tuple[int, ...], float] = {}

    def scripted(members: tuple[int, ...]) -> float:
        return kept.setdefault(members, draw.random())  # type: ignore[attr-defined]

    soup = greedy_soup(scores, scripted)
    assert soup.score >= max(scores)
    assert len(set(soup.members)) == len(soup.members)
    assert soup.score == (scores[soup.members[0]] if len(soup.members) == 1 else kept[soup.members])
