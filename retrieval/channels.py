"""What stage 1 knows of a candidate beside its fused score: each retriever's, similarities in several views, examples.

A channel is one number for a (query, candidate) pair. All are dot products of stored vectors, word overlap, or counts:
a learned fusion (`core.linear_fusion`) weighs them.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from core.records import FloatArray, IntArray, Ranking
from retrieval.encoder import Embeddings
from retrieval.neighbours import neighbour_scores

_BLOCK = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class Voters:
    """Labelled training queries.

    Attributes:
        groups: int64, shape (t,): question groups.
        labels: t collections of misconception ids.
        views: View name -> float32, shape (t, d), rows of length 1 (or 0: the query lacks the view).
    """

    groups: IntArray
    labels: Sequence[Collection[int]]
    views: Mapping[str, Embeddings]


@dataclass(frozen=True, kw_only=True, eq=False)
class Channels:
    """The channels of n queries.

    Attributes:
        groups: int64, shape (n,): question groups, on the voters' numbering. A query's own group never votes.
        views: View name -> float32, shape (n, d), rows of length 1 (or 0: the query lacks the view).
        voters: Labelled training queries, with the same views.
        bank_ids: int64, shape (m,), distinct.
        bank: View name -> float32, shape (m, d): the entries as the view's encoder sees them. A view that is not here
            is compared with examples alone.

    Raises:
        ValueError: The voters have other views, the bank has one more, or lengths differ.
    """

    groups: IntArray
    views: Mapping[str, Embeddings]
    voters: Voters
    bank_ids: IntArray
    bank: Mapping[str, Embeddings]

    def __post_init__(self) -> None:
        if set(self.views) != set(self.voters.views) or not set(self.bank) <= set(self.views):
            raise ValueError(
                f"queries have the views {sorted(self.views)}, voters {sorted(self.voters.views)}, the bank "
                f"{sorted(self.bank)}"
            )
        asked = {len(self.groups), *(len(rows) for rows in self.views.values())}
        known = {len(self.bank_ids), *(len(rows) for rows in self.bank.values())}
        if len(asked) != 1 or len(known) != 1:
            raise ValueError(f"queries of lengths {sorted(asked)}, entries of lengths {sorted(known)}")

    def names(self, runs: Iterable[str]) -> tuple[str, ...]:
        """Return what the columns of `features` are, for runs of these names."""
        entries = [f"{view} to entry" for view in self.bank]
        examples = [f"{view} to nearest example" for view in self.views]
        return ("fused", *runs, *entries, *examples, "no example", "log examples")

    def part(self, rows: Sequence[int]) -> "Channels":
        """Return the channels of some of the queries."""
        chosen = list(rows)
        views = {name: vectors[chosen] for name, vectors in self.views.items()}
        return replace(self, groups=self.groups[chosen], views=views)

    def features(self, fused: Sequence[Ranking], runs: Mapping[str, Sequence[Ranking]]) -> list[FloatArray]:
        """Return the channels of every candidate.

        Args:
            fused: n rankings: the candidates, with the score that they have so far.
            runs: Retriever -> n rankings, whose scores are columns; a candidate that one does not hold gets its lowest.

        Returns:
            n float64 matrices, shape (candidates, columns), the columns as in `names`. Similarities to entries are
            cosines; those to the nearest example are cosine + 1, and 0 where a candidate has no example of another
            question, of which `no example` is the indicator; `log examples` is log(1 + their number).

        Raises:
            ValueError: There are not n rankings, or a candidate is not in the bank.
        """
        lengths = [len(fused), *(len(run) for run in runs.values())]
        if set(lengths) != {len(self.groups)}:
            raise ValueError(f"rankings of lengths {lengths} for {len(self.groups)} queries")
        made: list[FloatArray] = []
        for start in range(0, len(fused), _BLOCK):
            rows = range(start, min(start + _BLOCK, len(fused)))
            nearest = {view: self._nearest(view, slice(rows.start, rows.stop)) for view in self.views}
            for row in rows:
                own = {view: scores[row - start] for view, scores in nearest.items()}
                made.append(self._of(row, fused[row], [run[row] for run in runs.values()], own))
        return made

    def _nearest(self, view: str, rows: slice) -> Embeddings:
        """Return float32, shape (rows, labels + 1): the last column, of entries that nobody shows, is 0."""
        voters = self.voters
        scores = neighbour_scores(
            self.views[view][rows],
            self.groups[rows],
            voters.views[view],
            voters.groups,
            voters.labels,
            self._shown,
            threshold=-1.0,
        )
        return np.pad(scores, ((0, 0), (0, 1)))

    def _of(self, row: int, fused: Ranking, runs: Sequence[Ranking], nearest: Mapping[str, Embeddings]) -> FloatArray:
        places = self._places(fused)
        columns: list[npt.NDArray[np.floating]] = [fused.scores, *(_scores_of(fused.ids, run) for run in runs)]
        columns += [entries[places] @ self.views[view][row] for view, entries in self.bank.items()]
        shown = self._column[places]
        columns += [nearest[view][shown] for view in self.views]
        examples = self._examples(int(self.groups[row]))[shown]
        columns += [examples == 0, np.log1p(examples)]
        return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)

    def _places(self, ranking: Ranking) -> IntArray:
        order = self._by_id
        places: IntArray = order[
            np.minimum(np.searchsorted(self.bank_ids, ranking.ids, sorter=order), len(self.bank_ids) - 1)
        ]
        strange = ranking.ids[self.bank_ids[places] != ranking.ids]
        if len(strange):
            raise ValueError(f"query {ranking.key}: candidate {strange[0]} is not in the bank")
        return places

    @cached_property
    def _by_id(self) -> IntArray:
        return np.argsort(self.bank_ids, kind="stable")

    def _examples(self, group: int) -> npt.NDArray[np.float64]:
        """Return how many voters of other groups each column of `_nearest` has."""
        counts = self._counts.copy()
        for label, number in self._of_group.get(group, {}).items():
            counts[self._column_of[label]] -= number
        return counts

    # Labels are few where the bank is large: what stands for every query holds the entries that a voter shows alone.
    @cached_property
    def _shown(self) -> IntArray:
        """The ids of the entries that a voter shows, in the bank's order."""
        labels = {label for found in self.voters.labels for label in found}
        return self.bank_ids[np.isin(self.bank_ids, list(labels))]

    @cached_property
    def _column(self) -> IntArray:
        """Each entry's column in `_nearest`, shape (m,)."""
        is_shown = np.isin(self.bank_ids, self._shown)
        return np.where(is_shown, np.cumsum(is_shown) - 1, len(self._shown))

    @cached_property
    def _column_of(self) -> dict[int, int]:
        return {entry: column for column, entry in enumerate(self._shown.tolist())}

    @cached_property
    def _of_group(self) -> Mapping[int, Counter[int]]:
        found: dict[int, Counter[int]] = defaultdict(Counter)
        for group, labels in zip(self.voters.groups.tolist(), self.voters.labels, strict=True):
            found[group].update(set(labels))
        return found

    @cached_property
    def _counts(self) -> npt.NDArray[np.float64]:
        counts = np.zeros(len(self._shown) + 1)
        for of_group in self._of_group.values():
            for label, number in of_group.items():
                counts[self._column_of[label]] += number
        return counts


def _scores_of(ids: IntArray, run: Ranking) -> FloatArray:
    known = dict(zip(run.ids.tolist(), run.scores.tolist(), strict=True))
    lowest = float(run.scores[-1]) if len(run) else 0.0
    return np.array([known.get(entry, lowest) for entry in ids.tolist()], dtype=np.float64)


def rescored(
    fused: Sequence[Ranking], features: Sequence[FloatArray], weights: FloatArray, *, top: int
) -> list[Ranking]:
    """Return the candidates in the order of their weighted channels.

    Args:
        fused: n rankings.
        features: Their channels, as `Channels.features` gives them.
        weights: Shape (columns,).
        top: Candidates to keep.
    """
    return [
        Ranking.from_scores(ranking.key, ranking.ids, matrix @ weights, top=top)
        for ranking, matrix in zip(fused, features, strict=True)
    ]
