"""The benchmark of written hints: which row gets which hint, and its table, by hand."""

import importlib
import json
from pathlib import Path

import pytest
from hint_toys import kind_questions

from core.hint_table import Hint


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("hint_quality")


def test_rows_that_are_scored_get_made_hints_and_never_the_teachers(script):
    real = {"0_B": Hint(hint="r0"), "1_B": Hint(hint="r1"), "2_B": Hint(hint="r2")}
    made = {"0_B": Hint(hint="m0"), "2_B": Hint(hint="m2")}
    scored = kind_questions(2)  # 0 and 1
    assert script.with_new(real, made, scored) == {"2_B": Hint(hint="r2"), "0_B": Hint(hint="m0")}


def test_the_summary_by_hand(script, tmp_path, capsys):
    def part(plain, real):
        return {
            "keys": ["1_A", "2_A"],
            "unseen": [False, True],
            "precision": {"no hints": plain, "real": real},
            "recall": {"no hints": [1, 1], "real": [1, 0]},
            "hinted": {"no hints": 0, "real": 2},
        }

    (tmp_path / "fold0.json").write_text(json.dumps(part([0.5, 0.0], [1.0, 0.5])))
    other = part([0.25, 0.25], [0.5, 0.0]) | {"keys": ["3_A", "4_A"]}
    (tmp_path / "fold1.json").write_text(json.dumps(other))
    script.summarise(tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    plain, real = summary["runs"]
    assert (summary["folds"], summary["queries"]) == (2, 4)
    assert (plain["map@25"], plain["seen"], plain["unseen"], plain["hinted"]) == (0.25, 0.375, 0.125, 0)
    assert (real["map@25"], real["seen"], real["unseen"], real["recall@25"]) == (0.5, 0.75, 0.25, 0.5)
    assert real["against no hints"]["difference"] == 0.25  # 0.5, 0.5, 0.25 and -0.25
    assert "against no hints" in capsys.readouterr().out
