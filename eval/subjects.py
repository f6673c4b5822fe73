"""MAP@25 by subject."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.records import Query, Ranking
from eval.evaluation import MAP_DEPTH, Measure, question_ids
from eval.intervals import bootstrap_interval
from eval.metrics import average_precisions


@dataclass(frozen=True, kw_only=True)
class SubjectScore:
    """MAP@25 over the `n` labelled queries of one subject (None: queries without a subject)."""

    subject: str | None
    n: int
    map25: Measure


def map_by_subject(
    queries: Sequence[Query],
    rankings: Sequence[Ranking],
    labels: Mapping[str, Collection[int]],
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> tuple[SubjectScore, ...]:
    """Return MAP@25 of each subject, those with most queries first, then by name.

    Args:
        queries: At least the queries of the rankings; they tell the subject.
        rankings: One per labelled query.
        labels: The true ids of exactly these queries.
        seed: Seed of the bootstrap.
        resamples: Bootstrap resamples.

    Raises:
        InputError: Rankings and labels do not match (`eval.metrics.check_labels`).
        KeyError: A ranking's query is not among the queries.
    """
    values = average_precisions(rankings, labels, k=MAP_DEPTH)
    groups = question_ids(rankings)
    subject_of = {query.key: query.question.subject for query in queries}
    rows: dict[str | None, list[int]] = {}
    for row, ranking in enumerate(rankings):
        rows.setdefault(subject_of[ranking.key], []).append(row)
    scores = []
    for subject, places in rows.items():
        low, high = bootstrap_interval(values[places], groups[places].tolist(), seed=seed, resamples=resamples)
        measure = Measure(value=float(np.mean(values[places])), low=low, high=high)
        scores.append(SubjectScore(subject=subject, n=len(places), map25=measure))
    return tuple(sorted(scores, key=lambda score: (-score.n, score.subject or "")))
