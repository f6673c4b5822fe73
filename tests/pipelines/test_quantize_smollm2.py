"""One chain with SmolLM2-135M on real Eedi text: QLoRA, both merges, average, quantise, plain weights, gate.

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
from adapter_toys import whole

from core.adapter_average import average_adapters as average_adapters_as
from core.adapter_factors import load_factors
from core.adapter_merge import INTO, merge_adapter
from core.adapters import read_adapter
from core.artifacts import read_manifest, write_manifest
from core.lora import LoraPreset, open_trainable, save_trained
from core.models import locate_model
from core.next_token import next_token_logits
from core.records import queries_of
from core.tables import read_misconceptions, read_questions, write_misconceptions, write_questions
from core.tokenizer import load_tokenizer
from pipelines import average_adapters, quantize_reranker
from rerank.calibration_prompts import read_calibration
from rerank.prompts import BuiltPrompt, ListwisePrompter, PromptTemplate
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
def quantized(real_files: Files, tiny_config: Path, invoke: Invoke) -> Iterator[Invoke]:
    table = {"kind": "listwise", "model": BASE, "candidates": 5, "batch_queries": 4}
    settings = [f"rerankers.lm.{key}={value}" for key, value in table.items()]
    settings += ["quantization.group_size=64", "quantization.queries=4", "quantization.prompts=4"]
    # Eight prompts of a model of this size say little: the gate only measures here.
    settings += ["quantization.map_delta=-1", "quantization.agreement=0", "threads=2"]
    named: list[object] = ["--train", real_files.train, "--misconceptions", real_files.misconceptions]
    named += ["--config", tiny_config, "--retriever", "bundled:all-MiniLM-L6-v2", "--reranker", "lm"]
    named += [part for value in settings for part in ("--set", value)]
    threads = torch.get_num_threads()
    yield lambda *more: invoke(quantize_reranker.main, *named, *more)
    torch.set_num_threads(threads)


def real_prompts(count: int) -> list[BuiltPrompt]:
    """Return the shortest listwise prompts of real questions, the right misconception second ("B") of three."""
    bank = {entry.id: entry for entry in read_misconceptions(EEDI / "misconception_mapping.csv")}
    queries = queries_of(read_questions(EEDI / "train.csv").questions, labelled_only=True)
    queries = sorted(queries, key=lambda query: len(query.question.text))[:count]
    prompter = ListwisePrompter(load_tokenizer(locate_model(BASE).folder), PromptTemplate())
    others = [bank[id] for id in sorted(bank)[: count + 2]]
    shown = []
    for query in queries:
        right = next(iter(query.labels))
        first, last = [entry for entry in others if entry.id != right][:2]
        shown.append([first, bank[right], last])
    return [prompter.build(query, entries) for query, entries in zip(queries, shown, strict=True)]


class Trained(NamedTuple):
    folder: Path
    losses: list[float]
    logits: torch.Tensor


def trained_adapter(prompts: list[BuiltPrompt], asked: BuiltPrompt, folder: Path, *, seed: int) -> Trained:
    """Take three QLoRA steps towards the right label; return the adapter, the losses and what the model then says."""
    base = locate_model(BASE).folder
    preset = LoraPreset(rank=8, alpha=16)
    model = open_trainable(base, method="qlora", lora=preset, device="cpu", dtype=torch.float32, seed=seed)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-4)
    losses = []
    for _ in range(3):
        logits = next_token_logits(model, [prompt.token_ids for prompt in prompts])
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor([prompt.label_ids[1] for prompt in prompts]))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    save_trained(model, folder, base=base, base_name=BASE)
    write_manifest(folder, {"training": {"method": "qlora"}})
    return Trained(folder, losses, all_logits(model.eval(), asked))


def all_logits(model: torch.nn.Module, asked: BuiltPrompt) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=torch.tensor([asked.token_ids])).logits[0].float()
    return found


def deltas(folder: Path) -> dict[str, torch.Tensor]:
    """Return what an adapter adds to the first layer's weights."""
    factors = load_factors(read_adapter(folder))
    return {name: own.delta() for name, own in factors.items() if ".layers.0." in name}


def gate_of(folder: Path) -> dict[str, float]:
    told = read_manifest(folder)
    assert told is not None
    return dict(told["gate"])


@pytest.mark.slow
@pytest.mark.eedi
def test_adapters_merge_average_quantise_dequantise_gate(
    quantized: Invoke, invoke: Invoke, tell: Callable[[str], None], tmp_path: Path
) -> None:
    pytest.importorskip("bitsandbytes")
    *prompts, asked = real_prompts(4)
    one = trained_adapter(prompts[:2], asked, tmp_path / "one", seed=1)
    two = trained_adapter(prompts[2:], asked, tmp_path / "two", seed=2)
    for trained in (one, two):
        tell(f"QLoRA losses: {[round(loss, 3) for loss in trained.losses]}")
        assert trained.losses[0] > trained.losses[1] > trained.losses[2]

    # Merged both ways: only the dequantised base gives the model that was trained, to float32's noise in 30 layers.
    within = 1e-4 * float(one.logits.abs().max())
    apart = {}
    for into in INTO:
        merged = merge_adapter(locate_model(BASE).folder, one.folder, tmp_path / into, into=into, dtype="float32")
        found = all_logits(whole(merged), asked)
        agrees = float((found.argmax(dim=-1) == one.logits.argmax(dim=-1)).float().mean())
        apart[into] = (float((found - one.logits).abs().max()), agrees)
        tell(f"merged into {into}: logits apart by {apart[into][0]:.2e}, top-1 agrees on {agrees:.4f}")
    assert apart["dequantised"][0] < within and apart["dequantised"][1] == 1.0
    assert apart["16bit"][0] > 1.0 and apart["16bit"][1] < 1.0

    folders = ["--adapters", one.folder, two.folder]
    done = invoke(average_adapters.main, *folders, "--output", tmp_path / "average")
    assert done.returncode == 0, done.stderr
    first, second, mean = (deltas(folder) for folder in (one.folder, two.folder, tmp_path / "average"))
    assert len(mean) == 7
    for name, delta in mean.items():
        torch.testing.assert_close(delta, (first[name] + second[name]) / 2, rtol=0, atol=1e-7)
        assert float((delta - first[name]).norm()) > 0.1 * float(delta.norm())
    errors = {
        method: average_adapters_as([one.folder, two.folder], tmp_path / method, method=method).error
        for method in ("svd", "factors")
    }
    tell(f"rank 16 exact; lost at rank 8 by svd {errors['svd']:.4f}, by the mean of factors {errors['factors']:.4f}")
    assert 0 < errors["svd"] < errors["factors"]

    # A model that took three steps, plainly rounded; what a gate refuses is test_quantize_reranker.py's matter.
    done = quantized("--adapter", tmp_path / "average", "--back-end", "rtn", "--output", tmp_path / "made")
    assert done.returncode == 0, done.stderr
    work = tmp_path / "made.work"
    assert read_manifest(work / "merged")["into"] == "dequantised"  # type: ignore[index]
    weights = check_weights(work / "merged", tmp_path / "made")
    assert weights is not None and 0.05 < weights.mean < 0.2
    # The folder of plain weights is what the gate measured, and what a machine without 4-bit kernels can serve.
    gate = gate_of(tmp_path / "made")
    tell(f"rtn: {gate}")
    assert gate["measured_through"] == "dequantised weights" and (work / "dequantised" / "config.json").is_file()
    assert gate["prompts"] == 8 and 0 <= gate["top1_agreement"] <= 1 and 0 < gate["mean_kl"] < 2
    assert 0 < gate["map@25_16bit"] < 1


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
    assert gate["prompts"] == 8 and 0 < gate["mean_kl"] < 1
    config = json.loads((tmp_path / "made" / "config.json").read_text(encoding="utf-8"))
    method = config["quantization_config"]["quant_method"]
    assert config["dtype"] == ("float16" if method == "awq" else dtype) and method in ("compressed-tensors", "awq")
    if BACK_ENDS[name].calibrates:  # type: ignore[index]
        assert len(read_calibration(tmp_path / "made.work" / "calibration.jsonl")) == 4
