"""`quantize_reranker.py` over tiny models: accepted, refused, stopped before any cost, killed and started again."""

import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.artifacts import read_manifest, write_manifest
from core.tables import read_questions, write_questions
from core.tokenizer import load_tokenizer
from pipelines import ablate_rerankers, end_to_end, quantize_reranker
from pipelines.job import fingerprints
from pipelines.quantised_models import NO_GATE

Invoke = Callable[..., "subprocess.CompletedProcess[str]"]
ROOT = Path(__file__).parents[2]
LOOSE = ("--set", "quantization.map_delta=-1", "--set", "quantization.agreement=0")


class Files(Protocol):
    """What `tiny_files` is."""

    @property
    def train(self) -> Path: ...
    @property
    def test(self) -> Path: ...
    @property
    def misconceptions(self) -> Path: ...


class Process(NamedTuple):
    command: list[str]
    environment: dict[str, str]


@pytest.fixture
def arguments(tiny_files: Files, tiny_config: Path, tiny_model: Path, tiny_lm: Path, tmp_path: Path) -> list[object]:
    table = {"kind": "listwise", "model": tiny_lm, "candidates": 6, "batch_queries": 2}
    settings = [f"rerankers.lm.{key}={value}" for key, value in table.items()]
    settings += ["quantization.group_size=32", "quantization.back_end=rtn", "quantization.queries=8"]
    named: list[object] = ["--train", tiny_files.train, "--misconceptions", tiny_files.misconceptions]
    named += ["--config", tiny_config, "--retriever", tiny_model, "--reranker", "lm", "--output", tmp_path / "made"]
    return [*named, *(part for value in settings for part in ("--set", value))]


@pytest.fixture
def quantized(arguments: list[object], invoke: Invoke) -> Invoke:
    return lambda *more: invoke(quantize_reranker.main, *arguments, *more)


def adapter_over(base: Path, folder: Path) -> Path:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(3)
    config = LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    model.peft_config["default"].base_model_name_or_path = str(base)
    model.save_pretrained(folder)
    return folder


def test_an_accepted_model_stands_under_its_name_with_the_gates_numbers(
    quantized: Invoke, tiny_lm: Path, tmp_path: Path
) -> None:
    done = quantized(*LOOSE)
    assert done.returncode == 0, done.stderr
    made, work = tmp_path / "made", tmp_path / "made.work"
    told = read_manifest(made)
    assert told is not None and told["artifact"] == "quantised reranker" and told["back_end"] == "rtn"
    gate = told["gate"]
    assert gate["accepted"] and gate["queries"] == 8 and gate["prompts"] == 16  # both orders
    assert gate["measured_through"] == "dequantised weights" and 0 <= gate["top1_agreement"] <= 1
    assert gate["map@25_delta"] == pytest.approx(gate["map@25_quantised"] - gate["map@25_16bit"], abs=2e-6)
    assert json.loads((work / "gate.json").read_text(encoding="utf-8"))["mean_kl"] == gate["mean_kl"] > 0
    assert load_tokenizer(made).name_hash == load_tokenizer(tiny_lm).name_hash
    assert "model.layers.0.mlp.up_proj.weight_packed" in load_file(made / "model.safetensors")
    assert "Queries that lost most" in (work / "report.html").read_text(encoding="utf-8")
    assert "verdict           accepted" in done.stdout and str(made) in done.stdout
    assert done.stderr.count("opening the engine") == 2
    assert re.search(r"gate, 16bit model +\d+\.\d s\n +dequantised .*\n +gate, quantised model +\d", done.stdout)

    again = quantized(*LOOSE)
    assert again.returncode == 0 and "opening the engine" not in again.stderr
    assert again.stdout.count("reused") >= 3


def test_a_model_that_lost_is_refused_with_status_3(quantized: Invoke, tmp_path: Path) -> None:
    done = quantized("--set", "quantization.agreement=1", "--set", "quantization.map_delta=0")
    assert done.returncode == 3, done.stderr
    assert "Refused:" in done.stderr and "nothing was put under" in done.stderr
    assert "the best label is the same in" in done.stderr or "MAP@25 changed by" in done.stderr
    assert not (tmp_path / "made").exists() and (tmp_path / "made.work" / "quantised" / "config.json").is_file()
    assert json.loads((tmp_path / "made.work" / "gate.json").read_text(encoding="utf-8"))["refusals"]
    # Other thresholds: nothing is scored again.
    loose = quantized(*LOOSE)
    assert loose.returncode == 0 and "opening the engine" not in loose.stderr


def test_every_fault_is_told_at_once_before_any_cost(quantized: Invoke, tmp_path: Path) -> None:
    done = quantized(
        *("--set", "quantization.group_size=128", "--back-end", "llm-compressor-gptq"),
        *("--set", f"quantization.environments={tmp_path / 'none'}", "--adapter", tmp_path / "nothing"),
        *("--calibration", tmp_path / "no.csv"),
    )
    assert done.returncode == 2
    assert "group_size 128 divides, got 64" in done.stderr and "fits this model is 64" in done.stderr
    assert "make quantizer-env NAME=llmcompressor" in done.stderr
    assert "expected a folder with adapter_config.json" in done.stderr
    assert "no.csv: expected a CSV of questions" in done.stderr
    assert not (tmp_path / "made").exists() and not (tmp_path / "made.work").exists()


def test_what_is_no_language_model_or_quantised_already_is_refused(
    quantized: Invoke, tiny_lm: Path, tmp_path: Path
) -> None:
    assert "only language models are quantised here" in quantized("--reranker", "identity").stderr
    shutil.copytree(tiny_lm, tmp_path / "q")
    config = json.loads((tiny_lm / "config.json").read_text(encoding="utf-8"))
    told = {**config, "quantization_config": {"quant_method": "awq"}}
    (tmp_path / "q" / "config.json").write_text(json.dumps(told), encoding="utf-8")
    done = quantized("--set", f"rerankers.lm.model={tmp_path / 'q'}")
    assert done.returncode == 2 and "is quantised already" in done.stderr
    torn = tmp_path / "torn"
    shutil.copytree(tiny_lm, torn)
    whole = (tiny_lm / "model.safetensors").read_bytes()
    (torn / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    done = quantized("--set", f"rerankers.lm.model={torn}")
    assert done.returncode == 2 and "corrupted" in done.stderr and not (tmp_path / "made.work").exists()


def test_a_calibration_set_that_overlaps_validation_is_refused(
    quantized: Invoke, tiny_files: Files, tmp_path: Path
) -> None:
    questions = read_questions(tiny_files.train).questions
    write_questions(tmp_path / "own.csv", list(questions[:40]))
    done = quantized("--calibration", tmp_path / "own.csv", *LOOSE)
    assert done.returncode == 2 and "are in the held-out part, by id or by text" in done.stderr
    assert not (tmp_path / "made.work").exists()


def test_a_model_that_knows_the_held_out_questions_is_refused(
    quantized: Invoke, tiny_files: Files, tiny_lm: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_lm, tmp_path / "fitted")
    write_manifest(tmp_path / "fitted", {"fitted_on": fingerprints(read_questions(tiny_files.train).questions)})
    done = quantized("--set", f"rerankers.lm.model={tmp_path / 'fitted'}", *LOOSE)
    assert done.returncode == 2 and "questions that the gate measures on" in done.stderr


@pytest.mark.parametrize("into", ["16bit", "dequantised"])
def test_an_adapter_is_merged_first(quantized: Invoke, tiny_lm: Path, tmp_path: Path, into: str) -> None:
    adapter = adapter_over(tiny_lm, tmp_path / "adapter")
    done = quantized("--adapter", adapter, "--set", f"quantization.merge_into={into}", "--back-end", "fp8", *LOOSE)
    assert done.returncode == 0, done.stderr
    merged = load_file(tmp_path / "made.work" / "merged" / "model.safetensors")
    name = "model.layers.1.mlp.down_proj.weight"
    assert merged[name].dtype == torch.bfloat16
    assert (merged[name].float() - load_file(tiny_lm / "model.safetensors")[name]).abs().max() > 0.01
    quantised = load_file(tmp_path / "made" / "model.safetensors")
    found = quantised[name].float() * quantised["model.layers.1.mlp.down_proj.weight_scale"].float()
    assert (found - merged[name].float()).abs().max() < 0.05 * merged[name].float().abs().max()
    told = read_manifest(tmp_path / "made")
    assert told is not None and told["adapter"] == str(adapter)


def test_an_adapter_of_another_base_is_refused(quantized: Invoke, tiny_lm: Path, tmp_path: Path) -> None:
    adapter = adapter_over(tiny_lm, tmp_path / "adapter")
    tensors = load_file(adapter / "adapter_model.safetensors")
    name = next(name for name in tensors if "lora_A" in name)
    tensors[name] = torch.zeros(4, 96)
    save_file(tensors, adapter / "adapter_model.safetensors")
    done = quantized("--adapter", adapter, *LOOSE)
    assert done.returncode == 2 and "Stopped by" in done.stderr and not (tmp_path / "made.work").exists()


def test_the_main_job_warns_of_a_quantised_model_without_numbers(
    quantized: Invoke,
    invoke: Invoke,
    tiny_files: Files,
    tiny_config: Path,
    tiny_model: Path,
    tiny_lm: Path,
    tmp_path: Path,
) -> None:
    """The folder that was published carries the gate's numbers; the one in the work folder does not."""
    pytest.importorskip("compressed_tensors", reason="transformers reads these checkpoints with compressed-tensors")
    assert quantized(*LOOSE).returncode == 0
    files = ["--train", tiny_files.train, "--misconceptions", tiny_files.misconceptions, "--config", tiny_config]
    more = ["--retriever", tiny_model, "--set", "rerankers.lm.candidates=3", "--set", "rerankers.lm.bias_sample=0"]
    for folder, warned in ((tmp_path / "made", False), (tmp_path / "made.work" / "quantised", True)):
        table = ["--set", "rerankers.lm.kind=listwise", "--set", f"rerankers.lm.model={folder}"]
        output = tmp_path / f"run-{warned}"
        test = ["--test", tiny_files.test, "--reranker", "lm", "--output", output]
        done = invoke(end_to_end.main, *files, *more, *table, *test)
        assert done.returncode == 0, done.stderr
        assert ("is quantised and carries no gate's numbers" in done.stderr) is warned
        told = json.loads((output / "metrics.json").read_text(encoding="utf-8"))["warnings"]
        assert (NO_GATE in told) is warned
        output = tmp_path / f"ablation-{warned}"
        done = invoke(ablate_rerankers.main, *files, *more, *table, "--rerankers", "lm", "--output", output)
        assert done.returncode == 0, done.stderr
        assert (NO_GATE in json.loads((output / "metrics.json").read_text(encoding="utf-8"))["warnings"]) is warned


@pytest.mark.slow
@pytest.mark.parametrize("seen", ["quantised/config.json", "gate-16bit.jsonl", "dequantised/config.json"])
def test_a_killed_run_goes_on(
    arguments: list[object], pipeline_process: Callable[..., Process], tmp_path: Path, seen: str
) -> None:
    process = pipeline_process("quantize_reranker", *arguments, *LOOSE)
    started = subprocess.Popen(
        process.command, cwd=ROOT, env=process.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "made.work" / seen).exists() and started.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    started.send_signal(signal.SIGKILL)
    started.wait()
    assert not (tmp_path / "made").exists() or read_manifest(tmp_path / "made")
    done = subprocess.run(
        process.command, cwd=ROOT, env=process.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "made" / "manifest.json").is_file()
    assert not list(tmp_path.glob(".made*")) and not list((tmp_path / "made.work").glob(".*"))
