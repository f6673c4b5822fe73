"""Progress on disk: what comes back, and what does not."""

import logging
from pathlib import Path

import pytest
import torch

from core.training_state import TrainingState, restore_state, save_state


def parts() -> tuple[torch.nn.Linear, torch.optim.AdamW]:
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1)
    return model, torch.optim.AdamW(model.parameters(), lr=0.1)


def train(model: torch.nn.Linear, optimizer: torch.optim.AdamW) -> None:
    loss = torch.nn.functional.dropout(model(torch.ones(4, 3)), 0.5).sum()
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def test_a_restored_run_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    model, optimizer = parts()
    train(model, optimizer)
    state = TrainingState(fingerprint="f", epoch=1, step=2, loss_sum=0.5, losses=[0.25])
    save_state(tmp_path / "deep" / "state.pt", state, model, optimizer, "cpu")
    train(model, optimizer)
    other, other_optimizer = parts()
    torch.rand(7)
    restored = restore_state(tmp_path / "deep" / "state.pt", "f", other, other_optimizer, "cpu")
    assert restored == state
    train(other, other_optimizer)
    assert torch.equal(other.weight, model.weight)


def test_another_run_starts_afresh(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model, optimizer = parts()
    save_state(tmp_path / "state.pt", TrainingState(fingerprint="f", epoch=3), model, optimizer, "cpu")
    with caplog.at_level(logging.WARNING):
        assert restore_state(tmp_path / "state.pt", "g", model, optimizer, "cpu") == TrainingState(fingerprint="g")
    assert "other data or settings" in caplog.text
    assert restore_state(tmp_path / "none.pt", "g", model, optimizer, "cpu") == TrainingState(fingerprint="g")


def test_epochs_are_closed_and_the_best_weights_kept() -> None:
    model, _ = parts()
    state = TrainingState(fingerprint="f")
    for epoch, (score, weight) in enumerate([(0.2, 1.0), (0.5, 2.0), (0.5, 3.0), (0.4, 4.0)], start=1):
        torch.nn.init.constant_(model.weight, weight)
        state.loss_sum, state.step = 6.0, 3
        state.close_epoch(model, score)
        assert (state.epoch, state.step, state.loss_sum) == (epoch, 0, 0.0)
    assert state.losses == [2.0] * 4
    assert state.best_epoch == 2  # a tie keeps the earlier
    assert state.best_weights is not None
    assert state.best_weights["weight"].tolist() == [[2.0, 2.0, 2.0]]
    assert state.out_of_patience(2)
    assert not state.out_of_patience(3)
    assert not state.out_of_patience(None)


def test_without_a_score_there_is_no_best() -> None:
    model, _ = parts()
    state = TrainingState(fingerprint="f", loss_sum=1.0, step=1)
    state.close_epoch(model, None)
    assert (state.best_epoch, state.best_weights, state.scores) == (0, None, [])
    assert not state.out_of_patience(1)
