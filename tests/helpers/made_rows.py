"""Made rows and answers for tests of the checks."""

from core.records import LETTERS, Misconception, Question
from synth.ledger import Asked
from synth.rows import SyntheticRow

BANK = {
    1: Misconception(id=1, name="Adds before multiplying", explanation="Works from left to right."),
    2: Misconception(id=2, name="Adds numerators and denominators"),
    3: Misconception(id=3, name="Believes a square has five sides"),
}


def made_question(
    text=r"What is \( 3 + 4 \times 2 \)?",
    answers=(r"\( 11 \)", r"\( 14 \)", r"\( 9 \)", r"\( 24 \)"),
    *,
    id=0,
    correct="A",
    letter="B",
    label=1,
):
    labels = tuple((label,) if name == letter and label is not None else () for name in LETTERS)
    return Question(id=id, text=text, answers=answers, correct=correct, labels=labels)


def made_row(key="r1", *, parents=(), label=1, letter="B", **question):
    return SyntheticRow(
        question=made_question(label=label, letter=letter, **question),
        misconception_id=label,
        letter=letter,
        rationale="3 + 4 is 7, and 7 times 2 is 14.",
        key=key,
        parents=parents,
        source="llm",
    )


def asked(text, *, task="solve", finish_reason="stop", error=None):
    return Asked(
        key="k",
        task=task,
        row="r1",
        engine="scripted",
        model="m",
        revision=None,
        prompt_hash="h",
        seed=0,
        temperature=0.0,
        max_tokens=9,
        prompt_tokens=5,
        output_tokens=7,
        seconds=0.1,
        text=text,
        finish_reason=finish_reason,
        error=error,
    )
