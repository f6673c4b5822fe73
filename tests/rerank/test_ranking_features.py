"""Features worked out by hand: two queries, three entries, three labelled examples."""

import numpy as np
import pytest

from core.records import Query, Question, Ranking
from rerank.ranking_features import BankEvidence, QueryEvidence, feature_names, ranking_features

PAIRS = (("question", "name"),)


def question(number: int, label: int | None = None, *, construct: int = 1, subject: int = 1) -> Question:
    labels = ((), () if label is None else (label,), (), ())
    return Question(
        id=number,
        text=f"What is {number}?",
        answers=("1", "2", "3", "4"),
        correct="A",
        labels=labels,
        construct_id=construct,
        subject_id=subject,
    )


def seen(queries: list[Query], groups: list[int | None], vectors: list[list[float]]) -> QueryEvidence:
    return QueryEvidence(
        queries=queries,
        groups=[frozenset() if group is None else frozenset({group}) for group in groups],
        views={"question": np.array(vectors, dtype=np.float32)},
    )


ASKED = Query(question=question(1, construct=7, subject=3), letter="B")
EXAMPLES = [
    Query(question=question(2, 10, construct=7, subject=3), letter="B"),
    Query(question=question(3, 10, construct=8, subject=3), letter="B"),
    Query(question=question(4, 20, construct=7, subject=4), letter="B"),
    Query(question=question(1, 30, construct=7, subject=3), letter="B"),  # the asked question itself
]
MEMORY = seen(EXAMPLES, [1, 2, 3, 0], [[1, 0], [0, 1], [0.6, 0.8], [1, 0]])
BANK = BankEvidence(
    ids=np.array([10, 20, 30], dtype=np.int64), views={"name": np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)}
)
RANKING = Ranking.from_scores(ASKED.key, [10, 20, 30], [0.5, 0.9, 0.4])


def features_of(asked: QueryEvidence, memory: QueryEvidence = MEMORY) -> dict[str, list[float]]:
    names = feature_names(PAIRS, ("question",))
    (found,) = ranking_features([RANKING], asked, memory, BANK, pairs=PAIRS, remembered=("question",))
    assert found.dtype == np.float32 and found.shape == (3, len(names))
    return dict(zip(names, found.T.tolist(), strict=True))


def test_every_column_by_hand() -> None:
    found = features_of(seen([ASKED], [0], [[1, 0]]))
    order = RANKING.ids.tolist()
    assert order == [20, 10, 30]
    assert found["stage one: score"] == pytest.approx([0.9, 0.5, 0.4])
    assert found["stage one: below the best"] == pytest.approx([0.0, -0.4, -0.5])
    assert found["stage one: above the next"] == pytest.approx([0.4, 0.1, 0.0])
    assert found["stage one: rank"] == [0.0, 1.0, 2.0]
    assert found["question to name"] == pytest.approx([0.0, 1.0, 0.6])
    assert found["question to name: below the best"] == pytest.approx([-1.0, 0.0, -0.4])
    # 20: one example at cosine 0.6; 10: the nearer of two, 1.0; 30: its only example is the question's own
    assert found["question to an example's"] == pytest.approx([0.6, 1.0, float("nan")], nan_ok=True)
    assert found["question to an example's: below the best"] == pytest.approx([-0.4, 0.0, float("nan")], nan_ok=True)
    assert found["examples"] == [1.0, 2.0, 0.0]
    assert found["examples of the construct"] == [1.0, 1.0, 0.0]
    assert found["examples of the subject"] == [0.0, 2.0, 0.0]


def test_a_question_of_two_groups_looks_at_neither() -> None:
    both = QueryEvidence(
        queries=[ASKED], groups=[frozenset({1, 2})], views={"question": np.array([[1, 0]], dtype=np.float32)}
    )
    assert features_of(both)["examples"] == [1.0, 0.0, 1.0]
    assert features_of(seen([ASKED], [None], [[1, 0]]))["examples"] == [1.0, 2.0, 1.0]


def test_a_query_without_the_view_knows_no_similarity() -> None:
    found = features_of(seen([ASKED], [0], [[0, 0]]))
    assert np.isnan(found["question to name"]).all() and np.isnan(found["question to an example's"]).all()
    assert found["examples"] == [1.0, 2.0, 0.0]


def test_without_memory_there_are_no_examples() -> None:
    empty = QueryEvidence(queries=[], groups=[], views={"question": np.zeros((0, 2), dtype=np.float32)})
    found = features_of(seen([ASKED], [0], [[1, 0]]), empty)
    assert found["examples"] == [0.0, 0.0, 0.0] and np.isnan(found["question to an example's"]).all()


def test_constructs_without_an_id_are_compared_by_name_and_none_matches_none() -> None:
    plain = Question(id=9, text="?", answers=("1", "2", "3", "4"), correct="A", labels=((), (10,), (), ()))
    memory = seen([Query(question=plain, letter="B")], [5], [[1, 0]])
    bare = Query(question=Question(id=1, text="!", answers=("1", "2", "3", "4"), correct="A"), letter="B")
    found = features_of(seen([bare], [0], [[1, 0]]), memory)
    assert found["examples"] == [0.0, 1.0, 0.0] and found["examples of the construct"] == [0.0, 0.0, 0.0]


def test_no_candidate_gives_no_row() -> None:
    empty = Ranking.from_scores(ASKED.key, [], [])
    asked = seen([ASKED], [0], [[1, 0]])
    (found,) = ranking_features([empty], asked, MEMORY, BANK, pairs=PAIRS, remembered=("question",))
    assert found.shape == (0, len(feature_names(PAIRS, ("question",))))


def test_bad_input_is_named() -> None:
    asked = seen([ASKED], [0], [[1, 0]])
    other = Ranking.from_scores("5_B", [10], [1.0])
    with pytest.raises(ValueError, match="same queries in the same order"):
        ranking_features([other], asked, MEMORY, BANK, pairs=PAIRS, remembered=())
    with pytest.raises(ValueError, match=r"candidates \[99\] are not in the bank"):
        ranking_features([Ranking.from_scores(ASKED.key, [99], [1.0])], asked, MEMORY, BANK, pairs=PAIRS, remembered=())
    with pytest.raises(ValueError, match="must be of one length"):
        seen([ASKED], [0, 1], [[1, 0]])
