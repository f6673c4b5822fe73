"""Which misconceptions are alike: by the cosine of their embeddings and, where known, by what a ranker confuses."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from core.records import IntArray, Query, Ranking

Confusions = Mapping[int, Mapping[int, float]]
"""Misconception id -> ids it is confused with -> share of its queries, above 0 and at most 1."""
_BLOCK = 1024


def confusions_of(
    queries: Sequence[Query], rankings: Sequence[Ranking], *, depth: int = 5
) -> dict[int, dict[int, float]]:
    """Return which misconceptions a ranker takes for which.

    A query's label is confused with the entries that stand above it, or among the first `depth` where it comes later.

    Args:
        queries: Labelled queries.
        rankings: Their rankings, by any stage, in any order; queries without one are left aside.
        depth: Most entries that a query counts.
    """
    by_key = {ranking.key: ranking for ranking in rankings}
    counted: dict[int, dict[int, int]] = {}
    asked: dict[int, int] = {}
    for query in queries:
        ranking = by_key.get(query.key)
        for label in query.labels if ranking is not None else ():
            assert ranking is not None
            asked[label] = asked.get(label, 0) + 1
            rank = ranking.rank_of(label)
            above = ranking.ids[: min(depth, len(ranking) if rank is None else rank - 1)].tolist()
            for other in above:
                if other not in query.labels:
                    counted.setdefault(label, {}).setdefault(other, 0)
                    counted[label][other] += 1
    return {
        label: {other: count / asked[label] for other, count in sorted(others.items())}
        for label, others in sorted(counted.items())
    }


def similar_entries(
    ids: Sequence[int] | IntArray,
    embeddings: npt.NDArray[np.float32],
    *,
    size: int,
    confusions: Confusions | None = None,
    confusion_weight: float = 0.5,
) -> dict[int, tuple[int, ...]]:
    """Return the entries most like each entry, most alike first, ties by rising id.

    Args:
        ids: Distinct ids, shape (n,).
        embeddings: Vectors of length 1, float32, shape (n, d).
        size: Entries wanted of each; fewer where the bank is smaller.
        confusions: See `confusions_of`; an entry confused with another counts as like it, in both directions.
        confusion_weight: Added to the cosine for a share of 1.

    Raises:
        ValueError: The shapes differ, or `size` is negative.
    """
    id_array = np.asarray(ids, dtype=np.int64)
    if embeddings.ndim != 2 or len(id_array) != len(embeddings):
        raise ValueError(f"ids {id_array.shape} and embeddings {embeddings.shape}: expected (n,) and (n, d)")
    if size < 0:
        raise ValueError(f"size is {size}, expected at least 0")
    places = {int(id): place for place, id in enumerate(id_array)}
    added: dict[int, dict[int, float]] = {}
    for one, others in (confusions or {}).items():
        for other, share in others.items():
            if one in places and other in places:
                for here, there in ((one, other), (other, one)):
                    known = added.setdefault(places[here], {})
                    known[places[there]] = max(known.get(places[there], 0.0), share)
    size = min(size, len(id_array) - 1)
    found: dict[int, tuple[int, ...]] = {}
    for first in range(0, len(id_array), _BLOCK):
        scores = embeddings[first : first + _BLOCK] @ embeddings.T  # (block, n)
        for row, line in enumerate(scores):
            place = first + row
            for there, share in added.get(place, {}).items():
                line[there] += confusion_weight * share
            line[place] = -np.inf
            order = np.lexsort((id_array, -line))[: max(0, size)]
            found[int(id_array[place])] = tuple(int(id) for id in id_array[order])
    return found
