import math

import pytest

from core.records import Misconception, Query, Question
from retrieval.lexical import Bm25Retriever, TfidfRetriever
from retrieval.text import MisconceptionTemplate, QueryTemplate

BANK = [
    Misconception(id=3, name="adds the tops"),
    Misconception(id=1, name="adds tops and bottoms"),
    Misconception(id=2, name="reads graph wrongly"),
]
TEMPLATE = QueryTemplate(fields=("question",), labels=("",))


def ask(text: str) -> list[Query]:
    return [Query(question=Question(id=1, text=text, answers=("a", "b", "c", "d"), correct="A"), letter="B")]


def test_bm25_by_hand() -> None:
    # "tops" is in 2 of 3 entries: idf = ln(1 + 1.5/2.5). Lengths are 3, 4, 3, their mean 10/3.
    idf = math.log(1.6)
    short = idf * 2.5 / (1 + 1.5 * (0.25 + 0.75 * 3 / (10 / 3)))
    long = idf * 2.5 / (1 + 1.5 * (0.25 + 0.75 * 4 / (10 / 3)))
    ranking = Bm25Retriever(BANK, TEMPLATE, MisconceptionTemplate()).retrieve(ask("tops"), top_n=3)[0]
    assert ranking.ids.tolist() == [3, 1, 2]
    assert ranking.scores.tolist() == pytest.approx([short, long, 0.0])


def test_bm25_counts_a_repeated_query_word_twice() -> None:
    retriever = Bm25Retriever(BANK, TEMPLATE, MisconceptionTemplate())
    once, twice = (retriever.retrieve(ask(text), top_n=1)[0].scores[0] for text in ("graph", "graph graph"))
    assert twice == pytest.approx(2 * once)


@pytest.mark.parametrize("kind", [Bm25Retriever, TfidfRetriever])
def test_no_word_in_common_leaves_ties_by_id(kind: type[Bm25Retriever] | type[TfidfRetriever]) -> None:
    retriever = kind(BANK, TEMPLATE, MisconceptionTemplate())
    ranking = retriever.retrieve(ask("zebra"), top_n=2)[0]
    assert ranking.ids.tolist() == [1, 2]
    assert ranking.scores.tolist() == [0, 0]
    assert retriever.retrieve([], top_n=2) == []


def test_tfidf_is_a_cosine() -> None:
    words = TfidfRetriever(BANK, TEMPLATE, MisconceptionTemplate(), pieces="words")
    ranking = words.retrieve(ask("Reads graph wrongly"), top_n=3)[0]
    assert ranking.ids[0] == 2
    assert ranking.scores.tolist() == pytest.approx([1.0, 0.0, 0.0])


def test_characters_see_other_forms_of_a_word() -> None:
    words, characters = (
        TfidfRetriever(BANK, TEMPLATE, MisconceptionTemplate(), pieces=pieces).retrieve(ask("graphs"), top_n=1)[0]
        for pieces in ("words", "characters")
    )
    assert words.scores.tolist() == [0]
    assert characters.ids.tolist() == [2]
    assert characters.scores[0] > 0


def test_parameters_are_checked() -> None:
    with pytest.raises(ValueError, match="k1"):
        Bm25Retriever(BANK, TEMPLATE, MisconceptionTemplate(), k1=-1)
    with pytest.raises(ValueError, match="pieces"):
        TfidfRetriever(BANK, TEMPLATE, MisconceptionTemplate(), pieces="letters")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="b is 2"):
        Bm25Retriever(BANK, TEMPLATE, MisconceptionTemplate(), b=2)
