"""The gate's numbers, worked out by hand."""

from collections.abc import Sequence

import numpy as np
import pytest

from core.language_model import LabelScores
from core.records import FloatArray, Ranking
from rerank.quantization_gate import GateThresholds, judge, label_divergences, same_best_label


def scores(*probabilities: float) -> LabelScores:
    return LabelScores(logprobs=np.log(np.array(probabilities, dtype=np.float32)), mass=None)


def ranking(key: str, first: int, second: int, probability: float) -> Ranking:
    return Ranking.from_scores(key, [first, second], np.log([probability, 1 - probability]))


def first_is_7(rankings: Sequence[Ranking]) -> FloatArray:
    return np.array([1.0 if r.ids[0] == 7 else 0.5 for r in rankings])


def ends(differences: FloatArray, keys: Sequence[str]) -> tuple[float, float]:
    assert len(keys) == len(differences)
    return float(differences.min()), float(differences.max())


def test_divergence_and_agreement_by_hand() -> None:
    before, after = [scores(0.5, 0.5), scores(0.75, 0.25)], [scores(0.75, 0.25), scores(0.25, 0.75)]
    found = label_divergences(before, after)
    # 0.5 ln(0.5/0.75) + 0.5 ln(0.5/0.25), and 0.75 ln 3 + 0.25 ln(1/3)
    assert found == pytest.approx([0.143841, 0.549306], abs=1e-5)
    assert same_best_label(before, after).tolist() == [1.0, 0.0]  # a tie goes to the first label
    assert label_divergences(before, before).tolist() == [0.0, 0.0]


def gate(after: list[Ranking], *, map_delta: float = -0.005, agreement: float = 0.97):
    before = [
        ranking("1_A", 7, 8, 0.9),
        ranking("2_B", 7, 8, 0.8),
        ranking("3_C", 8, 7, 0.7),
        ranking("4_D", 7, 8, 0.6),
    ]
    return judge(
        before,
        after,
        [scores(0.9, 0.1)] * 4,
        [scores(0.9, 0.1)] * 3 + [scores(0.4, 0.6)],
        metric=first_is_7,
        interval=ends,
        thresholds=GateThresholds(map_delta=map_delta, agreement=agreement),
        worst=2,
    )


def test_a_model_that_lost_is_refused_with_reasons() -> None:
    found = gate(
        [ranking("1_A", 7, 8, 0.9), ranking("2_B", 8, 7, 0.8), ranking("3_C", 8, 7, 0.7), ranking("4_D", 8, 7, 0.6)]
    )
    assert (found.before, found.after, found.delta) == (0.875, 0.625, -0.25)
    assert (found.low, found.high) == (-0.5, 0.0)
    assert found.agreement == 0.75 and not found.accepted and found.is_sure is False
    assert [lost.key for lost in found.worst] == ["2_B", "4_D"]  # both lost 0.5; 2_B moved further
    assert found.worst[0].best_before == 7 and found.worst[0].best_after == 8
    # 0.8 ln(0.8/0.2) + 0.2 ln(0.2/0.8)
    assert found.worst[0].divergence == pytest.approx(0.831777, abs=1e-5)
    assert len(found.refusals) == 2
    assert "-0.2500 (95 % interval -0.5000 to +0.0000) over 4 queries" in found.refusals[0]
    assert "75.0% of 4 prompts" in found.refusals[1]
    told = found.to_json()
    assert told["accepted"] is False and told["map@25_delta"] == -0.25 and told["top1_agreement"] == 0.75


def test_thresholds_decide() -> None:
    same = [ranking("1_A", 7, 8, 0.9), ranking("2_B", 7, 8, 0.8), ranking("3_C", 8, 7, 0.7), ranking("4_D", 7, 8, 0.6)]
    found = gate(same, agreement=0.75)
    assert found.accepted and found.delta == 0 and found.is_sure
    assert not gate(same, agreement=0.76).accepted
    worse = [*same[:3], ranking("4_D", 8, 7, 0.6)]  # mean falls by 0.5 / 4
    assert gate(worse, map_delta=-0.125, agreement=0.0).accepted
    assert not gate(worse, map_delta=-0.124, agreement=0.0).accepted


def test_what_does_not_belong_together_is_refused() -> None:
    with pytest.raises(ValueError, match="same queries"):
        gate([ranking("9_A", 7, 8, 0.9)])
    with pytest.raises(ValueError, match="same candidates"):
        gate([ranking(key, 7, 9, 0.9) for key in ("1_A", "2_B", "3_C", "4_D")])
    with pytest.raises(ValueError, match="same labels"):
        label_divergences([scores(0.5, 0.5)], [scores(1.0)])
    with pytest.raises(ValueError, match="at least one"):
        same_best_label([], [])
    with pytest.raises(ValueError, match="map_delta"):
        GateThresholds(map_delta=0.1)
