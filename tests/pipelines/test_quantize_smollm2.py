"""The whole chain with SmolLM2-135M on real Eedi text: QLoRA steps, merge, quantise, plain weights, gate.

The numbers are written to the terminal. Back ends with environments of their own run under
the marker `quantizers` (`make test-quantizers`; QUANTIZER_ENVIRONMENTS names another folder of environments).
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from core.artifacts import read_manifest, write_manifest
from core.lora import PRESETS, open_trainable, save_trained
from core.models import locate_model
from core.next_token import next_token_logits
from core.tables import read_misconceptions, read_questions, write_misconceptions, write_questions
from core.transformers_engine import TransformersEngine
from pipelines import quantize_reranker
from rerank.calibration_prompts import read_calibration
from rerank.quantize import BACK_ENDS
from rerank.weights_guard import check_weights

Invoke = Callable[..., "subprocess.CompletedProcess[str]"]
ROOT = Path(__file__).parents[2]
EEDI = Path(os.environ.get("EEDI_DIR", ROOT / ".." / "shared" / "data" / "eedi"))
ENVIRONMENTS = Path(os.environ.get("QUANTIZER_ENVIRONMENTS", ROOT / ".environments"))
BASE = "bundled:SmolLM2-135M-Instruct"


class Files(NamedTuple):
    train: Path
    misconceptions: Path


@pytest.fixture(scope="module")
def real_files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """60 real questions and a bank of their labels and 40 others."""
    if not (EEDI / "train.csv").is_file():
        pytest.skip(f"the real Eedi files are not at {EEDI} (set EEDI_DIR)")
    questions = [q for q in read_questions(EEDI / "train.csv").questions if any(q.labels)][:60]
    labels = {id for question in questions for letter in question.labels for id in letter}
    bank = read_misconceptions(EEDI / "misconception_mapping.csv")
    kept = [entry for entry in bank if entry.id in labels] + [entry for entry in bank if entry.id not in labels][:40]
    folder = tmp_path_factory.mktemp("real")
    files = Files(folder / "train.csv", folder / "bank.csv")
    write_questions(files.train, questions)
    write_misconceptions(files.misconceptions, sorted(kept, key=lambda entry: entry.id))
    return files


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Write numbers where CI's log has them, whatever logging a pipeline has set up."""

    def write(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}\n")

    return write


@pytest.fixture
def quantized(real_files: Files, tiny_config: Path, tiny_model: Path, invoke: Invoke) -> Iterator[Invoke]:
    table = {"kind": "listwise", "model": BASE, "candidates": 5, "batch_queries": 4}
    settings = [f"rerankers.lm.{key}={value}" for key, value in table.items()]
    settings += ["quantization.group_size=64", "quantization.queries=4", "quantization.prompts=4"]
    settings += ["quantization.map_delta=-0.2", "quantization.agreement=0.5", "threads=2"]
    named: list[object] = ["--train", real_files.train, "--misconceptions", real_files.misconceptions]
    named += ["--config", tiny_config, "--retriever", tiny_model, "--reranker", "lm"]
    named += [part for value in settings for part in ("--set", value)]
    threads = torch.get_num_threads()
    yield lambda *more: invoke(quantize_reranker.main, *named, *more)
    torch.set_num_threads(threads)


def trained_adapter(prompts: list[list[int]], folder: Path) -> tuple[Path, list[float]]:
    """Take three QLoRA steps towards the token "B" after real prompts; return the adapter and the losses."""
    base = locate_model(BASE).folder
    model = open_trainable(base, method="qlora", lora=PRESETS["r16"], device="cpu", dtype=torch.float32)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-4)
    losses = []
    for _ in range(3):
        logits = next_token_logits(model, prompts)
        loss = torch.nn.functional.cross_entropy(logits.float(), torch.full((len(prompts),), 50))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    save_trained(model, folder, base=base, base_name=BASE)
    write_manifest(folder, {"training": {"method": "qlora"}})
    return folder, losses


def gate_of(folder: Path) -> dict[str, float]:
    told = read_manifest(folder)
    assert told is not None
    return dict(told["gate"])


@pytest.mark.slow
@pytest.mark.eedi
def test_adapter_merge_quantise_dequantise_gate(quantized: Invoke, tell: Callable[[str], None], tmp_path: Path) -> None:
    from core.tokenizer import load_tokenizer
    from rerank.prompts import ListwisePrompter, PromptTemplate

    # A few real prompts to take steps on: the calibration file of a back end that reads prompts would do as well.
    questions = [q for q in read_questions(EEDI / "train.csv").questions if any(q.labels)][:2]
    bank = read_misconceptions(EEDI / "misconception_mapping.csv")[:4]
    from core.records import queries_of

    prompter = ListwisePrompter(load_tokenizer(locate_model(BASE).folder), PromptTemplate())
    prompts = [list(prompter.build(query, list(bank)).token_ids) for query in queries_of(questions)[:2]]
    adapter, losses = trained_adapter(prompts, tmp_path / "adapter")
    tell(f"QLoRA losses: {losses}")
    assert losses[0] > losses[1] > losses[2]

    # A model that took three steps, plainly rounded; what a gate refuses is test_quantize_reranker.py's matter.
    open_gate = ["--set", "quantization.agreement=0", "--set", "quantization.map_delta=-1"]
    done = quantized("--adapter", adapter, "--back-end", "rtn", "--output", tmp_path / "made", *open_gate)
    assert done.returncode == 0, done.stderr
    work = tmp_path / "made.work"
    assert read_manifest(work / "merged")["into"] == "dequantised"  # type: ignore[index]
    gate = gate_of(tmp_path / "made")
    tell(f"rtn: {gate}")
    assert gate["prompts"] == 8 and 0 <= gate["top1_agreement"] <= 1 and 0 < gate["mean_kl"] < 2

    # The folder of plain weights scores as the gate measured: what a machine without 4-bit kernels can serve.
    errors = check_weights(work / "merged", tmp_path / "made")
    assert errors is not None and 0.05 < errors.mean < 0.2
    engine = TransformersEngine.load(work / "dequantised", dtype="float32", device="cpu")
    [scores] = engine.score([prompts[0]], [[50, 51]])
    assert abs(float(torch.tensor(scores.logprobs).exp().sum()) - 1) < 1e-5


@pytest.mark.quantizers
@pytest.mark.eedi
@pytest.mark.parametrize("name", [name for name, facts in BACK_ENDS.items() if facts.environment])
def test_a_back_end_in_its_environment(
    quantized: Invoke, tell: Callable[[str], None], tmp_path: Path, name: str
) -> None:
    if not (ENVIRONMENTS / str(BACK_ENDS[name].environment) / "bin" / "python").is_file():  # type: ignore[index]
        pytest.skip(f"no environment of {name} at {ENVIRONMENTS}: make quantizer-env")
    dtype = "float16" if name == "autoawq" else "bfloat16"
    options = [f"environments={ENVIRONMENTS.absolute()}", "grid=4", "iterations=4", "batch=1", "clip=false"]
    options += [f"dtype={dtype}", f"back_end={name}"]
    more = [part for value in options for part in ("--set", f"quantization.{value}")]
    done = quantized("--output", tmp_path / "made", *more)
    assert done.returncode == 0, done.stderr
    gate = gate_of(tmp_path / "made")
    errors = check_weights(locate_model(BASE).folder, tmp_path / "made")
    tell(f"{name}: {gate}, weights {errors}")
    assert errors is not None and errors.largest < 0.4
    assert gate["mean_kl"] < 2 and gate["top1_agreement"] >= 0.5
    config = json.loads((tmp_path / "made" / "config.json").read_text(encoding="utf-8"))
    method = config["quantization_config"]["quant_method"]
    assert config["dtype"] == ("float16" if method == "awq" else dtype) and method in ("compressed-tensors", "awq")
    if BACK_ENDS[name].calibrates:  # type: ignore[index]
        assert len(read_calibration(tmp_path / "made.work" / "calibration.jsonl")) == 4
