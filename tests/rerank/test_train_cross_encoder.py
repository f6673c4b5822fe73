"""Training of a cross-encoder on a toy world: it learns, it repeats, and it survives being killed."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import InputError
from core.records import Misconception, Query, Ranking
from rerank.cross_encoder import CrossEncoderReranker
from rerank.reranker import Reranker
from rerank.text import candidate_text, query_text
from rerank.train_cross_encoder import TrainedCrossEncoder, train_cross_encoder
from rerank.training_groups import FoldProvenance

World = tuple[Path, list[Query], list[Ranking], list[Misconception]]


@pytest.fixture
def world(tiny_base: Path, queries: list[Query], candidates: list[Ranking], bank: list[Misconception]) -> World:
    return tiny_base, queries, candidates, bank


def train(world: World, output: Path, **changed: object) -> TrainedCrossEncoder:
    base, queries, candidates, bank = world
    settings: dict[str, Any] = {
        "query_text": query_text,
        "candidate_text": candidate_text,
        "epochs": 2,
        "group_size": 4,
        "batch_queries": 6,
        "learning_rate": 1e-3,
        "max_length": 48,
        "device": "cpu",
        "precision": "float32",
        "show_progress": False,
    }
    return train_cross_encoder(base, queries, candidates, bank, output_dir=output, **{**settings, **changed})


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def hits(reranker: Reranker, world: World) -> float:
    _, queries, candidates, bank = world
    out = reranker.rerank(queries, candidates, bank)
    return sum(ranking.ids[0] in query.labels for query, ranking in zip(queries, out, strict=True)) / len(queries)


def test_it_learns_the_toy_world(world: World, tmp_path: Path) -> None:
    made = train(world, tmp_path / "model", epochs=40, group_size=8, learning_rate=3e-3, dropout=0.0)
    assert made.groups == 24
    assert made.losses[-1] < 0.3 < 1.5 < made.losses[0]
    reranker = CrossEncoderReranker.load(made.folder, device="cpu")
    assert hits(reranker, world) >= 0.9  # chance is 1/8
    assert reranker.model.max_length == 48  # saved with the model, with the side that is cut
    assert reranker.model.tokenizer.truncation_side == "left"


def test_equal_runs_give_equal_bytes_and_seeds_matter(world: World, tmp_path: Path) -> None:
    first = train(world, tmp_path / "a", seed=1)
    second = train(world, tmp_path / "b", seed=1)
    third = train(world, tmp_path / "c", seed=2)
    assert weights(first.folder) == weights(second.folder) != weights(third.folder)
    assert first.losses == second.losses


class Killed(BaseException):
    """Stands for the kill signal: nothing may catch it."""


@pytest.mark.parametrize("kill_after", [1, 2, 5, 7])
def test_a_killed_run_ends_where_an_unbroken_one_does(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill_after: int
) -> None:
    from rerank.listwise_step import GroupPass, ListwiseStepper

    unbroken = train(world, tmp_path / "whole", dropout=0.1)
    steps = 0
    original = ListwiseStepper.step

    def dying(self: ListwiseStepper, passes: list[GroupPass], number: int) -> torch.Tensor:
        nonlocal steps
        if steps == kill_after:
            raise Killed
        steps += 1
        return original(self, passes, number)

    with monkeypatch.context() as patch:
        patch.setattr(ListwiseStepper, "step", dying)
        with pytest.raises(Killed):
            train(world, tmp_path / "cut", dropout=0.1, checkpoint_steps=2)
    assert not (tmp_path / "cut").exists()
    torch.rand(11)  # another process has another random state
    resumed = train(world, tmp_path / "cut", dropout=0.1, checkpoint_steps=2)
    assert weights(resumed.folder) == weights(unbroken.folder)
    assert resumed.losses == unbroken.losses
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_run_with_other_settings_does_not_go_on(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    calls = 0

    def dying(reranker: Reranker) -> float:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise Killed
        return 0.5

    with pytest.raises(Killed):
        train(world, tmp_path / "cut", score=dying)
    with caplog.at_level(logging.WARNING):
        made = train(world, tmp_path / "cut", score=lambda r: 0.5, learning_rate=2e-3)
    assert "other data or settings" in caplog.text
    whole = train(world, tmp_path / "whole", score=lambda r: 0.5, learning_rate=2e-3)
    assert weights(made.folder) == weights(whole.folder)


def test_the_best_epoch_is_kept_and_patience_ends_the_run(world: World, tmp_path: Path) -> None:
    scores = iter([0.3, 0.6, 0.5, 0.4, 0.9])
    seen: list[float] = []

    def score(reranker: Reranker) -> float:
        seen.append(hits(reranker, world))
        return next(scores)

    made = train(world, tmp_path / "best", epochs=5, score=score, patience=2)
    assert (made.epochs, made.best_epoch, made.best_score) == (4, 2, 0.6)
    assert made.scores == (0.3, 0.6, 0.5, 0.4)
    assert len(made.losses) == 4
    assert hits(CrossEncoderReranker.load(made.folder, device="cpu"), world) == seen[1]


def test_the_stage_one_residual_is_another_model(world: World, tmp_path: Path) -> None:
    plain = train(world, tmp_path / "plain", epochs=1)
    residual = train(world, tmp_path / "residual", epochs=1, use_stage_one=True)
    assert plain.losses != residual.losses
    assert weights(plain.folder) != weights(residual.folder)


def test_dropped_hints_change_what_is_shown(world: World, tmp_path: Path) -> None:
    texts: list[str] = []

    def spy(query: Query) -> str:
        texts.append(query_text(query))
        return texts[-1]

    train(world, tmp_path / "none", epochs=1, hint_dropout=1.0, query_text=spy)
    shown = texts[24:]  # the first 24 are read once, for lengths and the fingerprint
    assert len(shown) == 24
    assert not any("Hint" in text for text in shown)
    assert any("Hint" in text for text in texts[:24])


def test_a_trained_cross_encoder_can_be_trained_on(world: World, tmp_path: Path) -> None:
    first = train(world, tmp_path / "first", epochs=1)
    _, *rest = world
    second = train((first.folder, *rest), tmp_path / "second", epochs=1)  # type: ignore[arg-type]
    assert weights(first.folder) != weights(second.folder)


def test_an_old_model_is_replaced_as_a_whole(world: World, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old.txt").write_text("old", encoding="utf-8")
    train(world, tmp_path / "model", epochs=1)
    assert not (tmp_path / "model" / "old.txt").exists()
    assert (tmp_path / "model" / "model.safetensors").is_file()


def test_provenance_is_checked_and_its_absence_said(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = frozenset(query.key for query in world[1])
    leaky = [FoldProvenance(model="r", ranked=keys, fitted_on=frozenset({3}))]
    with pytest.raises(InputError, match="3_B: its candidates come from r"):
        train(world, tmp_path / "model", provenance=leaky)
    with caplog.at_level(logging.WARNING):
        train(world, tmp_path / "model", epochs=1)
    assert "may not be out of fold" in caplog.text


@pytest.mark.parametrize(
    "changed", [{"epochs": 0}, {"learning_rate": 0.0}, {"warmup": 1.5}, {"hint_dropout": -0.1}, {"group_size": 1}]
)
def test_numbers_out_of_range_are_refused_before_a_model_is_opened(
    world: World, tmp_path: Path, changed: dict[str, Any]
) -> None:
    with pytest.raises(ValueError):
        train(world, tmp_path / "model", **changed)
    assert not (tmp_path / "model").exists()


def test_a_label_outside_the_bank_is_refused(world: World, tmp_path: Path) -> None:
    base, queries, candidates, bank = world
    small = [entry for entry in bank if entry.id != 10]
    without = [Ranking.from_scores(r.key, r.ids[r.ids != 10], r.scores[r.ids != 10]) for r in candidates]
    with pytest.raises(ValueError, match=r"labels \[10\]"):
        train((base, queries, without, small), tmp_path / "model")
