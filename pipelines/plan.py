"""Which questions are fitted on, which are held out, and on which the numbers are measured."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import InputError
from core.records import FloatArray, Query, Question, Ranking, queries_of
from eval.groups import text_overlap
from eval.metrics import average_precisions
from eval.splits import Split, question_folds, seen_labels, unseen_split
from pipelines.halves import halves
from pipelines.job import Job
from pipelines.settings import SplitSettings
from pipelines.stage_one_weights import unseen_rows

logger = logging.getLogger(__name__)

HELD_OUT_TEST = "the labels of the test file, which nothing was fitted on"
VALIDATION = (
    "a validation part held out of the training file (the test file has no labels); fusion weights are fitted on one "
    "half of it and scored on the other"
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The parts of a run.

    Attributes:
        fit: Training questions that models are fitted on.
        validation: Training questions held out: weights are fitted here.
        queries: The validation part's labelled queries.
        unseen: For each of them, whether none of its labels occurs in `fit`.
        half: For each of them, its half (see `pipelines.halves`).
    """

    fit: tuple[Question, ...]
    validation: tuple[Question, ...]
    queries: tuple[Query, ...]
    unseen: tuple[bool, ...]
    half: tuple[int, ...]

    @property
    def labels(self) -> dict[str, tuple[int, ...]]:
        """True labels of the validation queries by key."""
        return {query.key: query.labels for query in self.queries}

    def rows(self, half: int | None) -> list[int]:
        """Return the rows of one half, or all where None."""
        return [row for row, number in enumerate(self.half) if half is None or number == half]


def split_training(questions: Sequence[Question], settings: SplitSettings) -> Split:
    """Split labelled questions into a fitted and a held-out part as the config says."""
    if settings.unseen_share is None:
        folds = question_folds(questions, k=max(2, round(1 / settings.validation_share)), seed=settings.seed)
        return folds[0]
    return unseen_split(
        questions,
        unseen_share=settings.unseen_share,
        validation_share=settings.validation_share,
        seed=settings.seed,
    )


def make_plan(job: Job, questions: Sequence[Question]) -> Plan:
    """Hold a validation part out of some questions.

    Raises:
        InputError: Too few questions carry a label to hold some out and fit on the others.
    """
    split = split_training(questions, job.settings.split)
    queries = job.queries(split.validation, labelled_only=True)
    half = halves(queries)
    if set(half) != {0, 1} or not queries_of(split.train, labelled_only=True):
        raise InputError(
            f"the training file is too small to hold a validation part out: of {len(questions)} questions "
            f"{len(split.validation)} with {len(queries)} labelled wrong answers would be held out; expected at least "
            "2 different questions with a label there, and one to train on. Give more questions, or set "
            "split.validation_share."
        )
    plan = Plan(
        fit=split.train,
        validation=split.validation,
        queries=tuple(queries),
        unseen=tuple(unseen_rows(queries, split.train)),
        half=tuple(half),
    )
    logger.info(
        "fitted on %d questions; held out %d with %d labelled wrong answers, %.0f %% of them with an unseen label",
        len(plan.fit),
        len(plan.validation),
        len(queries),
        100 * sum(plan.unseen) / max(1, len(queries)),
    )
    return plan


def precision_metric(queries: Sequence[Query]) -> "PrecisionMetric":
    """Return the average precision at 25 of labelled queries as a plain callable on rankings."""
    return PrecisionMetric({query.key: query.labels for query in queries})


@dataclass(frozen=True)
class PrecisionMetric:
    """Average precision at 25 of each ranking, by the labels it was made with."""

    labels: dict[str, tuple[int, ...]]

    def __call__(self, rankings: Sequence[Ranking]) -> FloatArray:
        """Return float64, shape (n,)."""
        return average_precisions(rankings, {ranking.key: self.labels[ranking.key] for ranking in rankings})


def data_warnings(
    job: Job, seen_by_model: frozenset[str], scored: Sequence[str], *, chosen_on: frozenset[str] = frozenset()
) -> list[tuple[str, int]]:
    """Return what a reader of the numbers should know, with counts; only what occurs.

    Args:
        job: The job.
        seen_by_model: Fingerprints of the questions that a given model was fitted on.
        scored: Fingerprints of the questions that the numbers are measured on.
        chosen_on: Fingerprints of the questions that chose a given model's epoch.
    """
    found = [
        ("test questions whose text is in the training file too", text_overlap(job.train, job.test)),
        (
            "questions measured on that the given model was fitted on: its numbers are too good",
            int(np.isin(list(scored), list(seen_by_model)).sum()) if seen_by_model else 0,
        ),
        (
            "questions measured on that chose the epoch of a given model: its numbers are a little too good",
            len(chosen_on.intersection(scored)),
        ),
        ("bank entries without a training example", len({m.id for m in job.bank} - seen_labels(job.train))),
    ]
    return [(text, count) for text, count in found if count]
