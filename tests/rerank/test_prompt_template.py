"""The form of a prompt."""

import pickle
from dataclasses import replace

import pytest

from core.records import Misconception, Query, Question
from rerank.prompt_template import Example, PromptTemplate, one_line

QUERY = Query(question=Question(id=1, text="2 + 2?", answers=("4", "5", "6", "7"), correct="A"), letter="B")
ADDS = Misconception(id=3, name="Adds one")
EXAMPLE = Example(query=QUERY, candidates=(ADDS,), answer=3)


def test_templates_are_hashable_and_equal_ones_hash_alike() -> None:
    template = PromptTemplate(examples=(EXAMPLE,))
    assert hash(template) == hash(PromptTemplate(examples=(EXAMPLE,)))
    assert template.hash() == PromptTemplate(examples=(EXAMPLE,)).hash()
    assert pickle.loads(pickle.dumps(template)) == template


def test_every_field_changes_the_hash() -> None:
    changes: list[dict[str, object]] = [
        {},
        {"fields": ("question", "incorrect")},
        {"with_subjects": True},
        {"with_explanations": True},
        {"with_hint": True},
        {"none_label": True},
        {"examples": (EXAMPLE,)},
        {"max_tokens": 7},
        {"alphabet": "AB"},
        {"instruction": "Choose."},
        {"separator": ""},
        {"closing": ""},
    ]
    assert {name for change in changes for name in change} == set(PromptTemplate.__dataclass_fields__)
    hashes = {replace(PromptTemplate(), **change).hash() for change in changes}  # type: ignore[arg-type]
    assert len(hashes) == len(changes)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fields": ("question",)}, "'incorrect' among them"),
        ({"fields": ("incorrect", "incorrect")}, "distinct"),
        ({"fields": ("incorrect", "hint")}, "distinct ones of"),
        ({"alphabet": "AA"}, "all distinct"),
        ({"alphabet": "A"}, "two labels"),
        ({"max_tokens": 0}, "at least 1"),
        ({"examples": (replace(EXAMPLE, answer=None),)}, "none_label is off"),
    ],
)
def test_bad_templates_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PromptTemplate(**values)  # type: ignore[arg-type]


def test_an_example_knows_its_answer() -> None:
    with pytest.raises(ValueError, match="answer 4 is not among"):
        Example(query=QUERY, candidates=(ADDS,), answer=4)
    with pytest.raises(ValueError, match="not among its candidates"):
        Example(query=QUERY, candidates=(), answer=None)


def test_texts_are_brought_to_one_line() -> None:
    assert one_line(["Adds\n B. fake", None, " ", " always "]) == "Adds B. fake - always"
