import json

import pytest
from made_rows import BANK, made_question
from scripted_writer import ScriptedWriter

from core.records import Query
from pipelines.judged_judge import judge_the_judge
from synth.asking import Asker
from synth.judge import Judging
from synth.ledger import Ledger

TRUE = BANK[1].name


def marks(score):
    return json.dumps({"comment": "", "follows": score, "right": 10, "clear": 10, "level": 8})


@pytest.fixture
def judged(tmp_path):
    def run(answer, rows=12):
        queries = [
            Query(question=made_question(text=f"Question {number}?", id=number), letter="B") for number in range(rows)
        ]
        with Ledger(tmp_path / "ledger.jsonl") as ledger:
            asker = Asker(ScriptedWriter(answer), ledger, engine="e", model="m", revision=None, batch=5)
            return judge_the_judge(Judging(bank=BANK), asker, queries, rows=rows, seed=0, resamples=200)

    return run


def test_a_judge_that_sees_the_swap_has_an_area_of_one(judged):
    quality, cases = judged(lambda chat: marks(9 if TRUE in chat[1].text else 3))
    assert (quality.rows, quality.unread, quality.score.value, quality.follows.value) == (12, 0, 1.0, 1.0)
    assert (quality.score.low, quality.score.high) == (1.0, 1.0)
    assert quality.own_higher == (1.0, 1.0, 1.0)
    # The score is the lowest mark: 8 for real rows (level), 3 for swapped ones.
    assert quality.kept[2] == (3, 1.0, 1.0) and quality.kept[7] == (8, 1.0, 0.0) and quality.kept[8] == (9, 0.0, 0.0)
    assert [case.swapped for case in cases] == [False] * 12 + [True] * 12
    assert "AUC of its score     1.000 [1.000, 1.000]" in quality.text()
    assert json.loads(json.dumps(quality.facts()))["score"]["value"] == 1.0


def test_a_judge_that_says_the_same_of_all_is_a_coin(judged):
    quality, _ = judged(lambda chat: marks(7))
    assert (quality.score.value, quality.own_higher[0]) == (0.5, 0.5)


def test_a_judge_that_is_upside_down(judged):
    quality, _ = judged(lambda chat: marks(2 if TRUE in chat[1].text else 6))
    assert (quality.score.value, quality.own_higher[0]) == (0.0, 0.0)


def test_unreadable_pairs_are_counted_and_left_out(judged):
    quality, cases = judged(
        lambda chat: "hm" if "Question 3?" in chat[1].text else marks(9 if TRUE in chat[1].text else 3)
    )
    assert (quality.rows, quality.unread, quality.score.value) == (12, 1, 1.0)
    assert {case.fault.split(":")[0] for case in cases if case.judgement is None} == {"answer not parsed"}
    assert "1 pairs could not be read" in quality.text()


def test_nothing_readable_is_told_and_no_number_made_up(judged):
    quality, _ = judged(lambda chat: "hm")
    assert (quality.unread, quality.score, quality.own_higher, quality.kept) == (12, None, None, ())
    assert "no pair is left" in quality.text()
