"""The benchmark scripts are run by hand; what can break unseen until then is looked at here."""

import importlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from core.config import load_config
from core.order_scores import OrderScores
from core.records import Ranking
from pipelines.settings import Settings

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch):
    """Import a benchmark as it is imported when it runs: by name, from its own folder."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    return load


def test_the_cost_model_reads_a_shared_beginning_once(script):
    read_tokens = script("listwise_inputs").read_tokens
    assert read_tokens([[1, 2, 3, 4, 5]], block=2) == 5
    assert read_tokens([[1, 2, 3, 4, 5], [1, 2, 3, 4, 9]], block=2) == 5 + 1
    assert read_tokens([[1, 2, 3, 4, 5], [1, 2, 9, 4, 5]], block=2) == 5 + 3, "what follows another block is read"
    assert read_tokens([[1, 2, 3, 4], [1, 2, 3, 4]], block=2) == 4 + 2, "one token at least is read"


def test_a_model_folder_without_weights_is_the_published_shape(script, tmp_path):
    inputs = script("listwise_inputs")
    (tmp_path / "tokenizer").mkdir()
    (tmp_path / "tokenizer" / "tokenizer.json").write_text("{}", encoding="utf-8")
    folder = inputs.write_model(tmp_path / "model", tmp_path / "tokenizer", "32b", awq=True)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    hidden, layers, inner = (config[key] for key in ("hidden_size", "num_hidden_layers", "intermediate_size"))
    kv = hidden * config["num_key_value_heads"] // config["num_attention_heads"]
    parameters = layers * (2 * hidden**2 + 2 * hidden * kv + 3 * hidden * inner) + 2 * config["vocab_size"] * hidden
    assert parameters / 1e9 == pytest.approx(32.76, abs=0.01), "as Qwen2.5-32B's card says"
    assert config["quantization_config"]["group_size"] == 128
    assert (folder / "tokenizer.json").is_file() and (folder / "model.safetensors").stat().st_size < 1000


@pytest.mark.parametrize("name", ["listwise_small.toml", "rerank_variants.toml"])
def test_every_variant_sets_what_the_config_knows(name):
    variants = tomllib.loads((BENCHMARKS / name).read_text(encoding="utf-8"))["variant"]
    assert len(variants) <= 6
    for variant in variants.values():
        settings = load_config(Settings, None, list(variant.get("training", ())))
        kind = variant.get("kind", "cross-encoder")
        if kind == "ensemble":
            assert set(variant["of"]) <= set(variants)
            continue
        table = {"kind": kind, "model": "folder", **variant.get("reranker", {})}
        Settings.model_validate({**settings.model_dump(), "rerankers": {"x": table}})


def test_the_mean_of_rerankers_is_by_id(script):
    mean_rankings = script("listwise_small").mean_rankings
    one = Ranking.from_scores("1_A", [3, 5, 7], [-1.0, -2.0, -3.0])
    two = Ranking.from_scores("1_A", [3, 5, 7], [-4.0, -1.0, -2.5])
    [mixed] = mean_rankings([[one], [two]])
    assert mixed.ids.tolist() == [5, 3, 7]
    np.testing.assert_allclose(mixed.scores, [-1.5, -2.5, -2.75])
    with pytest.raises(ValueError, match="other candidates"):
        mean_rankings([[one], [Ranking.from_scores("1_A", [3, 5], [0.0, -1.0])]])


def asked(key: str, truth: int, sure: float) -> list[OrderScores]:
    """Two orders of ids 0 to 3; `truth` stands `sure` nats above the rest, slot 0 is favoured by a nat in both."""
    records = []
    for order, ids in enumerate((np.arange(4), np.arange(4)[::-1])):
        scores = np.where(ids == truth, sure, 0.0) + np.array([1.0, 0, 0, 0])
        logprobs = scores - np.logaddexp.reduce(scores)
        records.append(OrderScores(key=key, order=order, ids=ids, logprobs=logprobs, none_logprob=None, mass=None))
    return records


def test_the_adaptive_curve_by_hand(script):
    """Half of the queries are sure and right in any order; the rest are right only when both orders are averaged."""
    curve = script("adaptive_curve")
    records, labels = [], {}
    for number in range(40):
        key, truth = f"{number}_A", number % 4
        labels[key] = (truth,)
        records += asked(key, truth, 5.0 if number % 2 else 2.0)
    queries = curve.by_query(records)
    assert len(queries) == 40
    rows = curve.rows_of(queries, labels, None, weight=0.5, tolerance=0.0)
    found = curve.curve_of(rows)
    assert found["queries"] == 40 and found["all_orders"] == 1.0
    shares, scores = zip(*found["curve"], strict=True)
    assert shares[0] == 0.0 and shares[-1] == 1.0 and scores[0] == 1.0
    assert all(score == 1.0 for share, score in found["curve"] if share <= 0.5)
    assert found["fitted"] == 1.0 and found["skipped"] >= 0.5


def test_queries_asked_once_or_in_windows_have_no_place_in_the_curve(script):
    by_query = script("adaptive_curve").by_query
    once = asked("1_A", 0, 1.0)[:1]
    one, two = asked("2_A", 0, 1.0)
    window = OrderScores(key="2_A", order=1, ids=two.ids, logprobs=two.logprobs, none_logprob=None, mass=None, window=5)
    assert by_query([*once, one, window]) == []


@pytest.mark.slow
def test_a_rehearsal_of_the_speed_benchmark(tmp_path, byte_tokenizer):
    """Product, adaptive orders and transformers, tiny shapes, the bundled sample; then the table."""
    byte_tokenizer.inner.save_pretrained(tmp_path / "tokenizer")
    output = tmp_path / "out.jsonl"
    (tmp_path / "data").mkdir()
    sample = ROOT / "data" / "sample"
    for name in ("train.csv", "misconceptions.csv"):
        (tmp_path / "data" / name).write_bytes((sample / name).read_bytes())
    command = [
        *(sys.executable, "benchmarks/listwise_speed.py", "product", "adaptive", "transformers", "--tiny"),
        *("--engine", "transformers", "--data", tmp_path / "data", "--tokenizer", tmp_path / "tokenizer"),
        *("--repeats", "1", "--candidates", "4", "--skip-shares", "0,0.5,1"),
        *("--work", tmp_path / "work", "--output", output),
    ]
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": "", "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert [line["action"] for line in lines] == ["product", "adaptive", "transformers"]
    assert lines[0]["prompts"] == 32 and lines[0]["queries_per_second"] > 0
    assert [row["prompts"] for row in lines[1]["shares"]] == [32, 24, 16]
    table = subprocess.run(
        [sys.executable, "benchmarks/listwise_speed.py", "summary", "--output", output],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert table.returncode == 0 and "50% of second orders skipped" in table.stdout, table.stderr
