"""The frame on its own, around a weight that counts its steps; the trainers' own tests kill and compare whole runs."""

import logging
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import InputError, ModelError
from core.records import Misconception, Query, Ranking
from core.training_state import TrainingState
from rerank.processes import Processes
from rerank.training_run import TrainedReranker, TrainingRun, check_numbers, checked_bank, run_training


class Killed(BaseException):
    """Stands for the kill signal: nothing may catch it."""


@dataclass
class Counting:
    """Three batches an epoch; a step adds one to the only weight, and its loss is the step's number."""

    model: torch.nn.Linear
    seen: list[tuple[int, int, list[int]]] = field(default_factory=list)
    dies_at: int | None = None
    unreadable: tuple[int, list[int]] | None = None
    losses: Callable[[int], float | torch.Tensor] = float
    prepared: list[tuple[int, list[int]]] = field(default_factory=list)
    epoch: int = -1

    def batches(self, epoch: int) -> list[list[int]]:
        self.epoch = epoch
        return [[0, 1], [2, 3], [4]]

    def prepare(self, batch: Sequence[int]) -> Sequence[int]:
        self.prepared.append((self.epoch, list(batch)))
        if (self.epoch, list(batch)) == self.unreadable:
            raise InputError("a prompt is too long")
        return batch

    def step(self, batch: Sequence[int], number: int) -> float | torch.Tensor:
        if number == self.dies_at:
            raise Killed
        self.seen.append((self.epoch, number, list(batch)))
        with torch.no_grad():
            self.model.weight += 1.0
        return self.losses(number)


def counter() -> torch.nn.Linear:
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(model.weight)
    return model


def run_of(model: torch.nn.Linear, path: Path, **changed: Any) -> TrainingRun:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    settings: dict[str, Any] = {
        "lessons": Counting(model), "weights": model, "optimizer": optimizer, "state": TrainingState(fingerprint="x"),
        "path": path / "run.training" / "state.pt", "processes": Processes(),
    }  # fmt: skip
    return TrainingRun(**{**settings, **changed})


def train(run: TrainingRun, *, epochs: int = 3, patience: int | None = None) -> None:
    run.train(epochs=epochs, steps=3, patience=patience, show_progress=False, title="x")


def test_epochs_batches_and_steps_are_numbered_through(tmp_path: Path) -> None:
    model = counter()
    lessons = Counting(model)
    run = run_of(model, tmp_path, lessons=lessons)
    train(run, epochs=2)
    assert lessons.seen == [
        (0, 0, [0, 1]), (0, 1, [2, 3]), (0, 2, [4]), (1, 3, [0, 1]), (1, 4, [2, 3]), (1, 5, [4]),
    ]  # fmt: skip
    assert (run.state.epoch, run.state.step, run.state.losses) == (2, 0, [1.0, 4.0])  # means of 0 1 2 and 3 4 5
    assert run.state.scores == [] and run.state.best_weights is None and run.path.is_file()


def test_the_best_weights_are_put_back_at_the_end(tmp_path: Path) -> None:
    model = counter()
    scores = iter([0.2, 0.9, 0.1])
    run = run_of(model, tmp_path, score=lambda: next(scores))
    train(run)
    assert model.weight.item() == 6.0  # after two epochs of three steps, not after three
    made = run.save(tmp_path / "made", lambda folder: folder.mkdir())
    assert made == TrainedReranker(
        folder=tmp_path / "made", epochs=3, best_epoch=2, best_score=0.9, losses=(1.0, 4.0, 7.0), scores=(0.2, 0.9, 0.1)
    )
    assert not run.path.parent.exists()


def test_patience_ends_the_run(tmp_path: Path) -> None:
    scores = iter([0.5, 0.4, 0.3, 0.9])
    run = run_of(counter(), tmp_path, score=lambda: next(scores))
    train(run, epochs=4, patience=2)
    assert run.state.epoch == 3 and list(scores) == [0.9]


def test_another_process_than_the_first_neither_scores_nor_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Processes, "told", lambda self, value: 0.5 if value is None else value)
    monkeypatch.setattr(Processes, "wait", lambda self: None)

    def never(*given: object) -> float:
        raise AssertionError("only the first process scores and writes")

    run = run_of(counter(), tmp_path, processes=Processes(rank=1, world=2), score=never, checkpoint_steps=1)
    train(run, epochs=1)
    assert run.state.scores == [0.5] and not run.path.exists()
    made = run.save(tmp_path / "made", never)
    assert made.best_score == 0.5 and not made.folder.exists()


def whole(output: Path, lessons: Counting, **changed: Any) -> TrainedReranker:
    model = lessons.model
    settings: dict[str, Any] = {
        "fingerprint": "x", "epochs": 2, "steps": 3, "title": "x", "processes": Processes(), "score": None,
        "patience": None, "resume": True, "checkpoint_steps": 2, "show_progress": False,
        "write": lambda folder: folder.write_text(str(model.weight.item()), encoding="utf-8"),
    }  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return run_training(lessons, model, optimizer, output=output, **{**settings, **changed})


@pytest.mark.parametrize(
    ("dies_at", "goes_on_at", "changed"),
    [
        (1, 0, {}),  # before the first checkpoint
        (2, 2, {}),
        (4, 3, {}),  # from the end of the first epoch
        (5, 5, {}),
        (5, 0, {"resume": False}),
        (5, 0, {"fingerprint": "y"}),
    ],
)
def test_a_killed_run_goes_on_from_its_last_checkpoint(
    tmp_path: Path, dies_at: int, goes_on_at: int, changed: dict[str, Any]
) -> None:
    with pytest.raises(Killed):
        whole(tmp_path / "made", Counting(counter(), dies_at=dies_at))
    assert not (tmp_path / "made").exists()
    again = Counting(counter())
    made = whole(tmp_path / "made", again, **changed)
    assert again.seen[0][1] == goes_on_at
    assert made.folder.read_text(encoding="utf-8") == "6.0" and made.losses == (1.0, 4.0)
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def ahead() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("ahead")]


def test_batches_are_prepared_ahead_and_none_of_another_epoch(tmp_path: Path) -> None:
    lessons = Counting(counter())
    scored_with: list[tuple[int, list[str]]] = []

    def score() -> float:
        scored_with.append((len(lessons.prepared), ahead()))
        return 0.5

    train(run_of(lessons.model, tmp_path, lessons=lessons, score=score), epochs=2)
    assert lessons.prepared == [(epoch, batch) for epoch in (0, 1) for batch in ([0, 1], [2, 3], [4])]
    assert scored_with == [(3, []), (6, [])]  # nothing runs beside a score


@pytest.mark.parametrize("dies_at", [0, 1, 4])
def test_a_run_that_fails_leaves_no_thread(tmp_path: Path, dies_at: int) -> None:
    lessons = Counting(counter(), dies_at=dies_at)
    with pytest.raises(Killed):
        train(run_of(lessons.model, tmp_path, lessons=lessons))
    assert ahead() == []


def test_a_batch_that_cannot_be_prepared_stops_the_run_where_it_would_have_been_used(tmp_path: Path) -> None:
    lessons = Counting(counter(), unreadable=(1, [2, 3]))
    run = run_of(lessons.model, tmp_path, lessons=lessons, checkpoint_steps=1)
    with pytest.raises(InputError, match="a prompt is too long"):
        train(run)
    assert [number for _, number, _ in lessons.seen] == [0, 1, 2, 3]
    assert (run.state.epoch, run.state.step) == (1, 1)  # what was trained, not what was prepared
    assert torch.load(run.path, weights_only=True)["progress"]["step"] == 1
    assert ahead() == []


@pytest.mark.parametrize("checkpoint_steps", [None, 1, 2])
def test_losses_are_added_up_late_but_whole(tmp_path: Path, checkpoint_steps: int | None) -> None:
    lessons = Counting(counter(), losses=lambda number: torch.tensor(float(number)))
    run = run_of(lessons.model, tmp_path, lessons=lessons, checkpoint_steps=checkpoint_steps)
    train(run, epochs=2)
    assert run.state.losses == [1.0, 4.0]


@pytest.mark.parametrize("step", [0, 1, 2, 4])
def test_a_loss_that_is_no_number_stops_the_run_and_nothing_of_it_is_kept(tmp_path: Path, step: int) -> None:
    lessons = Counting(counter(), losses=lambda number: torch.tensor(math.nan if number == step else 1.0))
    run = run_of(lessons.model, tmp_path, lessons=lessons, checkpoint_steps=1)
    with pytest.raises(ModelError, match=f"step {step}: the training loss is nan"):
        train(run)
    kept = torch.load(run.path, weights_only=True)["model"]["weight"].item() if run.path.exists() else 0.0
    assert kept == step  # the weights before that step
    assert ahead() == []


def test_rows_that_do_not_belong_together_are_refused(
    queries: list[Query], candidates: list[Ranking], bank: list[Misconception], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert checked_bank(queries, candidates, bank, None) == {entry.id: entry for entry in bank}
    assert "may not be out of fold" in caplog.text
    without = [Ranking.from_scores(r.key, r.ids[r.ids != 10], r.scores[r.ids != 10]) for r in candidates]
    with pytest.raises(ValueError, match=r"labels \[10\] are not in the bank"):
        checked_bank(queries, without, bank[1:], [])
    with pytest.raises(ValueError, match=r"candidates \[10\] are not in the bank"):
        checked_bank(queries, candidates, bank[1:], [])


@pytest.mark.parametrize(
    "wrong", [{"epochs": 0}, {"batch_queries": 0}, {"learning_rate": 0.0}, {"warmup": 1.1}, {"hint_dropout": -0.1}]
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {"epochs": 1, "batch_queries": 1, "learning_rate": 1.0, "warmup": 1.0, "hint_dropout": 0.0}
    check_numbers(**right)
    with pytest.raises(ValueError, match=f"got .*{next(iter(wrong.values()))}"):
        check_numbers(**{**right, **wrong})
