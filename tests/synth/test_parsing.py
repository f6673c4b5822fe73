import json

import pytest
from made_rows import asked
from scripted_writer import question

from synth import reasons
from synth.parsing import Written, parse_written

GOOD = json.loads(question())
ANSWERS = GOOD["answers"]


def written(text, **settings):
    return parse_written(asked(text, **settings))


def reason(text, **settings):
    found = written(text, **settings)
    return None if isinstance(found, Written) else (found.reason, found.detail)


def test_an_answer_in_the_asked_form_becomes_a_question():
    made = written(question())
    assert made.question == r"What is the sum of \( \frac{1}{3} \) and \( \frac{1}{5} \)?"
    assert made.answers[2] == r"\( \frac{2}{8} \)" and (made.correct, made.letter) == ("B", "C")
    assert (made.subject, made.construct, made.rationale) == (
        "Fractions",
        "Add fractions",
        "The denominators are added.",
    )


@pytest.mark.parametrize(
    "around",
    ["```json\n{}\n```", "```\n{}\n```", "  {}\n", "<think>1/8 { } hm</think>\n{}", "<think></think>```json\n{}\n```"],
)
def test_thoughts_and_one_fence_come_off(around):
    before, _, behind = around.rpartition("{}")
    assert isinstance(written(f"{before}{question()}{behind}"), Written)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (reasons.EMPTY, "")),
        ("Here is a question: 3+4?", reasons.NOT_JSON),
        (question() + " I hope this helps!", reasons.NOT_JSON),
        (question() + question(), reasons.NOT_JSON),
        (question()[:-1], reasons.NOT_JSON),
        ("[1, 2]", reasons.NOT_JSON),
        ("{" * 100_000, reasons.NOT_JSON),
        ("[" * 100_000, reasons.NOT_JSON),
        ('{"question": "a", "question": "b"}', reasons.NOT_JSON),
        ("I'm sorry, but I can't help with that.", reasons.REFUSED),
        ("I cannot write questions that mislead students.", reasons.REFUSED),
        (question(question=...), (reasons.MISSING, "question")),
        (question(rationale=...), (reasons.MISSING, "rationale")),
        (question(correct=...), (reasons.MISSING, "correct")),
        (question(answers={"A": "1", "B": "2", "C": "3"}), (reasons.MISSING, "answers.D")),
        (question(question="  "), (reasons.MISSING, "question is blank")),
        (question(answers={**ANSWERS, "C": " "}), (reasons.MISSING, "answers.C is blank")),
        (question(notes="x"), (reasons.UNKNOWN, "notes")),
        (question(answers={**ANSWERS, "E": "9"}), (reasons.UNKNOWN, "answers.E")),
        (question(answers=["1", "2", "3", "4"]), (reasons.WRONG_TYPE, "answers")),
        (question(question=7), (reasons.WRONG_TYPE, "question")),
        (question(answers={**ANSWERS, "A": 7}), (reasons.WRONG_TYPE, "answers.A")),
        (question(correct="E"), (reasons.NO_LETTER, "correct: E")),
        (question(correct=None), (reasons.NO_LETTER, "correct: None")),
        (question(correct=["A"]), (reasons.NO_LETTER, "correct: ['A']")),
        (question(misconception_answer="b"), (reasons.NO_LETTER, "misconception_answer: b")),
    ],
)
def test_anything_else_is_rejected_with_a_reason(text, expected):
    found = reason(text)
    assert found == expected if isinstance(expected, tuple) else found[0] == expected


def test_a_cut_answer_is_told_from_a_malformed_one():
    assert reason(question()[:60], finish_reason="length")[0] == reasons.CUT_OFF
    assert reason("", error="timed out") == (reasons.FAILED, "timed out")


def test_subject_and_construct_may_be_absent():
    made = written(question(subject=..., construct=""))
    assert (made.subject, made.construct) == (None, None)


def test_carelessly_escaped_latex_is_read_as_it_was_meant():
    r"""`\(` is no escape of JSON, `\f` and `\t` are other ones than LaTeX means."""
    careless = question().replace("\\\\", "\\")
    assert "\\(" in careless and written(careless).question == GOOD["question"]
    told = written(question(question="\\times \\beta \\rightarrow \\neq \\nabla").replace("\\\\", "\\"))
    assert told.question == r"\times \beta \rightarrow \neq \nabla"
    table = written(question(question="First line\nnot \\( 3 \\) under it"))
    assert table.question == "First line\nnot \\( 3 \\) under it"


def test_what_no_file_can_hold_is_dropped():
    assert written(question(question="a\ud800b\u0000c")).question == "abc"
