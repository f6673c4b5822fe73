import time

import pytest
from made_rows import made_question

from synth.arithmetic import arithmetic_verdict
from synth.reasons import TWO_RIGHT, WRONG


def check(text: str, *answers: str, correct: str = "A") -> str | None:
    """Return 'right', a reason, or None where it cannot be computed."""
    shown = [answer if " " in answer and "\\" not in answer else f"\\( {answer} \\)" for answer in answers]
    letter = "B" if correct == "A" else "A"
    verdict = arithmetic_verdict(made_question(text=text, answers=tuple(shown), correct=correct, letter=letter))
    return None if verdict is None else verdict.reason or "right"


@pytest.mark.parametrize(
    ("text", "answers", "expected"),
    [
        (r"What is \( 3 + 4 \times 2 \)?", ("11", "14", "9", "24"), "right"),
        (r"What is \( 3 + 4 \times 2 \)?", ("14", "11", "9", "24"), WRONG),
        (r"Work out: \[ \frac{1}{2} + \frac{1}{4} \]", (r"\frac{3}{4}", r"\frac{2}{6}", "0.75", "1"), TWO_RIGHT),
        (r"\( 0.3 \times 0.2= \)", ("0.06", "0.6", "0.5", "6"), "right"),
        (r"Work out \( 20 \% \) of \( 50 \).", ("10", "20", "30", "2.5"), "right"),
        (r"\( \frac{1}{2} \div 2 \). Give your answer as decimal", ("0.25", r"\frac{2}{8}", "1", "2"), "right"),
        (r"Simplify \( \frac{4}{8} \)", (r"\frac{1}{2}", r"\frac{2}{4}", r"\frac{4}{8}", "2"), "right"),
        (r"Simplify \( 3x + 2x \)", ("5x", "5x^{2}", "6x", "x"), "right"),
        (r"Simplify \( 3x + 2x \)", ("6x", "5x", "5x^{2}", "x"), WRONG),
        (r"Expand and simplify: \( 3(x + 2) - x \)", ("2x + 6", "2x + 2", "4x + 6", "3x"), "right"),
        (r"Solve \( 2x + 3 = 11 \)", ("x = 4", "x = 7", "x = 16", "x = 5"), "right"),
        (r"Solve \( 2x + 3 = 11 \)", ("x = 7", "x = 4", "x = 16", "x = 5"), WRONG),
        (r"Solve \( x^{2} = 9 \)", (r"x = 3 or x = -3", "x = 3", "x = 9", "x = 81"), "right"),
        (r"Solve \( x^{2} = 9 \)", ("x = 3", r"x = -9", "x = 9", "x = 81"), WRONG),
    ],
)  # fmt: skip
def test_what_can_be_computed_is_checked(text: str, answers: tuple[str, ...], expected: str) -> None:
    assert check(text, *answers) == expected


@pytest.mark.parametrize(
    "text",
    [
        r"Estimate \( 3.9 \times 2.1 \)",
        r"What is \( 3.14159 \) rounded to \( 2 \) decimal places?",
        r"Tom buys \( 3 \) apples for \( 4 \) pounds each. What is \( 3 \times 4 \)?",
        r"What is \( x + 2 \) when \( x = 3 \)?",
        r"Solve \( 2x + 3 < 11 \)",
        r"Solve \( x + y = 2 \)",
        "What is half of eight?",
    ],
)
def test_what_is_not_understood_is_left_to_others(text: str) -> None:
    assert check(text, "1", "2", "3", "4") is None


@pytest.mark.parametrize(
    "text",
    [
        "What is # of \\( 5 \\)?",
        r"Solve \( \sqrt{2}x = 4 \)",
        r"Solve \( x^{4} + \sqrt{3}x = \sqrt[3]{7} \)",
        r"Expand \( (a+b+c+d+e+f+g+h)^{20} \)",
        r"Expand \( (a+b+c+d)(e+f+g+h)(k+m+n+p)(q+r+s+t)(u+v+w+x)(a+e+k+q)(b+f+m+r) \)",
        r"Work out \( (a+b+c)^{20} \) of \( (d+e+f)^{20} \)",
    ],
)
def test_no_question_crashes_the_run_or_keeps_sympy_busy(text: str) -> None:
    started = time.perf_counter()
    assert check(text, "1", "2", "3", "4") is None
    assert time.perf_counter() - started < 5


def test_a_stated_answer_in_words_is_not_checked() -> None:
    assert check(r"Simplify \( \frac{x+1}{x-1} \)", "Does not simplify", "-1", "1", "x") is None


def test_what_sympy_finds_is_told() -> None:
    answers = tuple(rf"\( {number} \)" for number in (14, 11, 9, 24))
    verdict = arithmetic_verdict(made_question(text=r"What is \( 3 + 4 \times 2 \)?", answers=answers))
    assert verdict is not None
    assert verdict.detail == r"A says \( 14 \); sympy: 11"


@pytest.mark.eedi
def test_no_real_question_is_called_wrong() -> None:
    import os
    from pathlib import Path

    from core.tables import read_questions

    folder = Path(os.environ.get("EEDI_DIR", Path(__file__).parents[3] / "shared" / "data" / "eedi"))
    if not (folder / "train.csv").is_file():
        pytest.skip(f"the real Eedi files are not in {folder}")
    verdicts = [arithmetic_verdict(question) for question in read_questions(folder / "train.csv").questions]
    found = [verdict for verdict in verdicts if verdict is not None]
    assert len(found) >= 140  # of 1,495
    assert [verdict.detail for verdict in found if not verdict.accepted] == []
