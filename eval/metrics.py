"""MAP@k and recall@k of rankings.

`labels` maps a query's key to the ids of the misconceptions that explain it. A query without labels cannot be scored:
`true_labels` and `labelled` leave such queries out.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from core.errors import InputError
from core.records import FloatArray, Question, Ranking, queries_of


def true_labels(questions: Sequence[Question]) -> dict[str, tuple[int, ...]]:
    """Return the labels of every labelled query of some questions, by query key, in file order."""
    return {query.key: query.labels for query in queries_of(questions, labelled_only=True)}


def labelled(rankings: Sequence[Ranking], labels: Mapping[str, Collection[int]]) -> list[Ranking]:
    """Return the rankings whose query has a label, in their order."""
    return [ranking for ranking in rankings if labels.get(ranking.key)]


def check_labels(rankings: Sequence[Ranking], labels: Mapping[str, Collection[int]]) -> None:
    """Refuse rankings and labels that do not belong to the same queries.

    Raises:
        InputError: There is nothing to score; a labelled query has no ranking; a ranking's query has no label; or two
            rankings answer one query. Each fault names its query.
    """
    if not rankings and not labels:
        raise InputError("expected at least one ranking of a labelled query to score, got none")
    ranked: set[str] = set()
    faults: list[str] = []
    for ranking in rankings:
        if ranking.key in ranked:
            faults.append(f"query {ranking.key}: expected one ranking, got a second one")
        if not labels.get(ranking.key):
            faults.append(f"query {ranking.key}: has a ranking but no label; leave it out (eval.metrics.labelled)")
        ranked.add(ranking.key)
    faults += [f"query {key}: has a label but no ranking" for key in labels if key not in ranked and labels[key]]
    if faults:
        raise InputError(faults)


def average_precisions(
    rankings: Sequence[Ranking], labels: Mapping[str, Collection[int]], *, k: int = 25
) -> FloatArray:
    """Return the average precision at `k` of every ranking.

    AP@k = sum over ranks r <= k that hold a label of (labels among the first r) / r, divided by min(number of labels,
    k), so that a perfect ranking scores 1. With one label it is 1 / rank. This is the measure of the Eedi competition
    (Mining Misconceptions in Mathematics, 2024), written for several labels as in its evaluation page.

    Args:
        rankings: One ranking per labelled query; one shorter than `k` holds no label below its end.
        labels: The true ids of exactly these queries; not empty.
        k: Depth, at least 1.

    Returns:
        float64, shape (len(rankings),), in [0, 1], in the order of the rankings.

    Raises:
        InputError: Rankings and labels do not match (see `check_labels`).
        ValueError: `k` is below 1.
    """
    hits = _hits(rankings, labels, k=k)
    precisions = np.cumsum(hits, axis=1) / np.arange(1, k + 1)
    values: FloatArray = (precisions * hits).sum(axis=1) / np.minimum(_label_counts(rankings, labels), k)
    return values


def recalls(rankings: Sequence[Ranking], labels: Mapping[str, Collection[int]], *, k: int) -> FloatArray:
    """Return the recall at `k` of every ranking: the share of its query's labels among its first `k` entries.

    Args:
        rankings: One ranking per labelled query.
        labels: The true ids of exactly these queries; not empty.
        k: Depth, at least 1.

    Returns:
        float64, shape (len(rankings),), in [0, 1], in the order of the rankings.

    Raises:
        InputError: Rankings and labels do not match (see `check_labels`).
        ValueError: `k` is below 1.
    """
    values: FloatArray = _hits(rankings, labels, k=k).sum(axis=1) / _label_counts(rankings, labels)
    return values


def map_at(rankings: Sequence[Ranking], labels: Mapping[str, Collection[int]], *, k: int = 25) -> float:
    """Return MAP@k, the mean of `average_precisions`, in [0, 1]; it raises what that raises."""
    return float(average_precisions(rankings, labels, k=k).mean())


def recall_at(rankings: Sequence[Ranking], labels: Mapping[str, Collection[int]], *, k: int) -> float:
    """Return recall@k, the mean of `recalls`, in [0, 1]; it raises what that raises."""
    return float(recalls(rankings, labels, k=k).mean())


def recall_curve(rankings: Sequence[Ranking], labels: Mapping[str, Collection[int]], *, depth: int) -> FloatArray:
    """Return mean recall@N for N = 1 … `depth`: float64, shape (depth,), non-decreasing, in [0, 1].

    Raises:
        InputError: Rankings and labels do not match (see `check_labels`).
        ValueError: `depth` is below 1.
    """
    found = np.cumsum(_hits(rankings, labels, k=depth), axis=1)
    curve: FloatArray = (found / _label_counts(rankings, labels)[:, None]).mean(axis=0)
    return curve


def _hits(rankings: Sequence[Ranking], labels: Mapping[str, Collection[int]], *, k: int) -> FloatArray:
    """Return 1.0 where the entry at that rank is a label, else 0.0; shape (n, k)."""
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    check_labels(rankings, labels)
    hits = np.zeros((len(rankings), k))
    for row, ranking in enumerate(rankings):
        top = ranking.ids[:k]
        hits[row, : len(top)] = np.isin(top, np.fromiter(labels[ranking.key], dtype=np.int64))
    return hits


def _label_counts(rankings: Sequence[Ranking], labels: Mapping[str, Collection[int]]) -> FloatArray:
    return np.array([len(set(labels[ranking.key])) for ranking in rankings], dtype=np.float64)
