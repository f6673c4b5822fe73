"""The GPU's command on a CPU: `configs/h200.toml` with SmolLM2 in the 32B model's place, through a real vLLM."""

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from core.tables import write_questions
from core.vllm_engine import vllm_fault

ROOT = Path(__file__).parents[2]
ON_A_CPU = (
    'engines.vllm.quantization="none"',
    'engines.vllm.dtype="float32"',
    "retriever.max_length=64",
    "bootstrap=100",
    "threads=1",
    "rerankers.listwise.candidates=4",
    "rerankers.listwise.bias_sample=4",
    "rerankers.listwise.model=bundled:SmolLM2-135M-Instruct",
    "split.validation_share=0.3",
)


@pytest.mark.slow
@pytest.mark.vllm
def test_the_h200s_command_runs_with_smollm2(
    run_pipeline: Callable[..., "subprocess.CompletedProcess[str]"],
    tiny_questions,
    tiny_files,
    tiny_model: Path,
    smollm2_folder: Path,
    tmp_path: Path,
) -> None:
    fault = vllm_fault()
    if fault is not None:
        pytest.skip(fault)
    train, test = tiny_questions
    write_questions(tmp_path / "train.csv", train[:24])
    write_questions(tmp_path / "test.csv", test[:3])
    done = run_pipeline(
        "end_to_end",
        *("--config", ROOT / "pipelines" / "configs" / "h200.toml", "--reranker", "listwise"),
        *("--train", tmp_path / "train.csv", "--test", tmp_path / "test.csv"),
        *("--misconceptions", tiny_files.misconceptions, "--output", tmp_path / "out", "--retriever", tiny_model),
        *(part for value in ON_A_CPU for part in ("--set", value)),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "logprob_token_ids" in done.stderr  # the path in use is logged
    with (tmp_path / "out" / "submission.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 9 and all(len(row["MisconceptionId"].split()) == 25 for row in rows)
    bias = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))["bias"]
    assert bias["queries_in_several_orders"] > 0 and bias["instability"]["largest"] < 0.06
    assert 0 < bias["label_mass"] <= 1
    assert "Bias of the reranker: listwise" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
