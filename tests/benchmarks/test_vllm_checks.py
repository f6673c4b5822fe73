"""What of the checks of real vLLM can be looked at without a GPU."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from core.errors import ModelError
from core.vllm_requests import START_UP_FLAGS
from core.vllm_server import VllmServer

ROOT = Path(__file__).parents[2]


def script(monkeypatch: pytest.MonkeyPatch, name: str) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module(name)


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "benchmarks/vllm_checks.py", *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("train.csv", "misconception_mapping.csv"):
        (tmp_path / name).write_text("")
    return tmp_path


def test_the_flags_of_a_refusal_are_those_that_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = script(monkeypatch, "vllm_check_scores")
    refusals: list[str] = []
    monkeypatch.setattr("core.vllm_server.served_model", lambda *_: type("Served", (), {"name": "base"}))
    monkeypatch.setattr("core.vllm_server.exact_path", lambda *_: None)
    try:
        VllmServer.connect("http://127.0.0.1:1/v1", max_labels=64)
    except ModelError as error:
        refusals.append(str(error))
    assert scores.flags_named(refusals[0]) == START_UP_FLAGS.format(count=64).split()
    assert scores.flags_named("cannot be reached") == []


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ('{"wrong": true, "grade": 5, "topic": "fractions"}', True),
        ('{"wrong": 1, "grade": 5, "topic": "fractions"}', False),
        ('{"wrong": true, "grade": 6, "topic": "fractions"}', False),
        ('{"wrong": true, "grade": 5, "topic": "%s"}' % ("x" * 41), False),
        ('{"wrong": true, "grade": 5}', False),
        ('{"wrong": true, "grade": 5, "top', False),
        ("[1]", False),
    ],
)
def test_an_answer_follows_the_schema_or_not(monkeypatch: pytest.MonkeyPatch, text: str, good: bool) -> None:
    assert script(monkeypatch, "vllm_check_texts").follows(text) is good


def test_the_mean_of_deltas_by_hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = LlamaConfig(
        vocab_size=8,
        hidden_size=2,
        intermediate_size=2,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path / "model")
    module = "model.layers.0.self_attn.q_proj"
    adapters = []
    # 4 / 1 * [1, 0]' [1, 2] and 2 / 1 * [0, 1]' [3, 5]: their mean is [[2, 4], [3, 5]].
    for alpha, a, b in ((4, [[1.0, 2.0]], [[1.0], [0.0]]), (2, [[3.0, 5.0]], [[0.0], [1.0]])):
        folder = tmp_path / f"adapter{alpha}"
        folder.mkdir()
        (folder / "adapter_config.json").write_text(json.dumps({"r": 1, "lora_alpha": alpha}))
        sides = {"A": torch.tensor(a), "B": torch.tensor(b)}
        named = {f"base_model.model.{module}.lora_{side}.weight": values for side, values in sides.items()}
        save_file(named, folder / "adapter_model.safetensors")
        adapters.append(folder)
    before = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float32).get_submodule(module)
    made = script(monkeypatch, "vllm_check_scores").with_mean_of_deltas(tmp_path / "model", adapters)
    added = made.get_submodule(module).weight.cpu() - before.weight
    assert torch.allclose(added, torch.tensor([[2.0, 4.0], [3.0, 5.0]]), atol=1e-5)


def test_a_check_that_fails_and_one_that_is_cut_off_leave_a_line(data: Path) -> None:
    output = data / "made" / "out.jsonl"
    given = ["--data", str(data), "--lm", str(data / "no-model"), "--output", str(output)]
    failed = run(*given, "generate")
    cut = run(*given, "server", "--limit", "0.05")
    assert (failed.returncode, cut.returncode) == (1, 1)
    one, two = (json.loads(line) for line in output.read_text().splitlines())
    assert (one["check"], one["passed"], one["error"]) == ("generate", False, "exit status 1")
    assert "no-model" in one["messages"]
    assert (two["check"], two["passed"], two["error"]) == ("server", False, "cut off after 0.05 seconds")
    assert not list(output.parent.glob("*.line"))


def test_faults_are_told_before_any_cost(data: Path) -> None:
    given = ["--data", str(data), "--lm", "x", "--output", str(data / "o.jsonl")]
    assert "no such check: severs; there is workers, server" in run(*given, "severs").stderr
    assert "at least 1" in run(*given, "--prompts", "0").stderr
    (data / "train.csv").unlink()
    done = run(*given)
    assert (done.returncode, "train.csv not there" in done.stderr) == (2, True)
    assert not (data / "o.jsonl").exists()


def test_help_names_every_check() -> None:
    told = run("--help").stdout
    assert all(name in told for name in ("workers", "server", "adapters", "generate", "--limit"))
