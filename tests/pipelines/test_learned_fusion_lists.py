"""The benchmark of the learned fusion over lists that are there (benchmarks/learned_fusion_folds.py)."""

import argparse
import importlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from core.records import Query, Ranking
from core.tables import read_rankings, write_rankings
from eval.splits import Split, question_folds
from pipelines.job import Job
from pipelines.plan import make_plan


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("learned_fusion_folds")


def lists_of(job: Job, queries: Sequence[Query], seed: int) -> list[Ranking]:
    random = np.random.default_rng(seed)
    ids = [entry.id for entry in job.bank]
    return [Ranking.from_scores(query.key, ids, random.random(len(ids))) for query in queries]


@pytest.fixture
def prepared(tiny_job: Callable[..., Job], tmp_path: Path) -> tuple[Job, Split, argparse.Namespace]:
    """Return a job, its first fold, and options that name a folder with that fold's random lists."""
    job = tiny_job("fusion.method=learned")
    split = question_folds(job.train, k=5, seed=0)[0]
    plan = make_plan(job, split.train)
    folder = tmp_path / "lists0"
    folder.mkdir()
    for seed, (name, queries) in enumerate(
        {
            "candidates": job.queries(split.validation, labelled_only=True),
            "validation_candidates": list(plan.queries),
            "out_of_fold": job.queries(plan.fit, labelled_only=True),
        }.items()
    ):
        write_rankings(folder / f"{name}.parquet", lists_of(job, queries, seed))
    options = argparse.Namespace(lists=str(tmp_path / "lists{fold}"), work=str(tmp_path / "work{fold}"))
    return job, split, options


def test_all_lists_of_a_fold_are_scored_anew(
    benchmark: ModuleType, prepared: tuple[Job, Split, argparse.Namespace], tmp_path: Path
) -> None:
    job, split, options = prepared
    lists = benchmark.Lists(job, tmp_path)
    before, after = benchmark.run_fold(job, lists, split.train, split.validation, options, 0)
    assert read_rankings(tmp_path / "work0" / "candidates.parquet") == after
    assert [ranking.key for ranking in after] == [ranking.key for ranking in before]
    assert any(new.ids.tolist() != old.ids.tolist() for new, old in zip(after, before, strict=True))
    for name in ("validation_candidates", "out_of_fold"):
        old, new = (
            read_rankings(Path(folder.format(fold=0)) / f"{name}.parquet") for folder in (options.lists, options.work)
        )
        assert [ranking.key for ranking in new] == [ranking.key for ranking in old]
        assert any(one.ids.tolist() != other.ids.tolist() for one, other in zip(new, old, strict=True))


def test_the_scored_questions_labels_change_nothing(
    benchmark: ModuleType, prepared: tuple[Job, Split, argparse.Namespace], tmp_path: Path
) -> None:
    job, split, options = prepared
    lists = benchmark.Lists(job, tmp_path)
    _, after = benchmark.run_fold(job, lists, split.train, split.validation, options, 0)
    some = job.bank[0].id
    other = [
        replace(question, labels=tuple((some,) if labels else () for labels in question.labels))
        for question in split.validation
    ]
    assert any(one.labels != two.labels for one, two in zip(other, split.validation, strict=True))
    _, again = benchmark.run_fold(job, lists, split.train, other, options, 0)
    assert [r.ids.tolist() for r in again] == [r.ids.tolist() for r in after]
