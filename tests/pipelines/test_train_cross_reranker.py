"""Cross-encoders trained with made questions: dealt out to the folds, weighted, or first."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from made_questions import made_questions, with_made

from core.artifacts import folder_hash, read_manifest
from core.models import locate_model
from core.records import Misconception
from pipelines import train_cross_reranker
from pipelines.job import Job
from pipelines.out_of_fold import out_of_fold_candidates
from pipelines.stage_one_run import StageOneRun
from pipelines.stages import Stages
from pipelines.train_cross_reranker import trained_reranker
from rerank.listwise_step import GroupPass, ListwiseStepper
from rerank.training_groups import check_out_of_fold

SETTINGS = (
    *("reranker_training.max_length=64", "reranker_training.epochs=1", "reranker_training.folds=2"),
    *("reranker_training.window=20", "training.epochs=1"),
)


def run_of(job: Job, folder: Path, given: Path | None) -> StageOneRun:
    model = None if given is None else locate_model(str(given))
    return StageOneRun(job, Stages(folder=folder), job.train, given=model)


def test_made_queries_follow_the_real_ones_with_their_weight(
    tiny_job: Callable[..., Job], tiny_bank: tuple[Misconception, ...], tiny_model: Path, tmp_path: Path
) -> None:
    job = with_made(tiny_job(*SETTINGS, "synthetic.weight=0.25"), made_questions(tiny_bank, 12))
    found = out_of_fold_candidates(run_of(job, tmp_path, tiny_model))
    real = found.queries[: found.real]
    assert found.weights == [1.0] * found.real + [0.25] * (len(found.queries) - found.real)
    assert {query.question.text for query in found.queries[found.real :]} == {o.question.text for o in job.synthetic}
    assert real == job.queries(run_of(job, tmp_path, tiny_model).plan.fit, labelled_only=True)
    part = found.part(slice(found.real, None))
    assert part.weights is None and [query.key for query in part.queries] == [r.key for r in part.candidates]
    check_out_of_fold(part.queries, part.provenance, groups=part.groups)


@pytest.mark.slow
def test_no_made_question_is_ranked_by_a_retriever_that_was_trained_on_it(
    tiny_job: Callable[..., Job], tiny_bank: tuple[Misconception, ...], tmp_path: Path
) -> None:
    job = with_made(tiny_job(*SETTINGS), made_questions(tiny_bank, 12))
    found = out_of_fold_candidates(run_of(job, tmp_path, None))
    check_out_of_fold(found.queries, found.provenance, groups=found.groups)
    made = {query.key for query in found.queries[found.real :]}
    assert len(found.provenance) == 2
    for maker in found.provenance:
        groups = {g for q, g in zip(found.queries, found.groups, strict=True) if q.key in made}
        assert groups & maker.fitted_on  # it was trained on made questions, the other fold's
        assert made & maker.ranked


@pytest.mark.parametrize("mode", ["mixed", "first"])
def test_training_takes_weights_or_starts_from_a_model_of_made_rows(
    tiny_job: Callable[..., Job],
    tiny_bank: tuple[Misconception, ...],
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
) -> None:
    job = with_made(tiny_job(*SETTINGS, f"synthetic.mode={mode}", "synthetic.weight=0.5"), made_questions(tiny_bank, 9))
    run = run_of(job, tmp_path / "work", tiny_model)
    found = out_of_fold_candidates(run)
    calls = []
    plain = train_cross_reranker.train_cross_encoder

    def spy(base, queries, *arguments, **named):
        calls.append((Path(base), len(queries), named["weights"]))
        return plain(base, queries, *arguments, **named)

    monkeypatch.setattr(train_cross_reranker, "train_cross_encoder", spy)
    output = trained_reranker(run, found, tmp_path / "model", run.stages)
    manifest = read_manifest(output) or {}
    if mode == "mixed":
        assert calls == [(tiny_model, len(found.queries), found.weights)]
        assert "weights" in manifest
    else:
        first = tmp_path / "work" / "reranker-made-first"
        assert calls == [
            (tiny_model, len(found.queries) - found.real, None),
            (first, found.real, None),
        ]
        assert manifest["fitted_on"] and (read_manifest(first) or {})["fitted_on"] == []
    assert trained_reranker(run, found, tmp_path / "model", run.stages) == output
    assert len(calls) == (1 if mode == "mixed" else 2)  # nothing is trained twice
    assert np.isfinite(found.candidates[-1].scores).all()


class Killed(BaseException):
    """Stands for the kill signal: nothing may catch it."""


@pytest.mark.parametrize("dies_at", [("first", 1), ("second", 0), ("second", 2)])
def test_a_killed_training_in_stages_ends_where_an_unbroken_one_does(
    tiny_job: Callable[..., Job],
    tiny_bank: tuple[Misconception, ...],
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dies_at: tuple[str, int],
) -> None:
    """Inside the first stage, between the two (no step of the second is made yet), and inside the second."""
    settings = (*SETTINGS, "synthetic.mode=first", "reranker_training.checkpoint_steps=1")
    job = with_made(tiny_job(*settings), made_questions(tiny_bank, 9))
    run, other = (run_of(job, tmp_path / name, tiny_model) for name in ("work", "other"))
    found = out_of_fold_candidates(run)
    trained_reranker(run, found, tmp_path / "whole", run.stages)
    plain, stage = ListwiseStepper.step, []

    def dying(self: ListwiseStepper, passes: Sequence[GroupPass], number: int) -> torch.Tensor:
        if number == 0:
            stage.append(("first", "second")[len(stage)])
        if (stage[-1], number) == dies_at:
            raise Killed
        return plain(self, passes, number)

    with monkeypatch.context() as patch:
        patch.setattr(ListwiseStepper, "step", dying)
        with pytest.raises(Killed):
            trained_reranker(other, found, tmp_path / "cut", other.stages)
    assert not (tmp_path / "cut").exists()
    assert (tmp_path / "other" / "reranker-made-first").exists() == (dies_at[0] == "second")
    trained_reranker(other, found, tmp_path / "cut", other.stages)
    assert folder_hash(tmp_path / "cut") == folder_hash(tmp_path / "whole")
