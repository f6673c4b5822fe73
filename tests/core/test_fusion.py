"""Fusion of several runs, and the prior for unseen labels: by hand and by property."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.fusion import (
    add_unseen_prior,
    fit_weight,
    fuse_scores,
    fuse_with_stage_one,
    reciprocal_rank_fusion,
)
from core.records import Ranking


def ranking(scores: dict[int, float], key: str = "1_A") -> Ranking:
    return Ranking.from_scores(key, list(scores), list(scores.values()))


rankings = st.dictionaries(st.integers(0, 40), st.floats(-50, 50), max_size=30).map(ranking)


def test_reciprocal_rank_fusion_by_hand() -> None:
    one = ranking({1: 9.0, 2: 8.0, 3: 7.0})
    two = ranking({3: 0.9, 4: 0.8})
    (fused,) = reciprocal_rank_fusion([[one], [two]])
    assert fused.ids.tolist() == [3, 1, 2, 4]  # 2 and 4 both have 1/62: the smaller id first
    assert fused.scores.tolist() == pytest.approx([1 / 63 + 1 / 61, 1 / 61, 1 / 62, 1 / 62])


def test_reciprocal_rank_fusion_with_weights_k_and_top() -> None:
    one = ranking({1: 9.0, 2: 8.0, 3: 7.0})
    two = ranking({3: 0.9, 4: 0.8})
    (fused,) = reciprocal_rank_fusion([[one], [two]], weights=[1.0, 3.0], k=1, top=2)
    # 1: 1/2; 2: 1/3; 3: 1/4 + 3/2; 4: 3/3
    assert fused.ids.tolist() == [3, 4]
    assert fused.scores.tolist() == pytest.approx([1.75, 1.0])


@given(st.lists(rankings, min_size=1, max_size=4))
def test_every_id_is_kept_exactly_once(runs: list[Ranking]) -> None:
    union = sorted({id for run in runs for id in run.ids.tolist()})
    lists = [[run] for run in runs]
    assert sorted(reciprocal_rank_fusion(lists)[0].ids.tolist()) == union
    for how in ("none", "minmax", "zscore", "softmax"):
        fused = fuse_scores(lists, weights=[1.0] * len(runs), normalise=how)
        assert sorted(fused[0].ids.tolist()) == union


@given(rankings)
def test_one_run_keeps_its_order(run: Ranking) -> None:
    assert reciprocal_rank_fusion([[run]])[0].ids.tolist() == run.ids.tolist()
    assert fuse_scores([[run]], weights=[1.0])[0] == run


def test_fuse_scores_gives_the_absent_the_lowest_score_of_the_run() -> None:
    one = ranking({1: -1.0, 2: -3.0})
    two = ranking({2: -0.5, 3: -2.0})
    (fused,) = fuse_scores([[one], [two]], weights=[1.0, 2.0])
    # 1: -1 + 2*-2 = -5; 2: -3 + 2*-0.5 = -4; 3: -3 + 2*-2 = -7
    assert fused.ids.tolist() == [2, 1, 3]
    assert fused.scores.tolist() == pytest.approx([-4.0, -5.0, -7.0])


def test_normalisations_by_hand() -> None:
    one = ranking({1: 4.0, 2: 2.0, 3: 0.0})
    flat = ranking({1: 5.0, 2: 5.0, 3: 5.0})
    both = [[one], [flat]]
    assert fuse_scores(both, weights=[1, 1], normalise="minmax")[0].scores.tolist() == pytest.approx([1.0, 0.5, 0.0])
    spread = math.sqrt(8 / 3)
    assert fuse_scores(both, weights=[1, 1], normalise="zscore")[0].scores.tolist() == pytest.approx(
        [2 / spread, 0.0, -2 / spread]
    )
    total = 1 + math.exp(-2) + math.exp(-4)
    assert fuse_scores([[one]], weights=[1], normalise="softmax")[0].scores.tolist() == pytest.approx(
        [1 / total, math.exp(-2) / total, math.exp(-4) / total]
    )


def test_an_empty_run_adds_nothing() -> None:
    one, none = ranking({1: 4.0, 2: 2.0}), ranking({})
    assert fuse_scores([[one], [none]], weights=[1, 1])[0] == one


def test_a_prior_lifts_the_unseen_only() -> None:
    run = ranking({1: 3.0, 2: 2.0, 3: 1.0})
    (lifted,) = add_unseen_prior([run], seen=[1, 3, 99], prior=1.5)
    assert lifted.ids.tolist() == [2, 1, 3]
    assert lifted.scores.tolist() == [3.5, 3.0, 1.0]
    assert add_unseen_prior([run], seen=[1], prior=0.0) == [run]
    (lowered,) = add_unseen_prior([run], seen=[3], prior=-5.0)
    assert lowered.ids.tolist() == [3, 1, 2]
    assert add_unseen_prior([run], seen=[], prior=1.0)[0].scores.tolist() == [4.0, 3.0, 2.0]


def test_several_queries_stay_in_order() -> None:
    a, b = ranking({1: 1.0}, "1_A"), ranking({2: 1.0}, "2_B")
    assert [r.key for r in reciprocal_rank_fusion([[a, b], [a, b]])] == ["1_A", "2_B"]


def test_wrong_input_says_what_is_wrong() -> None:
    a, b = ranking({1: 1.0}, "1_A"), ranking({2: 1.0}, "2_B")
    with pytest.raises(ValueError, match="no run"):
        reciprocal_rank_fusion([])
    with pytest.raises(ValueError, match="2_B for 1_A"):
        reciprocal_rank_fusion([[a], [b]])
    with pytest.raises(ValueError, match="1 queries for 2"):
        fuse_scores([[a, b], [a]], weights=[1, 1])
    with pytest.raises(ValueError, match="2 finite weights"):
        fuse_scores([[a], [a]], weights=[1.0])
    with pytest.raises(ValueError, match="none negative"):
        fuse_scores([[a]], weights=[-1.0])
    with pytest.raises(ValueError, match="k must"):
        reciprocal_rank_fusion([[a]], k=-1)
    with pytest.raises(ValueError, match="normalise"):
        fuse_scores([[a]], weights=[1.0], normalise="ranks")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="finite"):
        add_unseen_prior([a], seen=[], prior=math.nan)


def test_names_of_the_neighbours_can_be_had_here() -> None:
    assert fuse_with_stage_one.__module__ == "core.stage_one_fusion"
    assert fit_weight.__module__ == "core.fitting"


def test_scores_are_float64() -> None:
    fused = reciprocal_rank_fusion([[ranking({1: 1.0})]])
    assert fused[0].scores.dtype == np.float64
