import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.synthetic_table import read_synthetic
from core.tables import read_questions
from pipelines.procedural_questions import main
from synth.mapped_questions import verification_fault
from synth.rule_mapping import EVERY_TASK


def test_a_folder_of_verified_questions(tiny_files: Any, tmp_path: Path, invoke: Callable[..., Any]) -> None:
    given = ["--misconceptions", tiny_files.misconceptions, "--train", tiny_files.train, "--rows-each", 2]
    done = invoke(main, *given, "--output", tmp_path / "a")
    assert done.returncode == 0, done.stderr
    made = read_synthetic(tmp_path / "a")
    assert all(one.source == "procedural" and one.parents == () for one in made)
    summary = json.loads((tmp_path / "a" / "summary.json").read_text(encoding="utf-8"))
    assert summary["questions"] == len(made) and summary["rejected"] == {}
    assert summary["covered_by_questions"] == summary["covered_by_rules"] >= 200
    assert summary["rows_of_an_entry"]["fewest"] >= 2
    assert summary["with_a_real_example"] < summary["with_a_real_or_made_example"]
    real = {question.text.casefold() for question in read_questions(tiny_files.train).questions}
    assert not {one.question.text.casefold() for one in made} & real
    tasks = {task.slug: task for task in EVERY_TASK}
    for one in made[:50]:
        for row in one.rows:
            task, rule = row.key.split(":")[2:]
            assert rule in {found.slug for found, _ in tasks[task].wrong} and row.rationale
    again = invoke(main, *given, "--output", tmp_path / "b")
    assert again.returncode == 0
    for name in ("questions.csv", "rows.jsonl"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    other = invoke(main, *given, "--output", tmp_path / "c", "--unlike", tmp_path / "a" / "questions.csv")
    assert other.returncode == 0
    texts = {one.question.text for one in made}
    assert not texts & {one.question.text for one in read_synthetic(tmp_path / "c")}
    assert verification_fault is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rows-each", "0"], "--rows-each 0: expected at least 1"),
        (["--questions", "0"], "--questions 0: expected at least 1"),
        (["--seed", "-1"], "--seed -1"),
        (["--mapping", "nowhere.csv"], "there is no such file"),
        (["--unlike", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    tiny_files: Any, tmp_path: Path, invoke: Callable[..., Any], options: list[str], message: str
) -> None:
    done = invoke(main, "--misconceptions", tiny_files.misconceptions, "--output", tmp_path / "out", *options)
    assert done.returncode == 2 and message in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_bank_that_no_rule_knows_is_told(tmp_path: Path, invoke: Callable[..., Any]) -> None:
    bank = tmp_path / "bank.csv"
    bank.write_text("MisconceptionId,MisconceptionName\n1,Confuses cats and dogs\n", encoding="utf-8")
    done = invoke(main, "--misconceptions", bank, "--output", tmp_path / "out")
    assert done.returncode == 2 and "pipelines/map_mal_rules.py" in done.stderr
