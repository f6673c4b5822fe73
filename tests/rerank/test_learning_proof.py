"""The proof that the training path is right: a tiny model that knows nothing learns a task from our loop alone.

The task is to find the candidate whose word stands in the question. Prompts, training, engine and rerankers are the
product's own; the model is a Llama of three layers with random weights, which ranks at chance before.
"""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest

from core.tokenizer import load_tokenizer
from core.transformers_engine import TransformersEngine
from eval.metrics import average_precisions
from rerank.listwise import ListwiseReranker
from rerank.pointwise import PointwiseReranker
from rerank.prompts import ListwisePrompter, PointwisePrompter
from rerank.train_language_model import train_language_model
from rerank.training_groups import FoldProvenance

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("choice_task")


def mean_average_precision(
    kind: Literal["listwise", "pointwise"], model: Path, base: Path, test: Any, task: ModuleType
) -> float:
    """MAP of the product's own reranker on new questions, five candidates each."""
    engine = TransformersEngine.load(model, device="cpu", dtype="float32")
    tokenizer = load_tokenizer(base)
    reranker = (
        ListwiseReranker(engine, ListwisePrompter(tokenizer, task.TEMPLATE))
        if kind == "listwise"
        else PointwiseReranker(engine, PointwisePrompter(tokenizer, task.TEMPLATE))
    )
    out = reranker.rerank(test.queries, [ranking.top(task.SHOWN) for ranking in test.candidates], task.BANK)
    return float(average_precisions(out, {query.key: query.labels for query in test.queries}).mean())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "epochs", "count"),
    [("listwise", 24, 1600), ("pointwise", 6, 400)],
)
def test_a_model_that_knows_nothing_learns_the_task(
    kind: Literal["listwise", "pointwise"],
    epochs: int,
    count: int,
    task: ModuleType,
    tmp_path: Path,
) -> None:
    knows_nothing = task.empty_model(tmp_path / "base")
    train, test = task.split(0, count, seed=0), task.split(10_000, 200, seed=1)
    assert mean_average_precision(kind, knows_nothing, knows_nothing, test, task) < 0.6  # chance is 0.457
    tokenizer = load_tokenizer(knows_nothing)
    made = train_language_model(
        knows_nothing,
        train.queries,
        train.candidates,
        task.BANK,
        kind=kind,
        prompter=(ListwisePrompter if kind == "listwise" else PointwisePrompter)(tokenizer, task.TEMPLATE),
        output_dir=tmp_path / "model",
        method="full",
        epochs=epochs,
        sizes=(3, task.SHOWN),
        window=12,
        batch_queries=16,
        learning_rate=3e-3,
        weight_decay=0.0,
        provenance=[
            FoldProvenance(model="by hand", ranked=frozenset(q.key for q in train.queries), fitted_on=frozenset())
        ],
        device="cpu",
        precision="float32",
        show_progress=False,
    )
    assert mean_average_precision(kind, made.folder, knows_nothing, test, task) >= 0.95
