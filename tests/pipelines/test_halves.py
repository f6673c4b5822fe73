from dataclasses import replace

from core.records import Question, queries_of
from pipelines.halves import halves

ASKED = Question(id=0, text="q0", answers=("1", "2", "3", "4"), correct="A", labels=((), (1,), (2,), ()))


def test_a_question_and_its_repeats_stay_in_one_half() -> None:
    texts = ["one", "two", "three", "ONE ", "four", "two"]
    questions = [replace(ASKED, id=number, text=text) for number, text in enumerate(texts)]
    queries = queries_of(questions, labelled_only=True)
    of_text: dict[str, set[int]] = {}
    for query, half in zip(queries, halves(queries), strict=True):
        of_text.setdefault(query.question.text.strip().lower(), set()).add(half)
    assert {text: len(found) for text, found in of_text.items()} == dict.fromkeys(["one", "two", "three", "four"], 1)


def test_the_halves_are_alike_in_size() -> None:
    queries = queries_of([replace(ASKED, id=number, text=f"q{number}") for number in range(11)], labelled_only=True)
    found = halves(queries)
    assert len(found) == 22 and sorted((found.count(0), found.count(1))) == [10, 12]
    assert halves([]) == []
