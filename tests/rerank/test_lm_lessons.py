"""What each epoch shows, and which process sees what; the loop around it is tested with `training_run`."""

from pathlib import Path
from typing import Any

import pytest
import torch

from core.lora import PRESETS, open_trainable
from core.records import Misconception, Query, Ranking
from rerank.lm_lessons import ListLessons
from rerank.lm_passes import ForwardPass
from rerank.lm_source import TaskSource
from rerank.lm_step import LanguageModelStepper
from rerank.processes import Processes


@pytest.fixture
def lessons(
    word_lm: Path, toy_prompts: Any, queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> ListLessons:
    model = open_trainable(word_lm, method="full", lora=PRESETS["r16"], device="cpu", dtype=torch.float32)
    source = TaskSource(
        queries=queries, candidates=candidates, by_id={entry.id: entry for entry in bank}, kind="pointwise",
        prompter=toy_prompts, sizes=(3, 4), window=8, spread=2.0, none_share=0.0, hint_dropout=0.0, teacher=None,
        teacher_weight=0.0, teacher_temperature=1.0, seed=0, weights=[1.0] * 23 + [0.25],
    )  # fmt: skip
    stepper = LanguageModelStepper(
        model, processes=Processes(), device="cpu", dtype=torch.float32, total_steps=9, learning_rate=1e-2,
        warmup=0.0, weight_decay=0.0, max_norm=1.0, micro_tokens=1000, seed=0,
    )  # fmt: skip
    return ListLessons(
        model=model, stepper=stepper, source=source, processes=Processes(), batch_queries=8, seed=0
    )  # fmt: skip


def test_an_epoch_is_every_list_once_and_always_the_same(lessons: ListLessons) -> None:
    lessons.model.eval()
    first = lessons.batches(0)
    assert lessons.model.training
    assert sorted(row for batch in first for row in batch) == list(range(24)) and [len(b) for b in first] == [8, 8, 8]
    shown = lessons.drawn
    assert lessons.batches(1) != first and lessons.drawn != shown
    assert lessons.batches(0) == first and lessons.drawn == shown


def test_a_step_changes_the_model_and_tells_its_loss(lessons: ListLessons) -> None:
    before = lessons.model.model.embed_tokens.weight.detach().clone()
    prepared = lessons.prepare(lessons.batches(0)[0])
    assert torch.equal(lessons.model.model.embed_tokens.weight, before)
    assert float(lessons.step(prepared, 0)) > 0
    assert not torch.equal(lessons.model.model.embed_tokens.weight, before)


def test_processes_share_a_batch_out_and_weights_come_along(
    lessons: ListLessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[float, int]] = []

    def step(self: LanguageModelStepper, passes: list[ForwardPass], number: int, *, batch: int) -> float:
        seen.extend((task.weight, batch) for one in passes for task in one.tasks)
        return 0.0

    monkeypatch.setattr(LanguageModelStepper, "step", step)
    counts = []
    for rank in (0, 1):
        lessons.processes = Processes(rank=rank, world=2)
        for batch in lessons.batches(0):
            lessons.step(lessons.prepare(batch[:7]), 0)  # an odd batch: 4 and 3
        counts.append(len(seen))
    assert counts == [12, 21]
    assert {batch for _, batch in seen} == {7}
    lessons.processes = Processes()
    seen.clear()
    for batch in lessons.batches(0):
        lessons.step(lessons.prepare(batch), 0)
    assert sorted(weight for weight, _ in seen) == [0.25] + [1.0] * 23


def test_preparing_leaves_random_states_alone(lessons: ListLessons) -> None:
    """It runs beside a step whose dropout is drawn meanwhile."""
    batches = lessons.batches(0)
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    for batch in batches:
        lessons.prepare(batch)
    assert torch.equal(torch.rand(4), expected)
