from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.artifacts import read_manifest, write_manifest
from core.errors import InputError
from core.models import LocalModel, locate_model
from core.records import Query, Question
from pipelines.job import Job, fingerprints
from pipelines.out_of_fold import OutOfFold, out_of_fold_candidates
from pipelines.stage_one import StageOne
from pipelines.stage_one_run import StageOneRun
from pipelines.stage_one_weights import StageOneRuns
from pipelines.stages import Stages
from rerank.training_groups import check_out_of_fold

SHORT = ("training.epochs=1", "reranker_training.folds=3")


def with_copies(job: Job) -> Job:
    """Give the training file copies of five questions under other ids, as the real files have them."""
    table = job.inputs.train
    assert table is not None
    copies = tuple(
        replace(question, id=9000 + question.id, text=f"  {question.text} ") for question in table.questions[:5]
    )
    more = replace(table, questions=(*table.questions, *copies))
    return replace(job, inputs=replace(job.inputs, train=more))


def run_of(job: Job, folder: Path, given: LocalModel | None = None) -> StageOneRun:
    return StageOneRun(job, Stages(folder=folder), job.train, given=given)


def made(run: StageOneRun) -> list[str]:
    return [record.name for record in run.stages.records if not record.reused]


class Asked:
    """What `StageOne.runs` was asked for: queries, memory, and the folder of the model."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[Sequence[Query], Sequence[Question], Path]] = []
        plain = StageOne.runs

        def runs(
            stage: StageOne,
            queries: Sequence[Query],
            memory: Sequence[Question],
            *,
            thresholds: Sequence[float],
            lexical: bool,
        ) -> StageOneRuns:
            self.calls.append((queries, memory, stage.model.folder))
            return plain(stage, queries, memory, thresholds=thresholds, lexical=lexical)

        monkeypatch.setattr(StageOne, "runs", runs)


def check_shape(found: OutOfFold, run: StageOneRun) -> None:
    expected = run.job.queries(run.plan.fit, labelled_only=True)
    assert [query.key for query in found.queries] == [query.key for query in expected]
    assert [ranking.key for ranking in found.candidates] == [query.key for query in expected]
    assert {len(ranking) for ranking in found.candidates} == {run.job.settings.candidates}


def test_each_query_is_ranked_by_a_retriever_that_never_saw_its_question(
    tiny_job: Callable[..., Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(with_copies(tiny_job(*SHORT)), tmp_path)
    asked = Asked(monkeypatch)
    found = out_of_fold_candidates(run)
    check_shape(found, run)
    check_out_of_fold(found.queries, found.provenance, groups=found.groups)
    assert len(found.provenance) == 3
    # Against the manifests of the models that ranked, and against the memories that voted.
    calls = [call for call in asked.calls if call[2].parent.name.startswith("fold")]
    assert len(calls) == 3
    for queries, memory, folder in calls:
        of_queries = set(fingerprints([query.question for query in queries]))
        manifest = read_manifest(folder)
        assert manifest is not None
        assert of_queries.isdisjoint(manifest["fitted_on"])
        assert of_queries.isdisjoint(fingerprints(memory))
        assert set(manifest["fitted_on"]) == set(fingerprints(memory))
        assert of_queries | set(manifest["fitted_on"]) == set(fingerprints(run.plan.fit))
    ranked = [query.key for queries, _, _ in calls for query in queries]
    assert sorted(ranked) == sorted(query.key for query in found.queries)
    # Copies of a question share their group, and so their fold.
    groups = {query.question.id: group for query, group in zip(found.queries, found.groups, strict=True)}
    pairs = [(groups[id], groups[id - 9000]) for id in groups if id >= 9000 and id - 9000 in groups]
    assert pairs and all(first == second for first, second in pairs)

    again = run_of(with_copies(tiny_job(*SHORT)), tmp_path)
    repeated = out_of_fold_candidates(again)
    assert made(again) == []
    assert repeated.candidates == found.candidates
    assert repeated.provenance == found.provenance

    # A given retriever that was fitted on these questions: its candidates would be too easy, so folds are made anyway.
    fitted = locate_model(str(tmp_path / "retriever"))
    given = run_of(with_copies(tiny_job(*SHORT)), tmp_path, fitted)
    same = out_of_fold_candidates(given)
    assert [entry.model for entry in same.provenance] == [entry.model for entry in found.provenance]

    # A base model that was fitted on them cannot be made to forget.
    spoilt = with_copies(tiny_job(*SHORT, f"retriever.model={tmp_path / 'retriever'}"))
    other = run_of(spoilt, tmp_path / "other")
    expected = len(fingerprints(other.plan.fit))
    with pytest.raises(InputError, match=rf"was fitted on {expected} of the {expected} questions"):
        out_of_fold_candidates(other)
    assert not (tmp_path / "other").exists()


def test_candidates_are_the_fused_stage_one_of_the_run(tiny_job: Callable[..., Job], tmp_path: Path) -> None:
    """Without neighbours and folds the fused ranking is the dense one, worked out here with plain products."""
    job = tiny_job("neighbours.enabled=false")
    run = run_of(job, tmp_path, locate_model(job.settings.retriever.model))
    found = out_of_fold_candidates(run)
    check_shape(found, run)
    bank = run.fitted.embed_bank()[0]
    products = run.fitted.embed_queries(found.queries) @ bank.embeddings.T
    for row, ranking in zip(products, found.candidates, strict=True):
        assert ranking.scores == pytest.approx(np.sort(row)[::-1][: len(ranking)], abs=1e-5)


def test_a_retriever_that_was_fitted_on_nothing_needs_no_folds(
    tiny_job: Callable[..., Job], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(tiny_job(), tmp_path, locate_model(str(tiny_model)))
    asked = Asked(monkeypatch)
    found = out_of_fold_candidates(run)
    check_shape(found, run)
    check_out_of_fold(found.queries, found.provenance, groups=found.groups)
    assert [entry.fitted_on for entry in found.provenance] == [frozenset()]
    assert not list(tmp_path.glob("fold*"))
    assert asked.calls[-1][1] == run.plan.fit  # all of them vote; a query's own group never does (retrieval/neighbours)


@pytest.mark.parametrize(("share", "folds"), [(0, 0), (1, 3)])
def test_what_a_given_retriever_was_fitted_on_decides(
    tiny_job: Callable[..., Job],
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    share: int,
    folds: int,
) -> None:
    import shutil

    model = tmp_path / "model"
    shutil.copytree(tiny_model, model)
    job = tiny_job(*SHORT)
    known = fingerprints(run_of(job, tmp_path / "plan").plan.fit)[:share]
    write_manifest(model, {"fitted_on": ["0" * 16, *known]})
    monkeypatch.setattr("pipelines.out_of_fold.trained_retriever", lambda job, stages, name, questions: tiny_model)
    run = run_of(job, tmp_path / "work", locate_model(str(model)))
    found = out_of_fold_candidates(run)
    assert sum(entry.model.startswith("fold") for entry in found.provenance) == folds
    assert len(found.provenance) == max(folds, 1)


def test_more_folds_than_questions_are_refused(tiny_job: Callable[..., Job], tmp_path: Path) -> None:
    run = run_of(tiny_job("reranker_training.folds=500"), tmp_path)
    with pytest.raises(InputError, match="number of folds"):
        out_of_fold_candidates(run)
    assert list(tmp_path.iterdir()) == []
