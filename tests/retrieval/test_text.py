import pytest

from core.records import Misconception, Query, Question
from retrieval.text import (
    MisconceptionTemplate,
    QueryTemplate,
    applies,
    misconception_text,
    query_text,
)

QUESTION = Question(
    id=7,
    text="What is \\( \\frac{1}{2}+\\frac{1}{3} \\) ?",
    answers=("\\( \\frac{5}{6} \\)", "\\( \\frac{2}{5} \\)", "1", "2"),
    correct="A",
    construct="Add fractions",
    subject="Fractions",
)
QUERY = Query(question=QUESTION, letter="B", hint="Adds tops and bottoms")
BARE = Query(question=Question(id=8, text="1+1?", answers=("2", "3", "4", "5"), correct="A"), letter="B")


def test_default_text_is_readable() -> None:
    assert query_text(QUERY, QueryTemplate()) == (
        "Construct: Add fractions\nSubject: Fractions\nQuestion: What is 1/2+1/3?\n"
        "Correct answer: 5/6\nIncorrect answer: 2/5"
    )


def test_latex_is_kept_on_request() -> None:
    text = query_text(QUERY, QueryTemplate(fields=("incorrect",), latex="keep"))
    assert text == "Incorrect answer: \\( \\frac{2}{5} \\)"


def test_fields_order_labels_and_instruction() -> None:
    template = QueryTemplate(fields=("hint", "incorrect"), labels=("", "Wrong"), instruction="Instruct: find\nQuery: ")
    assert query_text(QUERY, template) == "Instruct: find\nQuery: Adds tops and bottoms\nWrong: 2/5"


def test_missing_construct_subject_and_hint_leave_no_trace() -> None:
    template = QueryTemplate(fields=("construct", "subject", "question", "correct", "incorrect", "hint"))
    assert query_text(BARE, template) == "Question: 1+1?\nCorrect answer: 2\nIncorrect answer: 3"


def test_hint_can_be_dropped() -> None:
    template = QueryTemplate(fields=("incorrect", "hint"))
    assert query_text(QUERY, template).endswith("Why a student might answer this: Adds tops and bottoms")
    assert query_text(QUERY, template, with_hint=False) == "Incorrect answer: 2/5"


def test_a_template_of_the_hint_alone_needs_a_hint() -> None:
    template = QueryTemplate(fields=("hint",))
    assert applies(QUERY, template)
    assert not applies(QUERY, template, with_hint=False)
    assert not applies(BARE, template)
    assert not applies(Query(question=QUESTION, letter="B", hint="  "), template)
    with pytest.raises(ValueError, match=r"8_B.*hint"):
        query_text(BARE, template)


@pytest.mark.parametrize(
    "arguments",
    [{"fields": ()}, {"fields": ("question", "question")}, {"fields": ("title",)}, {"labels": ("a",)}, {"latex": "no"}],
)
def test_impossible_query_templates_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="query template"):
        QueryTemplate(**arguments)  # type: ignore[arg-type]


def test_misconception_text_with_and_without_explanation() -> None:
    plain = Misconception(id=1, name="Adds \\( a \\times b \\)")
    explained = Misconception(id=2, name="Adds tops", explanation=" Sees two sums.\n\n")
    assert misconception_text(plain, MisconceptionTemplate()) == "Adds a × b"
    assert misconception_text(explained, MisconceptionTemplate()) == "Adds tops"
    assert misconception_text(explained, MisconceptionTemplate(explanation=True)) == "Adds tops\nSees two sums."
    alone = MisconceptionTemplate(name=False, explanation=True)
    assert misconception_text(explained, alone) == "Sees two sums."
    assert misconception_text(plain, alone) == "Adds a × b", "the name stands in for the explanation"
    with pytest.raises(ValueError, match="neither"):
        MisconceptionTemplate(name=False)


def test_hashes_follow_the_text_and_nothing_else() -> None:
    spelled_out = QueryTemplate(labels=("Construct", "Subject", "Question", "Correct answer", "Incorrect answer"))
    assert QueryTemplate().hash() == spelled_out.hash()
    others = [
        QueryTemplate(latex="keep"),
        QueryTemplate(instruction="x"),
        QueryTemplate(fields=("subject", "construct", "question", "correct", "incorrect")),
        QueryTemplate(labels=("C", "S", "Q", "A", "W")),
    ]
    assert len({template.hash() for template in [QueryTemplate(), *others]}) == 5
    bank = [MisconceptionTemplate(), MisconceptionTemplate(explanation=True), MisconceptionTemplate(instruction="x")]
    assert len({template.hash() for template in bank}) == 3
    assert len(QueryTemplate().hash()) == 64
