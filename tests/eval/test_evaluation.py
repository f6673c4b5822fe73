import json

import numpy as np
import pytest

from core.errors import InputError
from core.records import Ranking
from eval.evaluation import compare, evaluate, question_ids, unseen_mask


def ranked(key: str, ids: list[int]) -> Ranking:
    return Ranking(key=key, ids=np.array(ids), scores=-np.arange(len(ids), dtype=float))


RANKINGS = [
    ranked("1_A", [1, 2, 3, 4, 5, 6]),  # truth first
    ranked("1_B", [2, 1, 3, 4, 5, 6]),  # second
    ranked("2_A", [1, 2, 3, 4, 9, 6]),  # fifth
    ranked("3_D", [1, 2, 3, 4, 5, 6]),  # two labels, at 1 and not at all; one of them is seen
]
LABELS = {"1_A": (1,), "1_B": (1,), "2_A": (9,), "3_D": (1, 50)}


def test_numbers_by_hand() -> None:
    found = evaluate(RANKINGS, LABELS, seen={1}, resamples=200)
    assert found.n == 4
    assert found.overall.questions == 3
    assert found.map25.value == pytest.approx((1 + 1 / 2 + 1 / 5 + 1 / 2) / 4)
    assert [recall.k for recall in found.recalls] == [1, 5]  # the rankings are six deep
    assert found.overall.recall(5).value == pytest.approx((1 + 1 + 1 + 0.5) / 4)  # type: ignore[union-attr]
    assert found.overall.recall(25) is None
    assert found.seen is not None
    assert found.unseen is not None
    assert (found.seen.n, found.unseen.n) == (3, 1)
    assert found.seen.map25.value == pytest.approx(2 / 3)
    assert found.unseen.map25.value == pytest.approx(0.2)
    assert found.unseen.map25.low == found.unseen.map25.high == pytest.approx(0.2)
    assert found.map25.low <= found.map25.value <= found.map25.high


def test_the_clusters_are_questions() -> None:
    assert question_ids(RANKINGS).tolist() == ["1", "1", "2", "3"]


def test_a_query_with_one_known_label_is_seen() -> None:
    assert unseen_mask(RANKINGS, LABELS, seen=[50]) == [True, True, True, False]


def test_without_training_labels_there_is_no_split() -> None:
    found = evaluate(RANKINGS, LABELS, resamples=50)
    assert found.seen is None
    assert found.unseen is None
    assert evaluate(RANKINGS, LABELS, seen=set(), resamples=50).seen is None


def test_json_is_plain_rounded_and_repeatable() -> None:
    one = evaluate(RANKINGS, LABELS, seen={1}, resamples=50, seed=3).to_json()
    assert json.dumps(one) == json.dumps(evaluate(RANKINGS, LABELS, seen={1}, resamples=50, seed=3).to_json())
    third = one["seen"]
    assert isinstance(third, dict)
    assert third["map@25"]["value"] == 0.666667
    assert third["queries"] == 3


def test_compare_pairs_by_query_whatever_the_order() -> None:
    better = [ranked("2_A", [9, 1, 2]), *[RANKINGS[i] for i in (3, 1, 0)]]
    test = compare(better, RANKINGS, LABELS, permutations=100)
    assert test.difference == pytest.approx((1 - 1 / 5) / 4)
    assert compare(RANKINGS, list(reversed(RANKINGS)), LABELS, permutations=100).p == 1.0


def test_a_missing_ranking_is_named() -> None:
    with pytest.raises(InputError, match="3_D"):
        evaluate(RANKINGS[:3], LABELS)
    with pytest.raises(InputError, match="3_D"):
        compare(RANKINGS, RANKINGS[:3], LABELS)
