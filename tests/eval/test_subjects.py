import numpy as np
import pytest

from core.records import Question, Ranking, queries_of
from eval.subjects import map_by_subject


def test_subjects_by_hand() -> None:
    questions = [
        Question(
            id=id, text="?", answers=("1", "2", "3", "4"), correct="A", labels=((), (1,), (2,), ()), subject=subject
        )
        for id, subject in enumerate(["Ratio", "Angles", "Angles", None])
    ]
    queries = queries_of(questions, labelled_only=True)
    rankings = [Ranking(key=query.key, ids=np.array([1, 2]), scores=np.array([2.0, 1.0])) for query in queries]
    found = map_by_subject(queries, rankings, {query.key: query.labels for query in queries})
    assert [(score.subject, score.n) for score in found] == [("Angles", 4), (None, 2), ("Ratio", 2)]
    assert found[0].map25.value == pytest.approx(0.75)  # each question: 1 and 1/2
