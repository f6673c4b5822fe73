"""Fusion of a reranker with stage 1: the two ends are exact, the middle is worked by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.records import Ranking
from core.stage_one_fusion import StageOneForm, fuse_with_stage_one, log_softmax, stage_one_log_scores

FORMS: tuple[StageOneForm, ...] = ("rank", "score")


@st.composite
def two_stages(draw: st.DrawFn) -> tuple[Ranking, Ranking]:
    """A stage-1 ranking (ties and huge scores included) and a reranking of an unbroken stretch of it."""
    scores = draw(
        st.dictionaries(st.integers(0, 60), st.sampled_from([0.0, 0.1, 0.2, 1e-17, -3.0, 500.0]), max_size=30)
    )
    first = Ranking.from_scores("1_A", list(scores), list(scores.values()))
    start = draw(st.integers(0, len(first)))
    stop = draw(st.integers(start, len(first)))
    logits = draw(st.lists(st.floats(-30, 30), min_size=stop - start, max_size=stop - start))
    return first, Ranking.from_scores("1_A", first.ids[start:stop], logits)


@given(two_stages(), st.sampled_from(FORMS), st.floats(0.01, 10))
def test_weight_nought_is_exactly_stage_one(stages: tuple[Ranking, Ranking], form: StageOneForm, t: float) -> None:
    first, second = stages
    (fused,) = fuse_with_stage_one([first], [second], weight=0.0, form=form, temperature=t)
    assert fused.ids.tolist() == first.ids.tolist()


@given(two_stages(), st.sampled_from(FORMS))
def test_weight_one_is_exactly_the_reranker(stages: tuple[Ranking, Ranking], form: StageOneForm) -> None:
    first, second = stages
    (fused,) = fuse_with_stage_one([first], [second], weight=1.0, form=form)
    scored = set(second.ids.tolist())
    assert [id for id in fused.ids.tolist() if id in scored] == second.ids.tolist()
    assert [id for id in fused.ids.tolist() if id not in scored] == [i for i in first.ids.tolist() if i not in scored]


@given(two_stages(), st.floats(0, 1), st.sampled_from(FORMS))
def test_every_id_once_and_the_unscored_keep_their_place(
    stages: tuple[Ranking, Ranking], weight: float, form: StageOneForm
) -> None:
    first, second = stages
    (fused,) = fuse_with_stage_one([first], [second], weight=weight, form=form)
    assert sorted(fused.ids.tolist()) == sorted(first.ids.tolist())
    scored = set(second.ids.tolist())
    for place, id in enumerate(first.ids.tolist()):
        if id not in scored:
            assert fused.ids[place] == id


def test_the_middle_by_hand() -> None:
    first = Ranking.from_scores("1_A", [7, 3, 9, 1], [0.9, 0.8, 0.7, 0.6])
    second = Ranking.from_scores("1_A", [7, 3, 9], [math.log(0.1), math.log(0.7), math.log(0.2)])
    (fused,) = fuse_with_stage_one([first], [second], weight=0.5)
    # 7: .5 ln .1 + .5 ln 1 = -1.1513; 3: .5 ln .7 + .5 ln 1/2 = -.5249; 9: .5 ln .2 + .5 ln 1/3 = -1.3540
    assert fused.ids.tolist() == [3, 7, 9, 1]
    assert fused.scores.tolist() == pytest.approx([-0.524911, -1.151293, -1.354025, -2.354025], abs=1e-6)


def test_the_score_form_by_hand() -> None:
    first = Ranking.from_scores("1_A", [7, 3], [0.9, 0.8])
    second = Ranking.from_scores("1_A", [7, 3], [math.log(0.4), math.log(0.6)])
    odds = math.exp(0.1 / 0.05)  # at temperature 0.05 stage 1 says e^2 to 1 for 7
    p7 = odds / (1 + odds)
    (fused,) = fuse_with_stage_one([first], [second], weight=0.25, form="score", temperature=0.05)
    assert fused.ids.tolist() == [7, 3]
    assert fused.scores.tolist() == pytest.approx(
        [0.25 * math.log(0.4) + 0.75 * math.log(p7), 0.25 * math.log(0.6) + 0.75 * math.log(1 - p7)]
    )


def test_a_window_in_the_middle_moves_only_inside_itself() -> None:
    first = Ranking.from_scores("1_A", [5, 4, 3, 2, 1], [5.0, 4.0, 3.0, 2.0, 1.0])
    window = Ranking.from_scores("1_A", [3, 2], [-9.0, -0.1])
    (fused,) = fuse_with_stage_one([first], [window], weight=1.0)
    assert fused.ids.tolist() == [5, 4, 2, 3, 1]


def test_no_reranked_candidate_leaves_stage_one() -> None:
    first = Ranking.from_scores("1_A", [5, 4], [5.0, 4.0])
    (fused,) = fuse_with_stage_one([first], [Ranking.from_scores("1_A", [], [])], weight=0.7)
    assert fused.ids.tolist() == [5, 4]
    assert fused.scores.tolist() == pytest.approx([0.0, -math.log(2)])


def test_top_cuts_after_the_fusion() -> None:
    first = Ranking.from_scores("1_A", [5, 4, 3], [5.0, 4.0, 3.0])
    second = Ranking.from_scores("1_A", [5, 4, 3], [-3.0, -2.0, -1.0])
    assert fuse_with_stage_one([first], [second], weight=1.0, top=2)[0].ids.tolist() == [3, 4]


def test_log_softmax() -> None:
    assert np.exp(log_softmax(np.array([1.0, 2.0, 3.0]), temperature=0.5)).sum() == pytest.approx(1.0)
    assert log_softmax(np.array([0.0, math.log(3)])).tolist() == pytest.approx([math.log(0.25), math.log(0.75)])
    assert log_softmax(np.zeros(0)).shape == (0,)
    assert np.isfinite(log_softmax(np.array([1e6, -1e6]))).all()


def test_stage_one_log_scores_by_hand() -> None:
    first = Ranking.from_scores("1_A", [7, 3, 9], [0.9, 0.8, 0.7])
    assert stage_one_log_scores(first).tolist() == pytest.approx([0.0, -math.log(2), -math.log(3)])


def test_wrong_input_says_what_is_wrong() -> None:
    first = Ranking.from_scores("1_A", [5, 4, 3], [5.0, 4.0, 3.0])
    with pytest.raises(ValueError, match="does not hold"):
        fuse_with_stage_one([first], [Ranking.from_scores("1_A", [8], [0.0])], weight=0.5)
    with pytest.raises(ValueError, match="unbroken"):
        fuse_with_stage_one([first], [Ranking.from_scores("1_A", [5, 3], [0.0, -1.0])], weight=0.5)
    with pytest.raises(ValueError, match="weight"):
        fuse_with_stage_one([first], [first], weight=1.5)
    with pytest.raises(ValueError, match="other queries"):
        fuse_with_stage_one([first], [Ranking.from_scores("2_A", [5], [0.0])], weight=0.5)
    with pytest.raises(ValueError, match="temperature"):
        fuse_with_stage_one([first], [first], weight=0.5, form="score", temperature=0.0)
    with pytest.raises(ValueError, match="form"):
        stage_one_log_scores(first, form="ranks")  # type: ignore[arg-type]
