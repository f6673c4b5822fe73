"""The benchmarks of LoRA steps, of writing and of small retrievers: what can break unseen until they run on a GPU."""

import argparse
import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
SAMPLE = ROOT / "data" / "sample"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch):
    """Import a benchmark as it is imported when it runs: by name, from its own folder."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    return load


@pytest.fixture
def tiny_folder(script, tmp_path, byte_tokenizer) -> Path:
    """A model folder of the tiny shape without weights."""
    byte_tokenizer.inner.save_pretrained(tmp_path / "tokenizer")
    return script("listwise_inputs").write_model(tmp_path / "tiny", tmp_path / "tokenizer", "tiny")


def test_operations_by_hand(script):
    """100 frozen and 10 trained weights, 3 tokens: forwards 2 * 110 * 3, backwards 2 * 100 * 3 + 4 * 10 * 3."""
    counts = script("lora_counts")
    matrices = counts.Matrices(base=100, adapter=10)
    plain = counts.step_operations(matrices, 3, recomputed=False)
    assert plain == {"needed": 660 + 720, "done": 660 + 720}
    assert counts.step_operations(matrices, 3, recomputed=True)["done"] == 2 * 660 + 720
    cached = counts.step_operations(matrices, 3, recomputed=True, embedded_first=True)
    assert cached == {"needed": 660 + 720, "done": 3 * 660 + 720}
    assert counts.padded_tokens([[3, 5], [2]]) == 12


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_a_model_of_random_weights_is_opened_by_the_product_itself(script, tiny_folder, method):
    import torch
    from transformers import PreTrainedModel

    from core.lora import PRESETS, open_trainable

    own = PreTrainedModel.__dict__["from_pretrained"]
    models = []
    for seed in (0, 0, 1):
        with script("random_weights").random_weights(device="cpu", seed=seed):
            opened = open_trainable(tiny_folder, method=method, lora=PRESETS["r16"], device="cpu", dtype=torch.float32)
        models.append(opened)
    assert PreTrainedModel.__dict__["from_pretrained"] is own, "put back"
    ids = torch.tensor([[1, 2, 3, 4]])
    with torch.no_grad():
        same, again, other = (model(input_ids=ids).logits for model in models)
    assert torch.isfinite(same).all() and same.std() > 0
    assert torch.equal(same, again) and not torch.allclose(same, other)
    kinds = {type(layer).__name__ for _, layer in models[0].named_modules() if hasattr(layer, "in_features")}
    assert ("Linear4bit" in kinds) == (method == "qlora")
    # Two layers; q, k, v, o and the MLP's three: 128 x (128 + 64 + 64 + 128) + 3 x 128 x 256 weights each; r = 16.
    matrices = script("lora_counts").matrices_of(models[0])
    assert matrices.base == 2 * (128 * 384 + 3 * 128 * 256)
    assert matrices.adapter == 2 * 16 * (256 + 192 + 192 + 256 + 3 * 384)


def line(**changes: object) -> dict[str, object]:
    made = {
        **{"role": "reranker", "shape": "32b", "method": "qlora", "preset": "r64", "checkpointing": True, "gpu": "H"},
        **{"batch": 8, "way": "product", "gpus": 1, "seconds_a_step": 2.0, "tokens_per_second": 1000.0},
        **{
            "peak_gb": 50.0,
            "reserved_gb": 59.0,
            "losses": [3.0, 2.5],
            "share_of_peak": 0.5,
            "needed_share_of_peak": 0.4,
        },
    }
    return {**made, **changes}


def test_the_verdicts_by_hand(script, tmp_path):
    lines = [
        line(),
        line(way="hand", seconds_a_step=1.95),
        line(gpus=2, batch=16, tokens_per_second=1850.0),
        line(gpus=2, batch=8, tokens_per_second=1700.0),
        line(shape="14b", reserved_gb=41.0),
        line(shape="14b", checkpointing=False, way="hand", seconds_a_step=1.0),
    ]
    told = script("lora_summary").verdicts(lines)
    assert len(told) == 5, "another way of the same shape without checkpointing is no match"
    assert "+2.6% against the loop by hand, at most 3% wanted: kept" in told[0]
    assert "59.0 GB taken; under 60 GB wanted: kept" in told[1]
    assert "1.85 x one GPU at the same lists or queries a GPU (8); 1.8 wanted: kept" in told[2]
    assert "1.70 x one GPU at the same whole batch (8); 1.8 wanted: MISSED" in told[3]
    assert "under 40 GB wanted: MISSED" in told[4]
    file = tmp_path / "lines.jsonl"
    file.write_text("\n".join(json.dumps(one) for one in lines), encoding="utf-8")
    assert "| reranker 32b qlora r64, batch 8 | product | 1 | 2.000 s | 1000 |" in script("lora_summary").summary(file)


def test_the_share_of_bare_vllm_by_hand(script, tmp_path):
    lines = [
        {"way": way, "guided": guided, "tokens_per_second": rate, "share_of_bare": share, "outcomes": outcomes}
        for way, guided, rate, share, outcomes in (
            ("bare", False, 1000.0, 1.0, {}),
            ("product, 512 in flight", False, 960.0, 0.96, {"cut off": 3}),
            ("bare", True, 800.0, 1.0, {}),
            ("product, 512 in flight", True, 720.0, 0.9, {}),
        )
    ]
    file = tmp_path / "lines.jsonl"
    file.write_text("\n".join(json.dumps(one) for one in lines), encoding="utf-8")
    told = script("synthesis_speed").summary(file)
    assert "| product, 512 in flight | none | 960 | 0.960 | cut off 3 |" in told
    assert "512 in flight, no schema: 0.960 of bare vLLM; 0.95 wanted: kept" in told
    assert "512 in flight, guided: 0.900 of bare vLLM; 0.95 wanted: MISSED" in told
    assert "- bare: with the schema 0.800 of the rate without it" in told


def test_an_ensemble_scores_by_the_mean_of_its_members_cosines(script):
    study = script("llm_retriever")
    queries = np.array([[1.0, 0.0]], dtype=np.float32)
    one = study.Vectors(queries=queries, bank=np.array([[1.0, 0.0], [0.6, 0.8]], dtype=np.float32))
    two = study.Vectors(queries=queries, bank=np.array([[0.0, 1.0], [1.0, 0.0]], dtype=np.float32))
    both = study.joined([one, two])
    np.testing.assert_allclose(both.queries @ both.bank.T, [[0.5, 0.8]], atol=1e-6)
    runs = ["minilm", "part0", "best single (part0)", "ensemble of five", "average-svd", "minilm + average-svd"]
    compared_with = script("llm_retriever_table").compared_with
    against = {name: compared_with(name, dict.fromkeys(runs)) for name in runs}
    assert against["ensemble of five"] == against["average-svd"] == "best single (part0)"
    assert against["minilm + average-svd"] == "minilm" and against["minilm"] is None and against["part0"] is None


def test_a_members_job_reads_the_files(script, tmp_path):
    study = script("llm_retriever")
    options = argparse.Namespace(
        work=tmp_path,
        lm="bundled:SmolLM2-135M-Instruct",
        minilm="bundled:all-MiniLM-L6-v2",
        set_lm=["training.epochs=2"],
        set_minilm=[],
        train=SAMPLE / "train.csv",
        misconceptions=SAMPLE / "misconceptions.csv",
    )
    adapters, minilm = (study.Study(options).job(name) for name in ("part0", "minilm"))
    assert adapters.settings.training.epochs == 2 and adapters.settings.training.method == "lora"
    assert minilm.settings.retriever.model == "bundled:all-MiniLM-L6-v2"
    assert len(minilm.train) == len(adapters.train) > 0


def test_the_adapters_config_is_known(script):
    from core.config import load_config
    from pipelines.settings import Settings

    chosen = load_config(Settings, script("llm_retriever").CONFIGS["smollm2"], [])
    assert chosen.training.method == "lora" and chosen.retriever.pooling == "last"


def sample_data(folder: Path) -> Path:
    folder.mkdir()
    for name in ("train.csv", "misconceptions.csv"):
        (folder / name).write_bytes((ROOT / "data" / "sample" / name).read_bytes())
    return folder


def run(arguments: list[object], home: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "PATH": "",
        "HOME": str(home),
        "HF_HUB_OFFLINE": "1",
    }
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("role", ["reranker", "retriever"])
def test_product_and_hand_written_loop_do_the_same_steps(tmp_path, byte_tokenizer, role):
    """The rehearsal of the GPU benchmark: the two ways agree in every loss, so they are comparable in time."""
    pytest.importorskip("bitsandbytes")
    byte_tokenizer.inner.save_pretrained(tmp_path / "tokenizer")
    output = tmp_path / "out.jsonl"
    told = [
        "--data",
        sample_data(tmp_path / "data"),
        "--tokenizer",
        tmp_path / "tokenizer",
        "--work",
        tmp_path / "work",
    ]
    told += [
        "--output",
        output,
        "--tiny",
        "--candidates",
        "4",
        "--batch",
        "2",
        "--micro-texts",
        "2",
        "--max-length",
        "64",
    ]
    done = run(["benchmarks/lora_steps.py", role, *told], tmp_path)
    assert done.returncode == 0, done.stderr
    product, hand = (json.loads(line) for line in output.read_text(encoding="utf-8").splitlines())
    assert (product["way"], hand["way"]) == ("product", "hand")
    assert product["losses"] == pytest.approx(hand["losses"], rel=1e-3) and len(set(hand["losses"])) == 3
    for key in ("base_weights", "adapter_weights"):
        assert product[key] == hand[key] > 0
    for key in ("tokens_a_step", "padded_tokens_a_step"):
        assert 0 < product[key] <= hand[key]
        assert role == "retriever" or product[key] == hand[key]
    if role == "retriever":
        assert product["places_a_step"] == hand["places_a_step"] == hand["texts_a_step"] == 2 * (2 + 4)
        assert 2 + 2 < product["texts_a_step"] <= hand["texts_a_step"]
    table = run(["benchmarks/lora_steps.py", "summary", "--output", output], tmp_path)
    assert table.returncode == 0 and f"| {role} tiny qlora r64" in table.stdout, table.stderr
