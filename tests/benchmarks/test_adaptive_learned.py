"""Skip share against MAP for models that learned: one that learns next to nothing, so that it takes seconds."""

import importlib
import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_a_model_is_measured_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    script = importlib.import_module("adaptive_learned")
    output = tmp_path / "out.jsonl"
    command = ["adaptive_learned.py", "--output", str(output), "--epochs", "1", "--train", "32", "--test", "40"]
    monkeypatch.setattr(sys, "argv", command)
    script.main()
    (line,) = output.read_text(encoding="utf-8").splitlines()
    row = json.loads(line)
    assert (row["epochs"], row["queries"], row["train"]) == (1, 40, 32)
    assert row["curve"][0] == [0.0, pytest.approx(row["all_orders"], abs=1e-4)]
    assert row["curve"][-1] == [1.0, pytest.approx(row["first_order"], abs=1e-4)]
    assert "1 epochs: all orders" in capsys.readouterr().out
    script.main()
    assert output.read_text(encoding="utf-8").splitlines() == [line]


def test_silent_questions_hold_no_candidates_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    task = importlib.import_module("choice_task")
    told, silent = task.split(0, 400, seed=3), task.split(0, 400, seed=3, silent=0.25)
    assert all(task.WORDS[query.labels[0]] in query.question.text.split() for query in told.queries)
    mute = [query for query in silent.queries if not set(task.WORDS) & set(query.question.text.split())]
    assert 60 < len(mute) < 140
    assert [query.labels for query in silent.queries] == [query.labels for query in told.queries]
    assert all(
        ranking.ids[: task.SHOWN].tolist().count(query.labels[0]) == 1 for query, ranking in zip(*told, strict=True)
    )
