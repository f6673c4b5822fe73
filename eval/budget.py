"""Where MAP@25 is lost: by the retriever, or by what reorders its candidates."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import InputError
from core.records import Ranking
from eval.metrics import check_labels, map_at, recall_at


@dataclass(frozen=True, kw_only=True)
class LossBudget:
    """How the distance from a perfect MAP@k divides between the two stages; all shares in [0, 1].

    Attributes:
        k: Depth of the measure.
        depth: Number of candidates per query (of the longest list).
        recall: Recall@depth of the candidates.
        cap: MAP@k of a perfect reranker of these candidates: every label among them put first.
        retriever: MAP@k of the candidates in the order in which the retriever left them.
        reached: MAP@k of the final rankings.
    """

    k: int
    depth: int
    recall: float
    cap: float
    retriever: float
    reached: float

    @property
    def lost_by_retriever(self) -> float:
        """What no reordering can win back: 1 - cap."""
        return 1.0 - self.cap

    @property
    def lost_by_reranker(self) -> float:
        """What a better order of the same candidates would win: cap - reached."""
        return self.cap - self.reached

    def to_json(self) -> dict[str, float | int]:
        """Return plain numbers for metrics.json, rounded to 6 decimals."""
        return {
            "k": self.k,
            "candidates": self.depth,
            "recall": round(self.recall, 6),
            "cap": round(self.cap, 6),
            "retriever": round(self.retriever, 6),
            "reached": round(self.reached, 6),
            "lost_by_retriever": round(self.lost_by_retriever, 6),
            "lost_by_reranker": round(self.lost_by_reranker, 6),
        }


def loss_budget(
    candidates: Sequence[Ranking], final: Sequence[Ranking], labels: Mapping[str, Collection[int]], *, k: int = 25
) -> LossBudget:
    """Divide 1 - MAP@k between the retriever and the reranker.

    Args:
        candidates: What the retriever handed on, one ranking per labelled query.
        final: The same queries after reranking, in any order; reordered candidates or a part of them.
        labels: The true ids of exactly these queries.
        k: Depth of MAP, at least 1.

    Raises:
        InputError: Rankings and labels do not match, or a final ranking holds an entry that was no candidate (then the
            candidates put no cap on it).
    """
    check_labels(candidates, labels)
    check_labels(final, labels)
    pools = {ranking.key: ranking.ids for ranking in candidates}
    faults = [
        f"query {ranking.key}: the final ranking holds {strangers[0]}, which is not among its {len(pools[ranking.key])}"
        " candidates; pass the candidates that the reranker was given"
        for ranking in final
        if len(strangers := np.setdiff1d(ranking.ids, pools[ranking.key]))
    ]
    if faults:
        raise InputError(faults)
    depth = max(len(ranking) for ranking in candidates)
    perfect = [
        min(len(set(labels[key]).intersection(ids.tolist())), k) / min(len(set(labels[key])), k)
        for key, ids in pools.items()
    ]
    return LossBudget(
        k=k,
        depth=depth,
        recall=recall_at(candidates, labels, k=max(depth, 1)),
        cap=float(np.mean(perfect)),
        retriever=map_at(candidates, labels, k=k),
        reached=map_at(final, labels, k=k),
    )
