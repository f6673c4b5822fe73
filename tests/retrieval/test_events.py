from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from retrieval.events import COMPLETE_MARK, SessionEvents
from retrieval.progress import Progress


class FakeTrainer:
    """Stands for the trainer: gives scores and remembers what was asked of it."""

    def __init__(self, **session: Any) -> None:
        fields = {"epochs": 3, "score": None, "evaluate_every": 1, "patience": None, "checkpoint_every": None}
        self.session: Any = SimpleNamespace(
            progress=Progress(), steps_per_epoch=4, show_progress=False, **{**fields, **session}
        )
        self.scores = [0.5, 0.4, 0.3]
        self.saved = 0

    def read_meter(self) -> float:
        return 0.0

    def take_score(self) -> float:
        return self.scores.pop(0)

    def save_best(self) -> None:
        self.saved += 1


def control() -> SimpleNamespace:
    return SimpleNamespace(should_save=False, should_training_stop=False)


@pytest.mark.parametrize(("step", "saves"), [(1, False), (2, True), (4, False), (6, True)])
def test_checkpoints_inside_an_epoch_but_not_at_its_end(step: int, saves: bool) -> None:
    asked = control()
    SessionEvents(FakeTrainer(checkpoint_every=2)).on_step_end(None, SimpleNamespace(global_step=step), asked)
    assert asked.should_save is saves  # at step 4 the epoch ends: its checkpoint waits for the score


def test_an_epochs_end_scores_keeps_the_best_and_stops() -> None:
    trainer = FakeTrainer(score=object(), patience=1)
    events = SessionEvents(trainer)
    first, second = control(), control()
    events.on_epoch_end(None, SimpleNamespace(global_step=4), first)
    trainer.session.progress.epoch = 1
    events.on_epoch_end(None, SimpleNamespace(global_step=8), second)
    assert (first.should_save, first.should_training_stop) == (True, False)
    assert (second.should_save, second.should_training_stop) == (True, True)
    assert trainer.saved == 1
    assert [row.score for row in trainer.session.progress.history] == [0.5, 0.4]


def test_only_the_main_process_marks_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-4").mkdir()
    events = SessionEvents(FakeTrainer())
    args = SimpleNamespace(output_dir=str(tmp_path))
    events.on_save(args, SimpleNamespace(global_step=4, is_world_process_zero=False), control())
    assert not (tmp_path / "checkpoint-4" / COMPLETE_MARK).exists()
    events.on_save(args, SimpleNamespace(global_step=4, is_world_process_zero=True), control())
    assert (tmp_path / "checkpoint-4" / COMPLETE_MARK).exists()
