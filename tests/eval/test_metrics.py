import ir_measures
import numpy as np
import pytest
from ir_measures import AP, Qrel, R, ScoredDoc

from core.errors import InputError
from core.records import Question, Ranking
from eval.metrics import average_precisions, labelled, map_at, recall_at, recall_curve, recalls, true_labels


def ranked(key: str, ids: list[int]) -> Ranking:
    return Ranking(key=key, ids=np.array(ids), scores=-np.arange(len(ids), dtype=float))


def test_one_label_scores_one_over_its_rank() -> None:
    rankings = [ranked("1_A", [7, 8, 9]), ranked("2_B", [7, 8, 9]), ranked("3_C", [7, 8, 9])]
    labels = {"1_A": (7,), "2_B": (9,), "3_C": (1,)}
    assert average_precisions(rankings, labels).tolist() == [1.0, pytest.approx(1 / 3), 0.0]
    assert map_at(rankings, labels) == pytest.approx((1 + 1 / 3) / 3)


def test_two_labels_by_hand() -> None:
    # Labels at ranks 2 and 4 of three: (1/2 + 2/4) / 3.
    rankings, labels = [ranked("1_A", [5, 1, 6, 2, 7])], {"1_A": (1, 2, 3)}
    assert average_precisions(rankings, labels).tolist() == [pytest.approx(1 / 3)]
    # At depth 2 the divisor is min(3, 2).
    assert average_precisions(rankings, labels, k=2).tolist() == [pytest.approx(0.25)]
    assert recalls(rankings, labels, k=3).tolist() == [pytest.approx(1 / 3)]
    assert recall_at(rankings, labels, k=4) == pytest.approx(2 / 3)
    assert recall_curve(rankings, labels, depth=6).tolist() == pytest.approx([0, 1 / 3, 1 / 3, 2 / 3, 2 / 3, 2 / 3])


def test_a_perfect_ranking_scores_one_with_more_labels_than_places() -> None:
    assert map_at([ranked("1_A", [1, 2, 3])], {"1_A": (1, 2, 3)}, k=2) == 1.0


def test_equal_to_ir_measures_on_random_rankings() -> None:
    rng = np.random.default_rng(4)
    rankings, labels = [], {}
    for query in range(60):
        key = f"{query}_A"
        rankings.append(ranked(key, rng.permutation(60)[: rng.integers(1, 50)].tolist()))
        labels[key] = tuple(rng.choice(60, size=rng.integers(1, 6), replace=False).tolist())
    qrels = [Qrel(key, str(id), 1) for key, ids in labels.items() for id in ids]
    run = [ScoredDoc(r.key, str(id), float(s)) for r in rankings for id, s in zip(r.ids, r.scores, strict=True)]
    theirs = {(m.query_id, str(m.measure)): m.value for m in ir_measures.iter_calc([AP @ 25, R @ 10], qrels, run)}
    assert average_precisions(rankings, labels).tolist() == pytest.approx([theirs[r.key, "AP@25"] for r in rankings])
    assert recalls(rankings, labels, k=10).tolist() == pytest.approx([theirs[r.key, "R@10"] for r in rankings])
    assert recall_curve(rankings, labels, depth=10)[-1] == pytest.approx(recall_at(rankings, labels, k=10))


def test_labels_and_rankings_must_match() -> None:
    one = ranked("1_A", [1])
    with pytest.raises(InputError, match="query 2_B: has a label but no ranking"):
        map_at([one], {"1_A": (1,), "2_B": (1,)})
    with pytest.raises(InputError, match="query 1_A: has a ranking but no label"):
        map_at([one], {"1_A": ()})
    with pytest.raises(InputError, match="query 1_A: expected one ranking"):
        map_at([one, one], {"1_A": (1,)})
    with pytest.raises(InputError, match="got none"):
        map_at([], {})
    with pytest.raises(ValueError, match="at least 1"):
        recalls([one], {"1_A": (1,)}, k=0)


def test_true_labels_leave_unlabelled_answers_out() -> None:
    question = Question(id=3, text="?", answers=("1", "2", "3", "4"), correct="B", labels=((9, 4), (), (), (1,)))
    labels = true_labels([question])
    assert labels == {"3_A": (9, 4), "3_D": (1,)}
    assert [r.key for r in labelled([ranked("3_A", [1]), ranked("3_C", [1])], labels)] == ["3_A"]
