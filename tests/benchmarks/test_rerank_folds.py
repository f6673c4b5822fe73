"""The table over five folds: means of folds, seen and unseen, recall, and what is left out."""

import importlib.util
import json
import logging
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def rerank_folds() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rerank_folds", ROOT / "benchmarks" / "rerank_folds.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def part(folder: Path, fold: int, runs: dict[str, list[float]], recalls: dict[str, list[float]] | None) -> None:
    written = {
        "weights": {"trees": {"weight": 1.0}},
        "keys": [f"{fold}0_A", f"{fold}0_B"],
        "unseen": [False, True],
        "precision": runs,
        **({"recalls": recalls} if recalls else {}),
    }
    (folder / f"fold{fold}-trees.json").write_text(json.dumps(written), encoding="utf-8")


def test_the_table_by_hand(rerank_folds: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    part(
        tmp_path, 0, {"stage 1": [0.5, 0.0], "trees fused": [1.0, 0.5]}, {"stage 1": [1.0, 0.0], "trees fused": [1, 1]}
    )
    part(
        tmp_path, 1, {"stage 1": [0.5, 0.5], "trees fused": [0.5, 0.5]}, {"stage 1": [1.0, 1.0], "trees fused": [1, 1]}
    )
    rerank_folds.summarise(tmp_path)
    found = json.loads((tmp_path / "summary.json").read_text("utf-8"))
    rows = {row["run"]: row for row in found["runs"]}
    assert found["queries"] == 4
    assert rows["stage 1"]["map@25 mean of folds"] == 0.375 and rows["stage 1"]["folds"] == [0.25, 0.5]
    trees = rows["trees fused"]
    assert trees["folds"] == [0.75, 0.5] and trees["difference"] == 0.25
    assert (trees["seen"], trees["unseen"]) == (0.75, 0.5)
    assert (rows["stage 1"]["recall@25 mean of folds"], trees["recall@25 mean of folds"]) == (0.75, 1.0)
    assert "trees fused" in capsys.readouterr().out


def test_what_is_not_there_for_all_folds_is_left_out(
    rerank_folds: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    part(tmp_path, 0, {"stage 1": [0.5, 0.0], "trees fused": [1.0, 0.5]}, None)
    part(tmp_path, 1, {"stage 1": [0.5, 0.5]}, None)
    with caplog.at_level(logging.WARNING):
        rerank_folds.summarise(tmp_path)
    found = json.loads((tmp_path / "summary.json").read_text("utf-8"))
    assert [row["run"] for row in found["runs"]] == ["stage 1"]
    assert found["runs"][0]["recall@25 mean of folds"] is None  # results of earlier versions have none
    assert "trees fused: 2 of 4 queries; left out" in caplog.text
