"""What rerankers' trainings share; whole trainings in stages are tested with each trainer."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from made_questions import made_questions, with_made

from core.artifacts import read_manifest
from core.models import locate_model
from core.records import Misconception, Query, Ranking
from eval.metrics import average_precisions
from pipelines.job import Job, fingerprints
from pipelines.lm_training_settings import LmTrainingSettings
from pipelines.out_of_fold import OutOfFold, out_of_fold_candidates
from pipelines.reranker_recipe import RerankerRecipe
from pipelines.reranker_training import (
    first_recipe,
    log_training,
    made_by_all,
    result_facts,
    rows_facts,
    training_stages,
    validation_map,
    validation_rows,
)
from pipelines.stage_one_run import StageOneRun
from pipelines.stages import Stages
from pipelines.synthetic_settings import SyntheticSettings
from pipelines.training_settings import RerankerTrainingSettings
from rerank.training_run import TrainedReranker


@pytest.fixture
def run(tiny_job: Callable[..., Job], tiny_model: Path, tmp_path: Path) -> Callable[..., StageOneRun]:
    """Zero-shot stage 1; `run("key=value", made=QUESTIONS)`."""

    def one(*overrides: str, made: tuple[object, ...] = ()) -> StageOneRun:
        job = with_made(tiny_job(*overrides), made)  # type: ignore[arg-type]
        return StageOneRun(job, Stages(folder=tmp_path / "work"), job.train, given=locate_model(str(tiny_model)))

    return one


@pytest.mark.parametrize("mode", ["mixed", "first"])
def test_made_rows_make_a_stage_of_their_own_where_they_come_first(
    run: Callable[..., StageOneRun], tiny_bank: tuple[Misconception, ...], mode: str
) -> None:
    one = run(f"synthetic.mode={mode}", "synthetic.weight=0.5", made=made_questions(tiny_bank, 6))
    found = out_of_fold_candidates(one)
    first, last = training_stages(one, found)
    if mode == "mixed":
        assert first is None and last is found
        return
    assert first is not None
    assert first.queries == found.queries[found.real :] and last.queries == found.queries[: found.real]
    assert first.weights is None and last.weights is None


def test_without_made_rows_there_is_one_stage(run: Callable[..., StageOneRun]) -> None:
    one = run("synthetic.mode=first")
    found = out_of_fold_candidates(one)
    assert training_stages(one, found) == (None, found)


@pytest.mark.parametrize("recipe", [RerankerTrainingSettings(patience=3, epochs=4), LmTrainingSettings(patience=3)])
def test_the_first_stage_has_its_own_epochs_and_rate_and_no_score(recipe: RerankerRecipe) -> None:
    same = first_recipe(recipe, SyntheticSettings(mode="first"))
    assert same == recipe.model_copy(update={"patience": None}) and type(same) is type(recipe)
    own = first_recipe(recipe, SyntheticSettings(mode="first", epochs=7, learning_rate=0.25))
    assert (own.epochs, own.learning_rate, own.patience) == (7, 0.25, None)
    assert recipe.patience == 3


def test_facts_tell_rows_recipe_and_who_was_fitted_on(run: Callable[..., StageOneRun], tiny_model: Path) -> None:
    one = run()
    found, base = out_of_fold_candidates(one), locate_model(str(tiny_model))
    recipe = RerankerTrainingSettings()
    facts = rows_facts(one, base, found, recipe, left_out={"seed"})
    assert facts["training"] == {k: v for k, v in recipe.model_dump(mode="json").items() if k != "seed"}
    assert (facts["model"], facts["revision"]) == (base.name, base.revision)
    fewer = OutOfFold(
        queries=found.queries[1:], candidates=found.candidates[1:], provenance=found.provenance, groups=found.groups[1:]
    )
    assert rows_facts(one, base, fewer, recipe, left_out={"seed"})["candidates"] != facts["candidates"]
    plain, scored = (result_facts(one, base, found, scored=key) for key in (None, "hash"))
    assert (plain["scored"], plain["scored_on"]) == (None, []) and "weights" not in plain
    assert (scored["scored"], scored["scored_on"]) == ("hash", fingerprints(one.plan.validation))
    assert plain["fitted_on"] == fingerprints(one.plan.fit)


@pytest.mark.parametrize("rank", ["0", "1"])
def test_all_processes_make_an_artifact_and_the_first_vouches_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: str
) -> None:
    monkeypatch.setenv("RANK", rank)
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        folder.mkdir(exist_ok=True)

    stages = Stages(folder=tmp_path / "work", read_only=True)
    path = made_by_all(stages, tmp_path / "model", {"a": 1}, make)
    assert made == [path] and read_manifest(path) == ({"a": 1} if rank == "0" else None)
    monkeypatch.setenv("RANK", "0")
    made_by_all(stages, path, {"a": 1}, make)
    monkeypatch.setenv("RANK", rank)
    made_by_all(stages, path, {"a": 1}, make)
    assert len(made) == (1 if rank == "0" else 2)  # once it is vouched for, nobody makes it again
    made_by_all(stages, path, {"a": 2}, make)
    assert len(made) == (2 if rank == "0" else 3)


class Reversed:
    """Turns every list round."""

    def rerank(self, queries: list[Query], candidates: list[Ranking], bank: object) -> list[Ranking]:
        return [Ranking.from_scores(r.key, r.ids, range(len(r))) for r in candidates]


def test_the_score_is_map_of_what_is_fused(run: Callable[..., StageOneRun]) -> None:
    one = run()
    candidates, labels = one.validation_candidates(), one.plan.labels
    assert validation_rows(one) == [[r.key, r.ids.tolist()] for r in candidates]
    stage_one = float(average_precisions(candidates, labels).mean())
    assert validation_map(one, weight=0.0, depth=5)(Reversed()) == pytest.approx(stage_one)
    turned = [Ranking.from_scores(r.key, r.ids[:5], range(5)) for r in candidates]
    short = [Ranking.from_scores(r.key, r.ids[5:], [-float(n) for n in range(len(r) - 5)]) for r in candidates]
    order = [[*a.ids.tolist(), *b.ids.tolist()] for a, b in zip(turned, short, strict=True)]
    whole = [Ranking.from_scores(r.key, ids, range(len(ids), 0, -1)) for r, ids in zip(turned, order, strict=True)]
    by_hand = float(average_precisions(whole, labels).mean())
    assert validation_map(one, weight=1.0, depth=5)(Reversed()) == pytest.approx(by_hand)


def test_the_end_of_a_training_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = TrainedReranker(
        folder=tmp_path, epochs=2, best_epoch=1, best_score=0.5, losses=(1.0, 0.5), scores=(0.5, 0.4)
    )
    with caplog.at_level(logging.INFO):
        log_training(made, "7 lists")
    assert "trained 2 epochs over 7 lists; losses 1.0000, 0.5000; validation MAP@25 0.5000, 0.4000" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.INFO):
        log_training(made, "7 lists", "question cut in 1 lists")
    assert caplog.messages[0].endswith(", epoch 1 kept; question cut in 1 lists")
