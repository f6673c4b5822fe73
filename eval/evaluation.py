"""The numbers of one run: MAP@25 and recall@N with intervals, overall and for seen and unseen labels."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.records import FloatArray, Ranking
from eval.intervals import PairedTest, bootstrap_intervals, paired_randomisation_test
from eval.metrics import average_precisions, check_labels, recalls

MAP_DEPTH = 25
"""The competition's depth."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A mean in [0, 1] and its 95 % bootstrap interval, clustered by question."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        """Return the three numbers, rounded to 6 decimals."""
        return {"value": round(self.value, 6), "low": round(self.low, 6), "high": round(self.high, 6)}


@dataclass(frozen=True, kw_only=True)
class Recall:
    """Recall at depth `k`."""

    k: int
    measure: Measure


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The measures over one set of queries.

    Attributes:
        n: Number of queries, at least 1.
        questions: Number of different questions among them.
        map25: MAP@25.
        recalls: Recall at each depth, shallowest first; only depths that the rankings reach.
    """

    n: int
    questions: int
    map25: Measure
    recalls: tuple[Recall, ...]

    def recall(self, k: int) -> Measure | None:
        """Return recall at depth `k`, or None where it was not measured."""
        return next((recall.measure for recall in self.recalls if recall.k == k), None)

    def to_json(self) -> dict[str, object]:
        """Return plain numbers for metrics.json."""
        return {
            "queries": self.n,
            "questions": self.questions,
            f"map@{MAP_DEPTH}": self.map25.to_json(),
            **{f"recall@{recall.k}": recall.measure.to_json() for recall in self.recalls},
        }


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The measures of one run.

    Attributes:
        overall: Over all labelled queries.
        seen: Over queries with at least one label that occurs in training; None where there is none, or where the
            training labels were not given.
        unseen: Over queries NONE of whose labels occurs in training; None likewise.
    """

    overall: Scores
    seen: Scores | None = None
    unseen: Scores | None = None

    @property
    def n(self) -> int:
        """Number of labelled queries."""
        return self.overall.n

    @property
    def map25(self) -> Measure:
        """MAP@25 over all labelled queries."""
        return self.overall.map25

    @property
    def recalls(self) -> tuple[Recall, ...]:
        """Recall at each depth over all labelled queries."""
        return self.overall.recalls

    def to_json(self) -> dict[str, object]:
        """Return plain numbers for metrics.json: the same bytes for the same rankings, rounded to 6 decimals."""
        return {
            "all": self.overall.to_json(),
            "seen": self.seen.to_json() if self.seen else None,
            "unseen": self.unseen.to_json() if self.unseen else None,
        }


def evaluate(
    rankings: Sequence[Ranking],
    labels: Mapping[str, Collection[int]],
    *,
    seen: Collection[int] | None = None,
    ks: Sequence[int] = (1, 5, 10, 25, 50, 100),
    seed: int = 0,
    resamples: int = 2000,
) -> Evaluation:
    """Score rankings against labels.

    Args:
        rankings: One ranking per labelled query.
        labels: The true ids of exactly these queries.
        seen: The labels that occur in training; None for no such split.
        ks: Depths of recall, at least 1 each; those deeper than the longest ranking are left out.
        seed: Seed of the bootstrap.
        resamples: Bootstrap resamples.

    Raises:
        InputError: Rankings and labels do not match (`eval.metrics.check_labels`).
        ValueError: A range does not hold.
    """
    check_labels(rankings, labels)
    longest = max(len(ranking) for ranking in rankings)
    depths = sorted({k for k in ks if k <= longest})
    columns = [average_precisions(rankings, labels, k=MAP_DEPTH)]
    columns += [recalls(rankings, labels, k=k) for k in depths]
    values = np.stack(columns, axis=1)
    groups = question_ids(rankings)

    def scores(rows: Sequence[int]) -> Scores | None:
        return _scores(values[rows], groups[rows], depths, seed=seed, resamples=resamples) if rows else None

    overall = _scores(values, groups, depths, seed=seed, resamples=resamples)
    if seen is None:
        return Evaluation(overall=overall)
    new = unseen_mask(rankings, labels, seen=seen)
    return Evaluation(
        overall=overall,
        seen=scores([row for row, unseen in enumerate(new) if not unseen]),
        unseen=scores([row for row, unseen in enumerate(new) if unseen]),
    )


def unseen_mask(
    rankings: Sequence[Ranking], labels: Mapping[str, Collection[int]], *, seen: Collection[int]
) -> list[bool]:
    """Return for every ranking whether NONE of its query's labels occurs in training (`seen`)."""
    known = frozenset(seen)
    return [known.isdisjoint(labels[ranking.key]) for ranking in rankings]


def question_ids(rankings: Sequence[Ranking]) -> "np.ndarray[tuple[int], np.dtype[np.str_]]":
    """Return the question id in each ranking's key, as text, shape (n,): the clusters of the intervals."""
    return np.array([ranking.key.rpartition("_")[0] for ranking in rankings], dtype=np.str_)


def compare(
    first: Sequence[Ranking],
    second: Sequence[Ranking],
    labels: Mapping[str, Collection[int]],
    *,
    seed: int = 0,
    permutations: int = 10_000,
) -> PairedTest:
    """Test MAP@25 of two runs over the same labelled queries (order does not matter), paired by query.

    Returns:
        The difference first − second with its interval and p-value (`eval.intervals.paired_randomisation_test`).

    Raises:
        InputError: A labelled query lacks a ranking in one of the runs.
    """
    check_labels(second, labels)
    by_key = {ranking.key: ranking for ranking in second}
    a = average_precisions(first, labels, k=MAP_DEPTH)
    b = average_precisions([by_key[ranking.key] for ranking in first], labels, k=MAP_DEPTH)
    return paired_randomisation_test(a, b, question_ids(first).tolist(), seed=seed, permutations=permutations)


def _scores(
    values: FloatArray,
    groups: "np.ndarray[tuple[int], np.dtype[np.str_]]",
    depths: Sequence[int],
    *,
    seed: int,
    resamples: int,
) -> Scores:
    intervals = bootstrap_intervals(values, groups.tolist(), seed=seed, resamples=resamples)
    measures = [
        Measure(value=float(value), low=float(low), high=float(high))
        for value, (low, high) in zip(values.mean(axis=0), intervals, strict=True)
    ]
    return Scores(
        n=len(values),
        questions=len(set(groups.tolist())),
        map25=measures[0],
        recalls=tuple(Recall(k=k, measure=measure) for k, measure in zip(depths, measures[1:], strict=True)),
    )
