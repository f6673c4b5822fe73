"""The loop on its own: what `train_language_model` adds is tested there."""

from pathlib import Path
from typing import Any

import pytest
import torch

from core.language_model import TokenScorer
from core.lora import PRESETS, TrainedWeights, open_trainable
from core.records import Misconception, Query, Ranking
from core.training_state import TrainingState
from rerank.lm_run import LanguageModelRun
from rerank.lm_source import TaskSource
from rerank.lm_step import LanguageModelStepper
from rerank.processes import Processes


@pytest.fixture
def run(
    word_lm: Path,
    toy_prompts: Any,
    queries: list[Query],
    candidates: list[Ranking],
    bank: list[Misconception],
    tmp_path: Path,
) -> LanguageModelRun:
    model = open_trainable(word_lm, method="full", lora=PRESETS["r16"], device="cpu", dtype=torch.float32)
    source = TaskSource(
        queries=queries, candidates=candidates, by_id={entry.id: entry for entry in bank}, kind="pointwise",
        prompter=toy_prompts, sizes=(3, 4), window=8, spread=2.0, none_share=0.0, hint_dropout=0.0, teacher=None,
        teacher_weight=0.0, teacher_temperature=1.0, seed=0,
    )  # fmt: skip
    stepper = LanguageModelStepper(
        model, processes=Processes(), device="cpu", dtype=torch.float32, total_steps=9, learning_rate=1e-2,
        warmup=0.0, weight_decay=0.0, max_norm=1.0, micro_tokens=1000, seed=0,
    )  # fmt: skip
    return LanguageModelRun(
        model=model, weights=TrainedWeights(model), stepper=stepper, source=source,
        state=TrainingState(fingerprint="x"), path=tmp_path / "state.pt", processes=Processes(), dtype=torch.float32,
        batch_queries=8, micro_tokens=1000, seed=0, score=None, checkpoint_steps=None,
    )  # fmt: skip


def test_an_epoch_is_every_list_once_and_leaves_its_state(run: LanguageModelRun) -> None:
    run.train(epochs=3, steps=3, patience=None, show_progress=False, title="x")
    assert (run.state.epoch, run.state.step, len(run.state.losses)) == (3, 0, 3)
    assert run.state.scores == [] and run.state.best_weights is None
    assert run.path.is_file()


def test_the_best_weights_are_put_back_at_the_end(run: LanguageModelRun) -> None:
    kept: list[torch.Tensor] = []

    def score(scorer: TokenScorer) -> float:
        kept.append(run.model.model.embed_tokens.weight.detach().clone())
        return [0.2, 0.9, 0.1][len(kept) - 1]

    run.score = score
    run.train(epochs=3, steps=3, patience=None, show_progress=False, title="x")
    assert torch.equal(run.model.model.embed_tokens.weight, kept[1])
    assert not torch.equal(kept[1], kept[2])


def test_another_process_than_the_first_neither_scores_nor_writes(
    run: LanguageModelRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = Processes(rank=1, world=2)
    monkeypatch.setattr(Processes, "told", lambda self, value: 0.5 if value is None else value)
    run.processes = second

    def never(scorer: TokenScorer) -> float:
        raise AssertionError("only the first process scores")

    run.score = never
    run.train(epochs=1, steps=3, patience=None, show_progress=False, title="x")
    assert run.state.scores == [0.5]
    assert not run.path.exists()
