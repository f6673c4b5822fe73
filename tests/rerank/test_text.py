"""The texts of a pair."""

import pytest

from core.records import Misconception, Query, Question
from rerank.text import candidate_text, pair_texts, query_text

QUERY = Query(
    question=Question(
        id=3,
        text=r"What is \( 2^{3} \)?",
        answers=("8", "6", "5", "9"),
        correct="A",
        construct="Calculate powers",
        subject="Indices",
    ),
    letter="B",
    hint="Multiplied base and power",
)
MULTIPLIES = Misconception(id=4, name="Multiplies by the index", explanation="Reads 2^3 as 2 x 3.")


def test_query_text_names_its_fields_and_ends_with_what_matters() -> None:
    assert query_text(QUERY) == (
        "Topic: Calculate powers\nSubject: Indices\nQuestion: What is \\( 2^{3} \\)?\n"
        "Correct answer: 8\nWrong answer: 6\nHint: Multiplied base and power"
    )


def test_absent_fields_are_left_out() -> None:
    bare = Query(question=Question(id=1, text="q", answers=("a", "b", "c", "d"), correct="A"), letter="D")
    assert query_text(bare) == "Question: q\nCorrect answer: a\nWrong answer: d"
    assert "Hint" not in query_text(QUERY, with_hint=False)


def test_simplify_sees_every_field() -> None:
    assert "Question: WHAT IS" in query_text(QUERY, simplify=str.upper)
    assert candidate_text(MULTIPLIES, simplify=str.upper) == "MULTIPLIES BY THE INDEX"


def test_the_explanation_is_optional() -> None:
    assert candidate_text(MULTIPLIES) == "Multiplies by the index"
    assert candidate_text(MULTIPLIES, with_explanation=True) == "Multiplies by the index\nReads 2^3 as 2 x 3."
    assert candidate_text(Misconception(id=1, name="n"), with_explanation=True) == "n"


def test_pairs_stand_query_by_query_and_texts_are_built_once() -> None:
    other = Misconception(id=9, name="Adds")
    built: list[int] = []

    def name(misconception: Misconception) -> str:
        built.append(misconception.id)
        return misconception.name

    pairs = pair_texts(
        [QUERY, QUERY], [(9, 4), (4,)], {4: MULTIPLIES, 9: other}, query_text=lambda q: q.key, candidate_text=name
    )
    assert pairs == [("3_B", "Adds"), ("3_B", "Multiplies by the index"), ("3_B", "Multiplies by the index")]
    assert built == [4, 9]


def test_a_blank_text_is_refused() -> None:
    with pytest.raises(ValueError, match="query 3_B"):
        pair_texts([QUERY], [(4,)], {4: MULTIPLIES}, query_text=lambda q: " ", candidate_text=candidate_text)
    with pytest.raises(ValueError, match="misconception 4"):
        pair_texts([QUERY], [(4,)], {4: MULTIPLIES}, query_text=query_text, candidate_text=lambda m: "")
