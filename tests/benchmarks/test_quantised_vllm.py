"""What of the GPU check can be looked at without one."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from core.language_model import LabelScores
from rerank.plain_quantizer import compressed_config

ROOT = Path(__file__).parents[2]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("quantised_vllm")


def scores(*logprobs: float) -> LabelScores:
    return LabelScores(logprobs=np.array(logprobs, dtype=np.float32), mass=None)


def test_differences_by_hand(script: ModuleType) -> None:
    found = script.differences([scores(-0.5, -1.0), scores(-2.0, -0.1)], [scores(-0.5, -1.3), scores(-0.1, -2.0)])
    assert found["max_abs"] == pytest.approx(1.9) and found["same_best_label"] == 0.5
    assert found["mean_abs"] == pytest.approx((0 + 0.3 + 1.9 + 1.9) / 4)


def test_activations_are_rounded_a_token(script: ModuleType) -> None:
    values = torch.tensor([[448.0, 1.03, 0.0], [0.448, 0.00103, 0.0]])
    # Steps of 1/8 between 1 and 2; the second row is the first through 1,000.
    assert torch.allclose(script.rounded_a_token(values), torch.tensor([[448.0, 1.0, 0.0], [0.448, 0.001, 0.0]]))
    assert script.scales_activations(compressed_config(None)) and not script.scales_activations(compressed_config(64))


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "benchmarks/quantised_vllm.py", *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_folders_that_fail_leave_a_line_each_with_the_cause(tmp_path: Path) -> None:
    for name in ("train.csv", "misconception_mapping.csv"):
        (tmp_path / name).write_text("")
    folders = [tmp_path / "one" / "same", tmp_path / "other" / "same"]
    for folder in folders:
        folder.mkdir(parents=True)
    output = tmp_path / "made" / "out.jsonl"
    given = ["--data", str(tmp_path), "--output", str(output), "--at-a-time", "2", *map(str, folders)]
    assert run(*given).returncode == 1
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [(line["folder"], line["passed"], line["error"]) for line in lines] == [("same", False, "exit status 1")] * 2
    assert all("misconception_mapping.csv" in line["messages"] for line in lines)
    assert sorted(path.name for path in output.parent.iterdir()) == [
        "out.jsonl",
        "out.jsonl.0-same.log",
        "out.jsonl.1-same.log",
    ]


def test_faults_are_told_before_any_cost(tmp_path: Path) -> None:
    done = run("--data", str(tmp_path), "--output", str(tmp_path / "o"), "--at-a-time", "0", str(tmp_path / "no"))
    assert done.returncode == 2 and not (tmp_path / "o").exists()
    assert all(told in done.stderr for told in ("no is no folder", "train.csv is not there", "at least 1"))


def test_help() -> None:
    done = run("--help")
    assert done.returncode == 0 and "--most" in done.stdout and "--limit" in done.stdout
