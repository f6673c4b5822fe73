"""Training of a language model on a toy world: it learns, it repeats, and it survives being killed."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import InputError
from core.language_model import TokenScorer
from core.lora import LoraPreset
from core.records import Misconception, Query, Ranking
from rerank.lm_passes import ForwardPass
from rerank.lm_step import LanguageModelStepper
from rerank.train_language_model import TrainedLanguageModel, train_language_model
from rerank.training_groups import FoldProvenance

World = tuple[Path, list[Query], list[Ranking], list[Misconception], Any]
SMALL = LoraPreset(rank=4, alpha=8)


@pytest.fixture
def world(
    word_lm: Path, queries: list[Query], candidates: list[Ranking], bank: list[Misconception], toy_prompts: Any
) -> World:
    return word_lm, queries, candidates, bank, toy_prompts


def train(world: World, output: Path, **changed: object) -> TrainedLanguageModel:
    base, queries, candidates, bank, prompter = world
    settings: dict[str, Any] = {
        "kind": "pointwise",
        "prompter": prompter,
        "method": "lora",
        "lora": SMALL,
        "epochs": 2,
        "sizes": (3, 5),
        "window": 8,
        "batch_queries": 6,
        "learning_rate": 1e-2,
        "device": "cpu",
        "precision": "float32",
        "show_progress": False,
    }
    return train_language_model(base, queries, candidates, bank, output_dir=output, **{**settings, **changed})


def weights(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob("*.safetensors")))


def hits(scorer: TokenScorer, world: World) -> float:
    """Share of the queries whose truth has the largest log-odds of all eight candidates, asked pointwise."""
    _, queries, _, bank, prompter = world
    right = 0
    for query in queries:
        built = [prompter.build(query, entry) for entry in bank]
        scores = scorer.score([prompt.token_ids for prompt in built], [prompt.label_ids for prompt in built])
        best = max(range(len(bank)), key=lambda place: float(scores[place].logprobs[0]))
        right += bank[best].id in query.labels
    return right / len(queries)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_it_learns_the_toy_world(world: World, tmp_path: Path, method: str) -> None:
    from core.transformers_engine import TransformersEngine

    made = train(
        world, tmp_path / "model", method=method, epochs=30, sizes=(8, 8), lora=LoraPreset(rank=16, alpha=32),
        learning_rate=1e-2 if method == "lora" else 5e-3,
    )  # fmt: skip
    assert made.lists == 24 and len(made.losses) == 30
    assert made.losses[-1] < 0.3 < 1.5 < made.losses[0]
    if method == "lora":
        engine = TransformersEngine.load(world[0], adapter=made.folder, device="cpu", dtype="float32")
    else:
        engine = TransformersEngine.load(made.folder, device="cpu", dtype="float32")
    assert hits(engine, world) >= 0.9  # chance is 1/8


@pytest.mark.parametrize("kind", ["listwise", "pointwise"])
def test_equal_runs_give_equal_bytes_and_seeds_matter(world: World, tmp_path: Path, kind: str) -> None:
    first = train(world, tmp_path / "a", kind=kind, seed=1)
    second = train(world, tmp_path / "b", kind=kind, seed=1)
    third = train(world, tmp_path / "c", kind=kind, seed=2)
    assert weights(first.folder) == weights(second.folder) != weights(third.folder)
    assert first.losses == second.losses


class Killed(BaseException):
    """Stands for the kill signal: nothing may catch it."""


@pytest.mark.parametrize("kill_after", [1, 3, 4, 6])
def test_a_killed_run_ends_where_an_unbroken_one_does(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill_after: int
) -> None:
    options: dict[str, Any] = {"kind": "listwise", "lora": LoraPreset(rank=4, alpha=8, dropout=0.2)}
    unbroken = train(world, tmp_path / "whole", **options)
    steps = 0
    original = LanguageModelStepper.step

    def dying(self: LanguageModelStepper, passes: Sequence[ForwardPass], number: int, *, batch: int) -> torch.Tensor:
        nonlocal steps
        if steps == kill_after:
            raise Killed
        steps += 1
        return original(self, passes, number, batch=batch)

    with monkeypatch.context() as patch:
        patch.setattr(LanguageModelStepper, "step", dying)
        with pytest.raises(Killed):
            train(world, tmp_path / "cut", checkpoint_steps=2, **options)
    assert not (tmp_path / "cut").exists()
    torch.rand(11)  # another process has another random state
    resumed = train(world, tmp_path / "cut", checkpoint_steps=2, **options)
    assert weights(resumed.folder) == weights(unbroken.folder)
    assert resumed.losses == unbroken.losses
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut", "whole"]


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_training_goes_on_from_an_earlier_one(world: World, tmp_path: Path, method: str) -> None:
    """At hardly any learning rate the loss tells where a training began: far below that of a fresh start."""
    options: dict[str, Any] = {"method": method, "sizes": (8, 8), "lora": LoraPreset(rank=16, alpha=32), "seed": 1}
    rate = 1e-2 if method == "lora" else 5e-3
    first = train(world, tmp_path / "first", epochs=15, **options, learning_rate=rate)
    second = train(world, tmp_path / "second", epochs=1, start=first.folder, **options, learning_rate=1e-9)
    fresh = train(world, tmp_path / "fresh", epochs=1, **options, learning_rate=1e-9)
    assert second.losses[0] < first.losses[-1] + 0.1 < 0.8 * fresh.losses[0]


def test_a_run_from_another_start_does_not_go_on(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    starts = [train(world, tmp_path / name, epochs=1, seed=seed).folder for seed, name in enumerate("ab")]
    calls = iter([0.5])

    def dying(scorer: TokenScorer) -> float:
        for score in calls:
            return score
        raise Killed

    with pytest.raises(Killed):
        train(world, tmp_path / "cut", score=dying, start=starts[0])
    with caplog.at_level(logging.WARNING):
        made = train(world, tmp_path / "cut", score=lambda scorer: 0.5, start=starts[1])
    assert "other data or settings" in caplog.text
    whole = train(world, tmp_path / "whole", score=lambda scorer: 0.5, start=starts[1])
    assert weights(made.folder) == weights(whole.folder)


def test_only_what_is_trained_is_kept(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dying(scorer: TokenScorer) -> float:
        raise Killed

    with pytest.raises(Killed):
        train(world, tmp_path / "cut", score=dying, checkpoint_steps=1)
    saved = torch.load(tmp_path / "cut.training" / "state.pt", weights_only=True)
    assert saved["model"] and all("lora_" in name for name in saved["model"])


@pytest.mark.parametrize("change", [{"learning_rate": 2e-2}, {"kind": "listwise"}, {"sizes": (3, 4)}])
def test_a_run_with_other_settings_does_not_go_on(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture, change: dict[str, Any]
) -> None:
    calls = 0

    def dying(scorer: TokenScorer) -> float:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise Killed
        return 0.5

    with pytest.raises(Killed):
        train(world, tmp_path / "cut", score=dying)
    with caplog.at_level(logging.WARNING):
        made = train(world, tmp_path / "cut", score=lambda scorer: 0.5, **change)
    assert "other data or settings" in caplog.text
    whole = train(world, tmp_path / "whole", score=lambda scorer: 0.5, **change)
    assert weights(made.folder) == weights(whole.folder)


@pytest.mark.parametrize("change", [{"micro_tokens": 40}, {"gradient_checkpointing": True}])
def test_a_run_goes_on_with_what_only_saves_memory(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, change: Any
) -> None:
    """After an out-of-memory: the same command with less memory a pass must not begin afresh."""
    numbers: list[int] = []
    original = LanguageModelStepper.step

    def dying(self: LanguageModelStepper, passes: Sequence[ForwardPass], number: int, *, batch: int) -> torch.Tensor:
        if number == 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(self, passes, number, batch=batch)

    def counting(self: LanguageModelStepper, passes: Sequence[ForwardPass], number: int, *, batch: int) -> torch.Tensor:
        numbers.append(number)
        return original(self, passes, number, batch=batch)

    whole = train(world, tmp_path / "whole", kind="listwise")
    with monkeypatch.context() as patch:
        patch.setattr(LanguageModelStepper, "step", dying)
        with pytest.raises(torch.OutOfMemoryError):
            train(world, tmp_path / "cut", kind="listwise", checkpoint_steps=2)
    monkeypatch.setattr(LanguageModelStepper, "step", counting)
    with caplog.at_level(logging.WARNING):
        made = train(world, tmp_path / "cut", kind="listwise", checkpoint_steps=2, **change)
    assert "afresh" not in caplog.text
    assert numbers[0] == 4
    assert made.losses == pytest.approx(whole.losses, abs=1e-4)


def test_the_best_epoch_is_kept_and_patience_ends_the_run(world: World, tmp_path: Path) -> None:
    from core.transformers_engine import TransformersEngine

    scores = iter([0.3, 0.6, 0.5, 0.4, 0.9])
    seen: list[list[float]] = []
    probe = world[4].build(world[1][0], world[3][:3])

    def score(scorer: TokenScorer) -> float:
        seen.append(scorer.score([probe.token_ids], [probe.label_ids])[0].logprobs.tolist())
        return next(scores)

    made = train(world, tmp_path / "best", kind="listwise", epochs=5, score=score, patience=2)
    assert (made.epochs, made.best_epoch, made.best_score) == (4, 2, 0.6)
    assert made.scores == (0.3, 0.6, 0.5, 0.4)
    engine = TransformersEngine.load(world[0], adapter=made.folder, device="cpu", dtype="float32")
    kept = engine.score([probe.token_ids], [probe.label_ids])[0].logprobs.tolist()
    assert kept == pytest.approx(seen[1], abs=1e-5)
    assert seen[1] != pytest.approx(seen[3], abs=1e-3)


def test_none_of_these_is_learnt(world: World, none_prompts: Any, tmp_path: Path) -> None:
    """With half of the truths withheld the last label gains probability against a run that never withholds one."""
    from core.transformers_engine import TransformersEngine

    base, queries, candidates, bank, _ = world
    probe = none_prompts.build(queries[0], bank[1:4])  # without its truth
    found = {}
    for share in (0.0, 0.5):
        made = train(
            (base, queries, candidates, bank, none_prompts), tmp_path / str(share), kind="listwise", epochs=6,
            none_share=share,
        )  # fmt: skip
        engine = TransformersEngine.load(base, adapter=made.folder, device="cpu", dtype="float32")
        found[share] = float(engine.score([probe.token_ids], [probe.label_ids])[0].logprobs[-1])
    assert found[0.5] > found[0.0] + 0.5


def test_a_teacher_changes_the_model_and_is_counted(world: World, tmp_path: Path) -> None:
    _, queries, _, bank, _ = world
    ids = [entry.id for entry in bank]
    teacher = [Ranking.from_scores(query.key, ids, [0.0] * len(ids)) for query in queries]
    plain = train(world, tmp_path / "plain", epochs=1)
    taught = train(world, tmp_path / "taught", epochs=1, teacher=teacher)
    assert (plain.taught, taught.taught) == (0, 24)
    assert weights(plain.folder) != weights(taught.folder)


def test_the_adapter_names_its_base(world: World, tmp_path: Path) -> None:
    made = train(world, tmp_path / "model", epochs=1, base_name="owner/name")
    config = json.loads((made.folder / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == "owner/name"


def test_provenance_is_checked_and_its_absence_said(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = frozenset(query.key for query in world[1])
    leaky = [FoldProvenance(model="r", ranked=keys, fitted_on=frozenset({3}))]
    with pytest.raises(InputError, match="3_B: its candidates come from r"):
        train(world, tmp_path / "model", provenance=leaky)
    assert not (tmp_path / "model").exists()
    with caplog.at_level(logging.WARNING):
        train(world, tmp_path / "model", epochs=1)
    assert "may not be out of fold" in caplog.text


@pytest.mark.parametrize(
    "changed",
    [
        {"epochs": 0},
        {"learning_rate": -1.0},
        {"warmup": 1.5},
        {"hint_dropout": -0.1},
        {"micro_tokens": 0},
        {"sizes": (1, 4)},
        {"precision": "float16"},
    ],
)
def test_numbers_out_of_range_are_refused_before_a_model_is_opened(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any]
) -> None:
    def opened(*given: object, **named: object) -> None:
        raise AssertionError("no model was to be opened")

    monkeypatch.setattr("rerank.train_language_model.open_trainable", opened)
    with pytest.raises(ValueError, match="expected"):
        train(world, tmp_path / "model", **changed)


def test_a_label_outside_the_bank_is_refused(world: World, tmp_path: Path) -> None:
    base, queries, candidates, bank, prompter = world
    small = [entry for entry in bank if entry.id != 10]
    without = [Ranking.from_scores(r.key, r.ids[r.ids != 10], r.scores[r.ids != 10]) for r in candidates]
    with pytest.raises(ValueError, match=r"labels \[10\]"):
        train((base, queries, without, small, prompter), tmp_path / "model")
