import numpy as np
import pytest
from made_rows import made_question, made_row

from synth.duplicates import TextVectors, duplicate_verdicts, form_key

OTHER = (r"\( 1 \)", r"\( 2 \)", r"\( 3 \)", r"\( 4 \)")


def reasons(verdicts: list) -> list[str | None]:
    return [verdict.reason for verdict in verdicts]


def test_the_first_of_equal_rows_stays_and_is_named() -> None:
    turned = made_row("r2", answers=(r"\( 9 \)", r"\( 14 \)", r"\( 11 \)", r"\( 24 \)"), correct="C")
    spaced = made_row("r3", text="what is  \\(3+4\\times 2\\) ?")
    verdicts = duplicate_verdicts([made_row("r1"), turned, spaced, made_row("r4", answers=OTHER)])
    assert reasons(verdicts) == [None, "exact", "but for form", None]
    assert verdicts[1].detail == verdicts[2].detail == "of row r1"


def test_a_real_question_made_again_is_a_duplicate_of_training() -> None:
    real = [made_question(id=7), made_question(text="What is half of 8?", id=8)]
    rows = [made_row("r1", text="WHAT IS HALF OF 8"), made_row("r2"), made_row("r3", answers=OTHER)]
    verdicts = duplicate_verdicts(rows, real)
    assert reasons(verdicts) == ["but for form (training)", "exact (training)", None]
    assert [verdict.detail for verdict in verdicts[:2]] == ["of training question 8", "of training question 7"]


def vectors(*rows: tuple[float, float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32).reshape(-1, 2)


def test_near_rows_go_but_not_because_of_a_row_that_went() -> None:
    rows = [made_row(f"r{number}", text=f"Question {number}") for number in range(4)]
    # 0 is near 1, 1 is near 2, 0 is not near 2: 1 goes, 2 stays.
    angles = np.radians([0, 10, 20, 90])
    found = vectors(*zip(np.cos(angles), np.sin(angles), strict=True))
    verdicts = duplicate_verdicts(rows, vectors=TextVectors(rows=found, known=vectors()), near=0.98)
    assert reasons(verdicts) == [None, "near", None, None]
    assert verdicts[1].detail == "of row r0, cosine 0.9848"
    assert verdicts[1].score == pytest.approx(np.cos(np.radians(10)), abs=1e-6)


def test_near_a_real_question() -> None:
    pair = TextVectors(rows=vectors((1, 0), (0, 1)), known=vectors((0.6, 0.8), (0, 1)))
    rows = [made_row("r1", text="Question 1"), made_row("r2", text="Question 2")]
    verdicts = duplicate_verdicts(rows, [made_question(id=4, text="x"), made_question(id=5, text="y")], vectors=pair)
    assert reasons(verdicts) == [None, "near (training)"]
    assert verdicts[1].detail == "of training question 5, cosine 1.0000"


def test_rows_of_earlier_rounds_stay() -> None:
    rows = [made_row("old"), made_row("new")]
    assert reasons(duplicate_verdicts(rows, earlier=1)) == [None, "exact"]
    assert reasons(duplicate_verdicts(rows, earlier=2)) == [None, None]
    far = [made_row("old", text="a"), made_row("new", text="b")]
    same = TextVectors(rows=vectors((1, 0), (1, 0)), known=vectors())
    assert reasons(duplicate_verdicts(far, vectors=same, near=1.0, earlier=1)) == [None, "near"]


def test_bad_calls_are_refused() -> None:
    with pytest.raises(ValueError, match="near"):
        duplicate_verdicts([], near=0.0)
    with pytest.raises(ValueError, match=r"vectors\.rows"):
        duplicate_verdicts([made_row()], vectors=TextVectors(rows=vectors(), known=vectors()))


def test_form_leaves_numbers_alone() -> None:
    assert form_key("Work out \\( 1.5 + 2 \\).") == form_key("work out\n\\[1.5+2\\]")
    assert form_key("1.5") != form_key("15")
