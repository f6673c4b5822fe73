import numpy as np
import pytest
from made_rows import made_question, made_row

from core.fingerprint import fingerprint
from synth.duplicates import TextVectors
from synth.leaks import leak_verdicts
from synth.reasons import HELD_OUT_NEAR, HELD_OUT_TEXT, HELD_OUT_WORDS, SHOWN

OTHER = (r"\( 1 \)", r"\( 2 \)", r"\( 3 \)", r"\( 4 \)")
LONG = "A farmer has twelve cows and nine sheep and sells four cows for every three sheep that he keeps"


def test_each_kind_of_leak_has_its_reason_and_names_the_question() -> None:
    held_out = [made_question(id=5), made_question(id=6, text=LONG)]
    rows = [
        made_row("text", text="what is \\(3+4 \\times 2\\)", answers=OTHER),
        made_row("words", text=f"On Monday, {LONG.lower()}. How many are left?"),
        made_row("shown", text="Half of 8?", parents=(fingerprint(made_question(text="x")), fingerprint(held_out[1]))),
        made_row("clean", text="Half of 10?", parents=(fingerprint(made_question(text="x")),)),
    ]
    verdicts = leak_verdicts(rows, held_out, words=13)
    assert [verdict.reason for verdict in verdicts] == [HELD_OUT_TEXT, HELD_OUT_WORDS, SHOWN, None]
    assert [verdict.detail.split(":")[0] for verdict in verdicts[:3]] == [
        "of question 5",
        "of question 6",
        "question 6",
    ]


def test_fewer_words_in_common_are_no_leak() -> None:
    row = made_row(text="A farmer has twelve cows and nine sheep. How many animals?")
    assert leak_verdicts([row], [made_question(text=LONG)], words=13)[0].accepted
    assert not leak_verdicts([row], [made_question(text=LONG)], words=5)[0].accepted


def test_near_is_seen_by_embedding() -> None:
    rows = [made_row("r1", text="a"), made_row("r2", text="b")]
    pair = TextVectors(
        rows=np.array([[1, 0], [0, 1]], dtype=np.float32), known=np.array([[0.28, 0.96]], dtype=np.float32)
    )
    verdicts = leak_verdicts(rows, [made_question(id=9, text="c")], vectors=pair, near=0.95)
    assert [verdict.reason for verdict in verdicts] == [None, HELD_OUT_NEAR]
    assert verdicts[1].detail == "question 9, cosine 0.9600"
    assert leak_verdicts(rows, [made_question(id=9, text="c")], vectors=pair, near=0.97)[1].accepted


def test_bad_calls_are_refused() -> None:
    with pytest.raises(ValueError, match="words"):
        leak_verdicts([], [], words=1)
