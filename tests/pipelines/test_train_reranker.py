import json
import logging
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

from core.artifacts import folder_hash, read_manifest, write_manifest
from core.models import locate_model
from core.records import Misconception, Query, Ranking
from eval.metrics import average_precisions, recalls
from pipelines import train_cross_reranker, train_reranker
from pipelines.job import Job, fingerprints
from pipelines.out_of_fold import OutOfFold, out_of_fold_candidates
from pipelines.plan import Plan, make_plan
from pipelines.stage_one_run import StageOneRun
from pipelines.stage_two import reranker_texts_hash
from pipelines.stages import Stages
from pipelines.train_cross_reranker import trained_reranker, validation_score
from rerank.train_cross_encoder import TrainedCrossEncoder

Invoke = Callable[..., "subprocess.CompletedProcess[str]"]
SHORT = {
    "reranker_training.max_length": 64,
    "reranker_training.epochs": 1,
    "reranker_training.folds": 2,
    "reranker_training.window": 20,
    "training.epochs": 1,
}
SETTINGS = tuple(f"{key}={value}" for key, value in SHORT.items())


class Files(Protocol):
    """What `tiny_files` is."""

    @property
    def train(self) -> Path: ...
    @property
    def misconceptions(self) -> Path: ...


@pytest.fixture
def arguments(tiny_files: Files, tiny_config: Path) -> Callable[..., list[object]]:
    """The command line of a short training into a folder; later settings win."""

    def given(output: Path, *more: object, **settings: object) -> list[object]:
        chosen = [*SETTINGS, *(f"reranker_training.{key}={value}" for key, value in settings.items())]
        options = [option for setting in chosen for option in ("--set", setting)]
        named = ["--train", tiny_files.train, "--misconceptions", tiny_files.misconceptions, "--output", output]
        return [*named, "--kind", "cross-encoder", "--config", tiny_config, *options, *more]

    return given


@pytest.fixture
def zero_shot(tiny_job: Callable[..., Job], tiny_model: Path, tmp_path: Path) -> Callable[..., StageOneRun]:
    """Stage 1 by the untrained tiny model; `zero_shot("key=value")`."""

    def run(*overrides: str) -> StageOneRun:
        job = tiny_job(*SETTINGS, *overrides)
        return StageOneRun(job, Stages(folder=tmp_path / "work"), job.train, given=locate_model(str(tiny_model)))

    return run


class Oracle:
    """Puts the truth first where it was given it; everything else keeps its order."""

    def rerank(
        self, queries: Sequence[Query], candidates: Sequence[Ranking], bank: Sequence[Misconception]
    ) -> list[Ranking]:
        found = []
        for query, ranking in zip(queries, candidates, strict=True):
            bonus = np.isin(ranking.ids, query.labels) * 1000.0
            found.append(Ranking.from_scores(ranking.key, ranking.ids, bonus - np.arange(len(ranking))))
        return found


def never_trained(*arguments: object, **named: object) -> TrainedCrossEncoder:
    raise AssertionError("nothing was to be trained")


def test_the_job_from_files_to_a_model(
    arguments: Callable[..., list[object]], invoke: Invoke, tiny_job: Callable[..., Job], tmp_path: Path
) -> None:
    output = tmp_path / "models" / "reranker"
    first = invoke(train_reranker.main, *arguments(output))
    assert first.returncode == 0, first.stderr
    assert "fused" in first.stdout and "reranker alone" in first.stdout and str(output) in first.stdout
    work = output.with_name("reranker.work")
    assert {"retriever", "fold0", "fold1", "out_of_fold.parquet"} <= {path.name for path in work.iterdir()}
    assert sorted(path.name for path in output.parent.iterdir()) == ["reranker", "reranker.work"]

    # What the model's manifest states is what opens it, and what refuses it, elsewhere.
    job = tiny_job(*SETTINGS)
    plan = make_plan(job, job.train)
    manifest = read_manifest(output)
    assert manifest is not None
    assert (manifest["kind"], manifest["texts"]) == ("cross-encoder", reranker_texts_hash(job))
    assert manifest["fitted_on"] == fingerprints(plan.fit)
    assert manifest["scored_on"] == []
    assert manifest["revision"] == locate_model(str(work / "retriever")).revision
    assert set(manifest["fitted_on"]).isdisjoint(fingerprints(plan.validation))
    tokenizer = json.loads((output / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert (tokenizer["model_max_length"], tokenizer["truncation_side"]) == (64, "left")

    # A second run makes nothing.
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    second = invoke(train_reranker.main, *arguments(output))
    assert second.returncode == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before
    assert second.stdout.split("Held-out part")[1] == first.stdout.split("Held-out part")[1]

    # Another recipe trains the reranker alone, and says why.
    third = invoke(train_reranker.main, *arguments(output, learning_rate=1e-3))
    assert "reranker: made again, since these keys differ: training" in third.stderr
    of_reranker = ("validation_reranked", "facts-validation_reranked", "stage_two")
    kept = [path for path in before if path.is_relative_to(work) and not path.name.startswith(of_reranker)]
    assert kept and all(path.stat().st_mtime_ns == before[path] for path in kept)
    weights = output / "model.safetensors"
    assert weights.stat().st_mtime_ns != before[weights]


def test_the_epoch_is_chosen_on_the_held_out_part_where_patience_asks_for_it(
    zero_shot: Callable[..., StageOneRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = zero_shot("reranker_training.patience=1", "reranker_training.epochs=3")
    scores = iter([0.5, 0.4, 0.9])
    monkeypatch.setattr(train_cross_reranker, "validation_score", lambda one: lambda reranker: next(scores))
    folder = trained_reranker(run, out_of_fold_candidates(run), tmp_path / "reranker", run.stages)
    assert list(scores) == [0.9]  # the second epoch was worse: there was no third
    manifest = read_manifest(folder)
    assert manifest is not None and manifest["scored_on"] == fingerprints(run.plan.validation)
    assert manifest["fitted_on"] == fingerprints(run.plan.fit)


@pytest.mark.parametrize(
    ("override", "again"),
    [
        ("reranker_training.seed=0", False),
        ("reranker_training.checkpoint_steps=3", False),  # changes no weight
        ("bootstrap=200", False),
        ("reranker_training.use_stage_one=true", True),
        ("reranker_training.hint_dropout=0.5", True),
        ("text.latex=keep", True),
        ("candidates=29", True),
    ],
)
def test_what_makes_it_train_again(
    zero_shot: Callable[..., StageOneRun],
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    override: str,
    again: bool,
) -> None:
    trained: list[Path] = []

    def train(base: Path, *rest: object, output_dir: Path, **named: object) -> TrainedCrossEncoder:
        trained.append(output_dir)
        shutil.copytree(tiny_model, output_dir, dirs_exist_ok=True)
        return TrainedCrossEncoder(
            folder=output_dir, epochs=1, best_epoch=1, best_score=None, losses=(1.0,), scores=(), groups=1
        )

    monkeypatch.setattr(train_cross_reranker, "train_cross_encoder", train)
    for overrides in ((), (override,)):
        run = zero_shot(*overrides)
        trained_reranker(run, out_of_fold_candidates(run), tmp_path / "reranker", run.stages)
    assert len(trained) == (2 if again else 1)


def test_every_setting_reaches_the_training(
    zero_shot: Callable[..., StageOneRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {
        "epochs": 3, "group_size": 5, "window": 9, "batch_queries": 7, "micro_queries": 2, "learning_rate": 0.002,
        "weight_decay": 0.3, "dropout": 0.4, "hint_dropout": 0.7, "max_length": 33, "use_stage_one": True,
        "stage_one_weight": 2.5, "seed": 11, "patience": 4, "checkpoint_steps": 6,
    }  # fmt: skip
    found: dict[str, Any] = {}

    def train(*given: object, **named: object) -> TrainedCrossEncoder:
        found.update(named)
        raise InterruptedError

    monkeypatch.setattr(train_cross_reranker, "train_cross_encoder", train)
    settings = [f"reranker_training.{key}={json.dumps(value)}" for key, value in values.items()]
    run = zero_shot(*settings, "reranker_training.warmup_ratio=0.25", "reranker_training.precision=bf16")
    candidates = out_of_fold_candidates(run)
    with pytest.raises(InterruptedError):
        trained_reranker(run, candidates, tmp_path / "reranker", run.stages)
    assert {key: found[key] for key in values} == values
    assert (found["warmup"], found["precision"]) == (0.25, "bfloat16")
    assert (found["provenance"], found["groups"]) == (candidates.provenance, candidates.groups)
    assert callable(found["score"])


def test_the_score_is_map_of_the_fused_ranking(zero_shot: Callable[..., StageOneRun]) -> None:
    """At weight 0 it is stage 1's own MAP@25; at weight 1 an oracle has every truth first: recall among those given."""
    asked = zero_shot()
    candidates, labels = asked.validation_candidates(), asked.plan.labels
    stage_one = float(average_precisions(candidates, labels).mean())
    best = float(recalls(candidates, labels, k=25).mean())
    assert best > stage_one
    assert validation_score(zero_shot("reranker_training.score_weight=0.0"))(Oracle()) == pytest.approx(stage_one)
    assert validation_score(zero_shot("reranker_training.score_weight=1.0"))(Oracle()) == pytest.approx(best)


def test_what_the_base_has_by_heart_the_reranker_has_too(
    zero_shot: Callable[..., StageOneRun],
    tiny_model: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny_model, base)
    held_out = fingerprints(zero_shot().plan.validation)
    write_manifest(base, {"fitted_on": [*held_out[:2], "0" * 16]})
    run = zero_shot(f"reranker_training.base={base}")
    with caplog.at_level(logging.WARNING):
        folder = trained_reranker(run, out_of_fold_candidates(run), tmp_path / "reranker", run.stages)
    assert f"was fitted on 2 of the {len(held_out)} held-out questions" in caplog.text
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest["fitted_on"] == sorted({*fingerprints(run.plan.fit), *held_out[:2], "0" * 16})


def test_candidates_that_are_not_out_of_fold_are_refused(zero_shot: Callable[..., StageOneRun], tmp_path: Path) -> None:
    from dataclasses import replace

    from core.errors import InputError

    run = zero_shot()
    found = out_of_fold_candidates(run)
    spoilt: OutOfFold = replace(
        found, provenance=[replace(found.provenance[0], fitted_on=frozenset({found.groups[0]}))]
    )
    with pytest.raises(InputError, match="which was fitted on question group"):
        trained_reranker(run, spoilt, tmp_path / "reranker", run.stages)
    assert not (tmp_path / "reranker").exists()


def test_bad_input_stops_it_before_any_cost(
    arguments: Callable[..., list[object]], invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_cross_reranker, "train_cross_encoder", never_trained)
    monkeypatch.setattr("pipelines.recipe.train_retriever", never_trained)
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    output = tmp_path / "out"
    gone = invoke(
        train_reranker.main,
        *arguments(output, "--base", tmp_path / "gone", "--work", blocked / "work", "--retriever", "x/"),
    )
    assert gone.returncode == 2
    assert all(part in gone.stderr for part in ("gone", "--work", "model 'x/'"))
    long = invoke(train_reranker.main, *arguments(output, max_length=4000))
    assert long.returncode == 2 and "reranker_training.max_length: expected at most 128" in long.stderr
    narrow = invoke(train_reranker.main, *arguments(output, window=4, group_size=8))
    assert narrow.returncode == 2 and "at least group_size" in narrow.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_weights(
    arguments: Callable[..., list[object]],
    pipeline_process: Callable[..., Any],
    run_pipeline: Invoke,
    tmp_path: Path,
) -> None:
    options = {"epochs": 3, "checkpoint_steps": 1}
    work = tmp_path / "work"
    whole = run_pipeline("train_reranker", *arguments(tmp_path / "whole", "--work", work, **options))
    assert whole.returncode == 0, whole.stderr
    output = tmp_path / "killed"
    process = pipeline_process("train_reranker", *arguments(output, "--work", work, **options))
    running = subprocess.Popen(
        process.command, env=process.environment, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    state = tmp_path / "killed.training" / "state.pt"
    while running.poll() is None and not state.is_file():
        time.sleep(0.005)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    assert state.is_file() and not output.exists()
    again = run_pipeline("train_reranker", *arguments(output, "--work", work, **options))
    assert again.returncode == 0, again.stderr
    assert "going on from epoch" in again.stderr
    assert folder_hash(output) == folder_hash(tmp_path / "whole")
    assert not state.parent.exists()


def test_a_plan_holds_out_what_the_reranker_is_measured_on(zero_shot: Callable[..., StageOneRun]) -> None:
    plan: Plan = zero_shot().plan
    assert set(fingerprints(plan.fit)).isdisjoint(fingerprints(plan.validation))


def test_boosted_trees_from_files_to_a_submission(
    run_pipeline: Invoke, tiny_files: Any, tiny_config: Path, tiny_model: Path, tmp_path: Path
) -> None:
    data = ("--train", tiny_files.train, "--misconceptions", tiny_files.misconceptions, "--config", tiny_config)
    sets = ("retriever.model=" + str(tiny_model), "candidates=285", "boosted_training.candidates=200")
    more = ("boosted_training.rounds=10", "boosted_training.min_rows=5", "bootstrap=100")
    common = [*data, "--retriever", tiny_model, *(option for one in (*sets, *more) for option in ("--set", one))]
    trained = run_pipeline("train_reranker", *common, "--kind", "boosted", "--output", tmp_path / "boosted")
    assert trained.returncode == 0, trained.stderr
    assert f"Use it by:\n  --reranker boosted:{tmp_path / 'boosted'}" in trained.stdout
    assert "reranker alone" in trained.stdout and "most of the gain" in trained.stderr + trained.stdout
    spec = f"boosted:{tmp_path / 'boosted'}"
    end = ("end_to_end", *common, "--test", tiny_files.test, "--output", tmp_path / "run", "--reranker", spec)
    first = run_pipeline(*end)
    assert first.returncode == 0, first.stderr
    submission = (tmp_path / "run" / "submission.csv").read_bytes()
    for path in (tmp_path / "run").glob("*boosted*.parquet*"):
        path.unlink()  # scored again: the same bytes
    assert run_pipeline(*end).returncode == 0
    assert (tmp_path / "run" / "submission.csv").read_bytes() == submission
    gone = run_pipeline(*end[:-1], f"boosted:{tmp_path / 'none'}")
    assert gone.returncode == 2 and "no such folder" in gone.stderr
