import pytest

from core.records import Question
from synth.rows import SyntheticRow


def row(**changes):
    question = Question(
        id=1, text="2+3?", answers=("5", "6", "1", "23"), correct="A", labels=changes.pop("labels", ((), (7,), (), ()))
    )
    facts = {"misconception_id": 7, "letter": "B", "rationale": "", "key": "k", "parents": (), "source": "llm"}
    return SyntheticRow(question=question, **{**facts, **changes})


def test_a_row_carries_its_label_on_its_letter_and_nowhere_else():
    assert row().letter == "B"
    for changes in (
        {"letter": "C"},
        {"misconception_id": 8},
        {"labels": ((), (), (), ())},
        {"labels": ((), (7,), (9,), ())},
        {"labels": ((), (7, 9), (), ())},
    ):
        with pytest.raises(ValueError, match="row k: expected the label"):
            row(**changes)
    with pytest.raises(ValueError, match="key"):
        row(key="")
