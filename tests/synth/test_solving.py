import json

import pytest
from made_rows import BANK, asked, made_row

from synth.reasons import MISLED_OTHERWISE, SOLVED_OTHERWISE
from synth.solving import Solving

PLAIN = Solving(bank=BANK, under=False)
UNDER = Solving(bank=BANK, under=True)


def solution(answer: object) -> str:
    return json.dumps({"working": "3 + 4 = 7, 7 x 2 = 14", "answer": answer})


def test_only_the_second_request_shows_the_misconception_and_neither_what_is_stated() -> None:
    rows = [made_row("r1"), made_row("r2", label=2)]
    plain, under = PLAIN.requests(rows), UNDER.requests(rows)
    assert [(request.task, request.row) for request in (*plain, *under)] == [
        ("solve", "r1"), ("solve", "r2"), ("solve-under", "r1"), ("solve-under", "r2")
    ]  # fmt: skip
    said = [" ".join(message.text for message in request.messages) for request in (*plain, *under)]
    assert ["Adds before" in text for text in said] == [False, False, True, False]
    assert "Works from left to right." in said[2]
    assert not any(rows[0].rationale in text for text in said)
    assert plain[0].schema is not None
    assert Solving(bank=BANK, under=False, guided=False).requests(rows)[0].schema is None
    assert plain[0].temperature == 0.0


def test_the_stated_answers_pass() -> None:
    assert PLAIN.verdicts([made_row()], [asked(solution("A"))])[0].accepted
    assert UNDER.verdicts([made_row()], [asked(solution("B"))])[0].accepted


@pytest.mark.parametrize("answer", ["B", "C", "none"])
def test_another_solution_is_a_rejection(answer: str) -> None:
    (verdict,) = PLAIN.verdicts([made_row()], [asked(solution(answer))])
    assert (verdict.accepted, verdict.reason) == (False, SOLVED_OTHERWISE)
    assert f"expected A, came {answer}" in verdict.detail


@pytest.mark.parametrize("answer", ["A", "D", "none"])
def test_a_misconception_that_leads_elsewhere_is_a_rejection(answer: str) -> None:
    (verdict,) = UNDER.verdicts([made_row()], [asked(solution(answer))])
    assert verdict.reason == MISLED_OTHERWISE


@pytest.mark.parametrize("answer", ["a", "A)", "A or B", "", None, 1, ["A"]])
def test_a_letter_is_a_letter_and_nothing_beside_it(answer: object) -> None:
    (verdict,) = PLAIN.verdicts([made_row()], [asked(solution(answer))])
    assert verdict.reason == "answer not parsed"


def test_failures_have_reasons_of_their_own() -> None:
    answers = [asked("", finish_reason="error", error="timed out"), asked("{", finish_reason="length")]
    verdicts = UNDER.verdicts([made_row("r1"), made_row("r2")], answers)
    assert [verdict.reason for verdict in verdicts] == ["request failed", "answer cut off"]
