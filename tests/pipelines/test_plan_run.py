import argparse
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import InputError
from pipelines.engine_settings import EngineSettings
from pipelines.plan_run import (
    _work,
    device_present,
    main,
    quantisation_of,
    reads_a_prefix_once,
    shape_named,
)

Invoke = Callable[..., "subprocess.CompletedProcess[str]"]
CONFIGS = Path(__file__).parents[2] / "pipelines" / "configs"


def test_a_plan_tells_minutes_memory_and_what_is_measured(invoke: Invoke) -> None:
    done = invoke(main, "--gpu", "h200", "--model", "32B", "--quantization", "fp8", "--queries", 3000)
    assert done.returncode == 0, done.stderr
    assert "16.8 queries/s" in done.stdout and "in all" in done.stdout
    assert "stage 2: test queries" in done.stdout and "measured" in done.stdout
    assert "of 139.8: fits" in done.stdout


def test_the_largest_setting_within_a_time_limit(invoke: Invoke) -> None:
    done = invoke(main, "--gpu", "t4", "--gpus", 2, "--model", "72B", "--quantization", "awq", "--time-limit", "9h")
    assert done.returncode == 0, done.stderr
    assert "DOES NOT FIT" in done.stdout and "the setting above does not fit" in done.stdout
    assert "Largest setting that fits:\n  32B awq on 2 × t4, 25 candidates, 2 orders" in done.stdout
    none = invoke(main, "--gpu", "t4", "--time-limit", "10s")
    assert "Nothing that this model knows fits" in none.stdout


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("h200", "32B fp8 on h200, 25 candidates, 2 orders"),
        ("listwise_2x16gb", "32B awq on 2 × h200"),
        ("listwise_80gb", "32B bf16 on h200"),
        ("listwise_24gb", "14B awq on h200"),
    ],
)
def test_configs_are_planned(invoke: Invoke, name: str, said: str) -> None:
    done = invoke(main, "--config", CONFIGS / f"{name}.toml", "--reranker", "listwise", "--gpu", "h200")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(said)


def test_the_laptops_config_is_planned_for_a_cpu(invoke: Invoke) -> None:
    done = invoke(main, "--config", CONFIGS / "listwise_cpu.toml", "--reranker", "listwise", "--gpu", "cpu")
    assert done.stdout.startswith("135M float32 on cpu, 10 candidates, 2 orders"), done.stderr


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--gpu", "h100000"], "expected one of t4"),
        (["--gpu", "t4", "--model", "big"], "expected a size such as 7B"),
        (["--gpu", "t4", "--queries", "0"], "--queries: expected at least 1"),
        (["--gpu", "t4", "--gpus", "0"], "--gpus: expected at least 1"),
        (["--gpu", "t4", "--reranker", "gone"], "expected a listwise or pointwise table"),
    ],
)
def test_bad_options_are_refused(invoke: Invoke, given: list[str], words: str) -> None:
    done = invoke(main, *given)
    assert done.returncode == 2 and words in done.stderr


def test_an_engine_without_a_prefix_cache_reads_the_question_in_every_order() -> None:
    settings = [EngineSettings(), EngineSettings(kind="vllm", enable_prefix_caching=False), EngineSettings(kind="vllm")]
    assert [reads_a_prefix_once(engine) for engine in settings] == [False, False, True]
    options = argparse.Namespace(queries=10, validation_queries=5, candidates=25, orders=2)
    told = [_work(options, None, engine).query_tokens for engine in settings]
    assert told == pytest.approx([2 * 146 + 50 * 16.7, 2 * 146 + 50 * 16.7, 146 + 50 * 16.7])


def test_shapes_by_name_and_by_folder(tmp_path: Path) -> None:
    assert shape_named("Qwen/Qwen2.5-32B-Instruct-AWQ").name == "32B"
    assert shape_named("bundled:SmolLM2-135M-Instruct").name == "135M"
    assert shape_named("x/Model-24B").parameters == 24e9
    config = {
        "hidden_size": 8,
        "num_hidden_layers": 2,
        "intermediate_size": 16,
        "num_attention_heads": 2,
        "vocab_size": 10,
    }
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    # 2 × (q, k, v, o: 4 × 8 × 8; gate, up, down: 3 × 8 × 16) + embedding and head: 2 × 10 × 8
    assert shape_named(str(tmp_path)).parameters == 2 * (4 * 64 + 3 * 128) + 160
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="Llama-like"):
        shape_named(str(tmp_path))


@pytest.mark.parametrize(
    ("engine", "model", "device", "found"),
    [
        (EngineSettings(kind="vllm", quantization="fp8"), "x/y-32B", "h200", "fp8"),
        (EngineSettings(kind="vllm"), "x/y-32B-AWQ", "h200", "awq"),
        (EngineSettings(kind="vllm"), "x/y-32B", "h200", "bf16"),
        (EngineSettings(dtype="float32"), "x/y-32B", "h200", "float32"),
        (EngineSettings(), "x/y-32B", "cpu", "float32"),
        (None, "x/y-7B-FP8", "h100", "fp8"),
    ],
)
def test_weights_as_config_and_name_tell(engine: EngineSettings | None, model: str, device: str, found: str) -> None:
    assert quantisation_of(engine, model, device) == found


def test_the_device_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_present() == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H200")
    assert device_present() == "h200"
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Something New")
    with pytest.raises(InputError, match="not in the cost model"):
        device_present()
