import json

import pytest
from made_rows import BANK, asked, made_question, made_row

from core.errors import InputError
from core.records import Query
from synth.judge import Judging, case_of, read_judgement, real_cases, swapped_cases
from synth.reasons import BELOW

JUDGE = Judging(bank=BANK, threshold=7.0, similar={1: [2]})


def marks(**changes: object) -> str:
    return json.dumps({"comment": "fine", "follows": 9, "right": 10, "clear": 8, "level": 9} | changes)


def test_a_request_shows_row_and_neighbours_but_no_rationale() -> None:
    row = made_row()
    (request,) = JUDGE.requests([row])
    text = request.messages[1].text
    assert (request.task, request.row) == ("judge", "r1")
    assert "Said to be right: A\nSaid to come from the misconception: B\nMisconception: Adds before" in text
    assert "- Adds numerators and denominators" in text
    assert row.rationale not in text
    assert "Similar" not in JUDGE.requests([made_row(label=2)])[0].messages[1].text


def test_a_row_is_as_good_as_its_weakest_side() -> None:
    rows = [made_row(name) for name in ("r1", "r2", "r3")]
    verdicts = JUDGE.verdicts(rows, [asked(marks()), asked(marks(clear=7)), asked(marks(follows=6))])
    assert [(verdict.accepted, verdict.score) for verdict in verdicts] == [(True, 8.0), (True, 7.0), (False, 6.0)]
    assert verdicts[2].reason == BELOW
    assert verdicts[2].detail == "follows 6, right 10, clear 8, level 9: fine"


@pytest.mark.parametrize("mark", [11, -1, 7.5, "7", None, True])
def test_a_mark_is_a_whole_number_from_0_to_10(mark: object) -> None:
    (verdict,) = JUDGE.verdicts([made_row()], [asked(marks(level=mark))])
    assert (verdict.reason, verdict.score) == ("answer not parsed", None)


def test_marks_are_read() -> None:
    judged = read_judgement(asked(marks(right=0)))
    assert (judged.follows, judged.right, judged.score) == (9, 0, 0)


def test_real_cases_are_drawn_once_each_and_the_same_for_one_seed() -> None:
    queries = [Query(question=made_question(id=id, label=1 + id % 2), letter="B") for id in range(20)]
    queries.append(Query(question=made_question(id=99, label=77), letter="B"))  # not in the bank
    queries.append(Query(question=made_question(id=98, label=None), letter="C"))
    drawn = real_cases(queries, BANK, most=8, seed=3)
    assert len({case.key for case in drawn}) == 8
    assert drawn == real_cases(queries, BANK, most=8, seed=3)
    assert drawn != real_cases(queries, BANK, most=8, seed=4)
    assert len(real_cases(queries, BANK, most=100, seed=0)) == 20


def test_a_swap_is_the_same_row_with_another_misconception() -> None:
    bank = BANK | {4: BANK[1].__class__(id=4, name="adds  before MULTIPLYING")}  # the same but for form: no swap
    cases = [case_of(made_row(f"r{number}")) for number in range(40)]
    swapped = swapped_cases(cases, bank, seed=0)
    assert {case.misconception_id for case in swapped} == {2, 3}
    assert all(
        one.question is other.question and one.key != other.key for one, other in zip(cases, swapped, strict=True)
    )
    hard = swapped_cases(cases, bank, seed=0, near={1: [4, 2]})
    assert {case.misconception_id for case in hard} == {2}


def test_a_bank_of_one_entry_has_no_swap() -> None:
    with pytest.raises(InputError, match="no other to be swapped with"):
        swapped_cases([case_of(made_row())], {1: BANK[1]}, seed=0)
