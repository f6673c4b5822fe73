"""The shell scripts: well formed, and what they share does what it says, with a recorder in Python's place."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(path for path in (ROOT / "benchmarks").glob("*.sh") if path.name != "common.sh")
RECORDER = """#!/usr/bin/env bash
echo "gpu ${CUDA_VISIBLE_DEVICES-} $*" >> "$RECORD"
echo "told by $*"
case "$*" in *"$FAILING"*) exit 3 ;; esac
"""


@pytest.mark.parametrize("path", [*SCRIPTS, ROOT / "benchmarks" / "common.sh"], ids=lambda path: path.name)
def test_a_script_is_well_formed(path):
    assert subprocess.run(["bash", "-n", str(path)], check=False).returncode == 0


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_has_no_preamble_of_its_own(path):
    """What `common.sh` sets is set nowhere else, and every script reads it first."""
    lines = path.read_text(encoding="utf-8").splitlines()
    code = [line for line in lines if not line.startswith("#")]
    assert code[0].startswith("set -") and code[1] == '. "$(dirname "${BASH_SOURCE[0]}")/common.sh"'
    for name in ("DATA=${DATA", "PYTHON=${PYTHON", "NCCL_NVLS_ENABLE", "PYTHONUNBUFFERED", "at_a_time()"):
        assert not any(name in line for line in code), name


@pytest.fixture
def run(tmp_path):
    recorder = tmp_path / "python"
    recorder.write_text(RECORDER, encoding="utf-8")
    recorder.chmod(0o755)

    def call(script, *steps, failing="nothing", **variables):
        told = {"PYTHON": recorder, "RECORD": tmp_path / "record", "FAILING": failing, "RESULTS": tmp_path / "results"}
        environment = {**os.environ, **{name: str(value) for name, value in {**told, **variables}.items()}}
        command = ["bash", f"benchmarks/{script}", *steps]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        return done, sorted((tmp_path / "record").read_text(encoding="utf-8").splitlines())

    return call


def test_the_pool_gives_each_slot_its_gpu_and_tries_twice(run, tmp_path):
    variables = {"DATA": "data", "GPUS": 2, "FIRST_GPU": 4, "PLAIN": 2, "EXTRA": "--set a=1", "CONFIG": "gpu"}
    done, record = run("stage_one_gpu.sh", "folds", failing="--only-fold 3", **variables)
    common = "pipelines/evaluate_retrieval.py --train data/train.csv --misconceptions data/misconception_mapping.csv"
    assert all(common in line and "--set a=1" in line for line in record)
    folds = [line.split("--only-fold ")[1] for line in record if "--only-fold" in line]
    assert sorted(folds) == ["0", "1", "2", "3", "3", "4"] and len(record) == 7  # and once more to join the folds
    assert {line.split()[1] for line in record} == {"4", "5"}
    assert "failed: folds-3" in done.stdout and done.stdout.count("failed") == 1
    assert "told by" in (tmp_path / "results" / "folds-3.log").read_text(encoding="utf-8")


def test_a_step_that_fails_is_told_with_its_last_lines_and_leaves_the_others_alone(run):
    done, record = run(
        "lora_steps_gpu.sh", failing="retriever --shape", DATA="data", STEPS="reranker retriever summary"
    )
    assert len(record) == 3
    lines = [line.split(" after ")[0] for line in done.stdout.splitlines()]
    assert lines[0] == "reranker: exit status 0" and lines[1] == "retriever: exit status 3"
    assert lines[2].startswith("told by benchmarks/lora_steps.py retriever --shape 14b")
