"""What a boosted reranker knows of a candidate: stage 1's score, untrained similarities, and labelled examples.

The columns are those of learning to rank: each is a number of one (query, candidate) pair, with its distance to the
query's best candidate where scores of different queries are not comparable. What is not known (a query without a hint,
a misconception without an example) is NaN, which the trees read as such.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.records import IntArray, Query, Ranking

Embeddings = npt.NDArray[np.float32]
Features = npt.NDArray[np.float32]

STAGE_ONE = ("stage one: score", "stage one: below the best", "stage one: above the next", "stage one: rank")
EXAMPLES = ("examples", "examples of the construct", "examples of the subject")


@dataclass(frozen=True, kw_only=True, eq=False)
class QueryEvidence:
    """Queries as an encoder sees them that was fitted on none of them.

    Attributes:
        queries: n queries.
        groups: For each query the question groups of the remembered queries that it belongs to (see
            `eval.groups.question_groups`), none where it belongs to no group of theirs; a remembered query to its own.
            An example of its own group tells a query what it must not know.
        views: View name -> float32 of shape (n, d), rows of length 1; a row of noughts where the query lacks the view.

    Raises:
        ValueError: The lengths differ.
    """

    queries: Sequence[Query]
    groups: Sequence[frozenset[int]]
    views: Mapping[str, Embeddings]

    def __post_init__(self) -> None:
        lengths = {len(self.queries), len(self.groups), *(len(rows) for rows in self.views.values())}
        if len(lengths) != 1:
            raise ValueError(f"queries, groups and views must be of one length, got {sorted(lengths)}")


@dataclass(frozen=True, kw_only=True, eq=False)
class BankEvidence:
    """The bank as the same encoder sees it.

    Attributes:
        ids: int64, shape (m,): the entries' ids.
        views: View name -> float32 of shape (m, d), rows of length 1.
    """

    ids: IntArray
    views: Mapping[str, Embeddings]


def feature_names(pairs: Sequence[tuple[str, str]], remembered: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns that `ranking_features` makes, in order."""
    similarities = [f"{query} to {bank}" for query, bank in pairs]
    examples = [f"{view} to an example's" for view in remembered]
    with_gap = [name for base in (*similarities, *examples) for name in (base, f"{base}: below the best")]
    return (*STAGE_ONE, *with_gap, *EXAMPLES)


def ranking_features(
    candidates: Sequence[Ranking],
    asked: QueryEvidence,
    memory: QueryEvidence,
    bank: BankEvidence,
    *,
    pairs: Sequence[tuple[str, str]],
    remembered: Sequence[str],
) -> list[Features]:
    """Return the features of every candidate.

    Args:
        candidates: One ranking per asked query, in their order; all ids in the bank.
        asked: n queries.
        memory: Labelled queries: the examples. Those of an asked query's own question group are not looked at.
        bank: The bank.
        pairs: (query view, bank view) whose cosines are features.
        remembered: Query views whose cosine to the nearest example of a candidate is a feature.

    Returns:
        n float32 matrices of shape (candidates, columns); the columns are `feature_names(pairs, remembered)`. Cosines
        lie in -1 to 1, ranks count from 0, and "below the best" is a difference to the query's highest value, at most
        0.

    Raises:
        ValueError: The lengths or keys differ, or a candidate is not in the bank.
    """
    if [ranking.key for ranking in candidates] != [query.key for query in asked.queries]:
        raise ValueError("candidates and asked queries must be the same queries in the same order")
    place = {int(entry): row for row, entry in enumerate(bank.ids)}
    examples = _Examples(memory, place)
    made = []
    for row, ranking in enumerate(candidates):
        unknown = [entry for entry in ranking.ids.tolist() if entry not in place]
        if unknown:
            raise ValueError(f"query {ranking.key}: candidates {unknown[:5]} are not in the bank")
        places = np.array([place[entry] for entry in ranking.ids.tolist()], dtype=np.int64)
        columns = _stage_one(ranking)
        for query_view, bank_view in pairs:
            columns += _with_gap(_cosines(asked.views[query_view][row], bank.views[bank_view][places]))
        columns += examples.columns(asked, row, places, remembered)
        made.append(np.stack(columns, axis=1).astype(np.float32))
    return made


class _Examples:
    """The remembered queries, one row for each label they carry."""

    def __init__(self, memory: QueryEvidence, place: Mapping[int, int]) -> None:
        rows = [
            (row, place[label])
            for row, query in enumerate(memory.queries)
            for label in query.labels
            if label in place  # a label that is no candidate of anyone needs no row
        ]
        self._rows = np.array([row for row, _ in rows], dtype=np.int64)
        self._labels = np.array([label for _, label in rows], dtype=np.int64)
        self._groups = [memory.groups[row] for row, _ in rows]
        self._views = {name: vectors[self._rows] for name, vectors in memory.views.items()}
        questions = [memory.queries[row].question for row, _ in rows]
        self._constructs = np.array([_name(q.construct_id, q.construct) for q in questions], dtype=np.str_)
        self._subjects = np.array([_name(q.subject_id, q.subject) for q in questions], dtype=np.str_)

    def columns(
        self, asked: QueryEvidence, row: int, places: IntArray, remembered: Sequence[str]
    ) -> list[npt.NDArray[np.float64]]:
        question = asked.queries[row].question
        own = asked.groups[row]
        others = np.array([own.isdisjoint(groups) for groups in self._groups], dtype=np.bool_)
        is_of = (self._labels[:, None] == places[None, :]) & others[:, None]
        columns = []
        for view in remembered:
            cosines = _cosines(asked.views[view][row], self._views[view])
            known = is_of & np.isfinite(cosines)[:, None]
            nearest = np.where(known, cosines[:, None], -np.inf).max(axis=0, initial=-np.inf)
            columns += _with_gap(np.where(np.isfinite(nearest), nearest, np.nan))
        construct = _name(question.construct_id, question.construct)
        subject = _name(question.subject_id, question.subject)
        columns.append(is_of.sum(axis=0).astype(np.float64))
        for names, name in ((self._constructs, construct), (self._subjects, subject)):
            same = (names == name) & (name != "")
            columns.append((is_of & same[:, None]).sum(axis=0).astype(np.float64))
        return columns


def _name(number: int | None, name: str | None) -> str:
    return f"#{number}" if number is not None else name or ""


def _stage_one(ranking: Ranking) -> list[npt.NDArray[np.float64]]:
    scores = ranking.scores.astype(np.float64)
    best = scores[0] if len(scores) else 0.0
    following = np.append(scores[1:], scores[-1:])
    return [scores, scores - best, scores - following, np.arange(len(scores), dtype=np.float64)]


def _cosines(query: Embeddings, rows: Embeddings) -> npt.NDArray[np.float64]:
    """Return the cosine of a query to every row; NaN where either has no text."""
    found = (rows @ query).astype(np.float64)
    found[~rows.any(axis=1)] = np.nan
    return found if query.any() else np.full(len(rows), np.nan)


def _with_gap(values: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    known = values[np.isfinite(values)]
    return [values, values - (known.max() if len(known) else np.nan)]
