from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from core.errors import InputError
from core.records import Query, Question, Ranking
from core.text import normalise
from eval.splits import seen_labels
from pipelines.job import Job, fingerprints
from pipelines.plan import data_warnings, make_plan, precision_metric, split_training
from pipelines.settings import SplitSettings

TinyJob = Callable[..., Job]


def test_no_question_stands_on_both_sides(tiny_job: TinyJob) -> None:
    job = tiny_job()
    plan = make_plan(job, job.train)
    sides = [{normalise(question.text) for question in part} for part in (plan.fit, plan.validation)]
    assert not sides[0] & sides[1]
    assert len(plan.fit) + len(plan.validation) == len(job.train)


def test_the_plan_is_the_same_each_time_and_another_for_another_seed(tiny_job: TinyJob) -> None:
    job = tiny_job()
    assert make_plan(job, job.train) == make_plan(job, job.train)
    other = tiny_job("split.seed=5")
    assert make_plan(other, other.train).validation != make_plan(job, job.train).validation


def test_unseen_is_a_label_that_the_fitted_part_does_not_show(tiny_job: TinyJob) -> None:
    job = tiny_job()
    plan = make_plan(job, job.train)
    shown = {label for question in plan.fit for labels in question.labels for label in labels}
    assert list(plan.unseen) == [not shown & set(query.labels) for query in plan.queries]
    assert 0 < sum(plan.unseen) < len(plan.unseen)
    assert all(query.labels for query in plan.queries)
    assert plan.labels == {query.key: query.labels for query in plan.queries}


def test_the_halves_make_up_the_whole(tiny_job: TinyJob) -> None:
    job = tiny_job()
    plan = make_plan(job, job.train)
    assert sorted(plan.rows(0) + plan.rows(1)) == plan.rows(None) == list(range(len(plan.queries)))
    asked: list[set[Question]] = [{plan.queries[row].question for row in plan.rows(half)} for half in (0, 1)]
    assert asked[0] and asked[1] and not asked[0] & asked[1]


def test_without_an_unseen_share_the_split_is_a_fold(tiny_job: TinyJob) -> None:
    job = tiny_job()
    split = split_training(job.train, SplitSettings(unseen_share=None, validation_share=0.2))
    assert abs(len(split.validation) - 12) <= 2
    asked = split_training(job.train, SplitSettings(unseen_share=1.0, validation_share=0.2))
    known = seen_labels(asked.train)
    queries = job.queries(asked.validation, labelled_only=True)
    assert np.mean([known.isdisjoint(query.labels) for query in queries]) > 0.9


def test_too_few_questions_are_refused_with_what_to_do(tiny_job: TinyJob) -> None:
    job = tiny_job("split.unseen_share=null")
    with pytest.raises(InputError, match=r"of 3 questions .* split\.validation_share"):
        make_plan(job, job.train[:3])


def test_the_metric_is_average_precision() -> None:
    question = Question(id=1, text="q", answers=("1", "2", "3", "4"), correct="A", labels=((), (5,), (6, 7), ()))
    metric = precision_metric([Query(question=question, letter="B"), Query(question=question, letter="C")])
    rankings = [
        Ranking(key="1_C", ids=np.array([7, 1, 6]), scores=np.array([3.0, 2.0, 1.0])),
        Ranking(key="1_B", ids=np.array([1, 2, 3, 5]), scores=np.array([4.0, 3.0, 2.0, 1.0])),
    ]
    assert metric(rankings).tolist() == pytest.approx([(1 + 2 / 3) / 2, 1 / 4])


def test_only_warnings_that_occur_are_told_with_their_counts(tiny_job: TinyJob) -> None:
    job = tiny_job()
    repeated = replace(job.train[0], id=90_000)
    table = replace(job.inputs.test, questions=(*job.test, repeated))  # type: ignore[type-var]
    with_repeat = replace(job, inputs=replace(job.inputs, test=table))
    before, after = (
        dict(data_warnings(each, frozenset(), [])).get("test questions whose text is in the training file too", 0)
        for each in (job, with_repeat)
    )
    assert after == before + 1
    scored = fingerprints(job.test)
    told = data_warnings(job, frozenset([scored[0], scored[2], "unknown"]), scored)
    assert [count for text, count in told if "fitted on" in text] == [2]
    unused = len({entry.id for entry in job.bank} - seen_labels(job.train))
    assert ("bank entries without a training example", unused) in told
