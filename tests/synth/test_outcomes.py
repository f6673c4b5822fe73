import json
from dataclasses import replace

import pytest
from made_rows import BANK, asked, made_row

from core.tables import read_questions
from synth.chain import Checked
from synth.outcomes import (
    Outcome,
    coverage_of,
    outcome_line,
    rejections,
    write_outcomes,
    write_rows,
)
from synth.verdicts import passed, rejected

WRITE = replace(asked("{}", task="write"), key="w", prompt_tokens=100, output_tokens=20, seconds=2.0)


def outcome(key="r1", *verdicts, row=True, **changes):
    made = made_row(key, **changes) if row else None
    return Outcome(
        key=key,
        misconception_id=made.misconception_id if made else 1,
        asked=WRITE,
        parents=("p1", "p2"),
        written=None,
        row=made,
        verdicts=tuple(verdicts) or (("judge", passed(score=8.0)),),
    )


NO_JSON = outcome("r2", ("parse", rejected("not JSON", detail="hm")), row=False)


def test_a_line_tells_where_a_row_came_from_and_what_it_cost():
    judged = replace(asked("{}", task="judge"), key="j", prompt_tokens=50, output_tokens=5, seconds=0.5)
    line = json.loads(json.dumps(outcome_line(outcome(), [WRITE, judged])))
    assert (line["accepted"], line["reason"], line["judge_score"], line["parents"]) == (True, None, 8.0, ["p1", "p2"])
    assert (line["prompt_tokens"], line["output_tokens"], line["seconds"]) == (150, 25, 2.5)
    assert [one["task"] for one in line["requests"]] == ["write", "judge"]
    assert (line["engine"], line["model"], line["seed"], line["prompt_hash"]) == ("scripted", "m", 0, "h")
    rejected_line = outcome_line(NO_JSON, [WRITE])
    assert (rejected_line["rejected_by"], rejected_line["reason"]) == ("parse", "not JSON")
    assert (rejected_line["detail"], rejected_line["question_id"]) == ("hm", None)


def test_further_checks_are_added():
    row = outcome("a", ("parse", passed()))
    found = row.with_checks(Checked(row=row.row, verdicts=(("judge", rejected("low", score=3.0)),)))
    assert not found.accepted and found.score("judge") == 3.0 and found.score("none") is None
    assert [name for name, _ in found.verdicts] == ["parse", "judge"]


def test_accepted_rows_become_a_folder_that_training_reads(tmp_path):
    rows = [outcome("a", id=10**14 + 1), outcome("b", id=10**14 + 2, label=2)]
    write_rows(tmp_path / "new", rows)
    questions = read_questions(tmp_path / "new" / "questions.csv", require_labels=True).questions
    assert [q.id for q in questions] == [10**14 + 1, 10**14 + 2] and questions[1].labels_of("B") == (2,)
    lines = [json.loads(line) for line in (tmp_path / "new" / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines[0] == {
        "question_id": 10**14 + 1,
        "misconception_id": 1,
        "letter": "B",
        "key": "a",
        "parents": [],
        "source": "llm",
        "rationale": "3 + 4 is 7, and 7 times 2 is 14.",
        "judge": 8.0,
    }
    assert len(lines) == 2
    write_rows(tmp_path / "new", [])
    assert (tmp_path / "new" / "rows.jsonl").read_text(encoding="utf-8") == ""


def test_a_failed_write_leaves_the_files_as_they_were(tmp_path, monkeypatch):
    write_rows(tmp_path, [outcome("a")])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("synth.outcomes.write_questions", full)
    with pytest.raises(OSError, match="No space"):
        write_rows(tmp_path, [outcome("a"), outcome("b", id=9)])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_lines_are_written_one_a_row(tmp_path):
    write_outcomes(tmp_path / "ledger.jsonl", [outcome_line(NO_JSON, [WRITE]), outcome_line(outcome(), [WRITE])])
    lines = (tmp_path / "ledger.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["r2", "r1"]


def test_rejections_are_counted_most_frequent_first():
    low = outcome("x", ("judge", rejected("low")))
    assert rejections([low, NO_JSON, outcome(), low]) == {"judge: low": 2, "parse: not JSON": 1}
    assert rejections([]) == {}


def test_coverage_before_and_after():
    bank = list(BANK.values())
    found = coverage_of(bank, {1: 5, 77: 1}, [outcome("a"), outcome("b", label=2), NO_JSON], wanted={1: 1, 2: 2, 3: 1})
    # 1 has a real example, 2 now has a made one, 3 has none; 2 got one of two rows.
    assert (found.bank, found.real, found.real_or_made, found.newly) == (3, 1, 2, 1)
    assert (found.wanted, found.reached) == (3, 1)
