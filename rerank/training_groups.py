"""Candidate groups for training a reranker: the truth and what an out-of-fold retriever takes for it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import InputError
from core.fusion import stage_one_log_scores
from core.records import Query, Ranking
from core.stage_one_fusion import StageOneForm

logger = logging.getLogger(__name__)

_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class FoldProvenance:
    """Which rankings a retriever made, and what it had been fitted on.

    Attributes:
        model: Name of the retriever, for messages.
        ranked: Keys of the rankings it made.
        fitted_on: The question groups it was fitted on; empty for a zero-shot retriever.
    """

    model: str
    ranked: frozenset[str]
    fitted_on: frozenset[int]


@dataclass(frozen=True, kw_only=True)
class CandidateGroup:
    """One label of one query among wrong candidates: one row of a listwise loss.

    Attributes:
        query_index: Place of the query in the list the groups were made from.
        ids: The candidates, distinct; the truth and then the wrong ones in stage-1 order.
        label_index: Place of the truth in `ids`.
        stage_one: The stage-1 log-score of each candidate, as long as `ids`.
        weight: What its loss is multiplied by; made rows may count less than real ones.
    """

    query_index: int
    ids: tuple[int, ...]
    label_index: int
    stage_one: tuple[float, ...]
    weight: float = 1.0


def check_out_of_fold(
    queries: Sequence[Query], provenance: Sequence[FoldProvenance], *, groups: Sequence[int] | None = None
) -> None:
    """Check that no ranking was made by a retriever that had been fitted on the same question.

    A retriever has its own training questions by heart: candidates from it are too easy, and the reranker learns to
    trust an order that will not be there.

    Args:
        queries: The queries to train on.
        provenance: Who made their rankings.
        groups: The question group of each query (repeated questions share one); the question's id where None.

    Raises:
        InputError: A ranking's maker is not stated, or stated twice, or was fitted on the query's group.
        ValueError: `groups` has another length.
    """
    own = [query.question.id for query in queries] if groups is None else list(groups)
    if len(own) != len(queries):
        raise ValueError(f"expected a group for each of {len(queries)} queries; got {len(own)}")
    makers: dict[str, list[FoldProvenance]] = {}
    for entry in provenance:
        for key in entry.ranked:
            makers.setdefault(key, []).append(entry)
    faults = []
    for query, group in zip(queries, own, strict=True):
        made = makers.get(query.key, [])
        if len(made) != 1:
            faults.append(f"{query.key}: expected one retriever as the maker of its candidates; {len(made)} are stated")
        elif group in made[0].fitted_on:
            faults.append(
                f"{query.key}: its candidates come from {made[0].model}, which was fitted on question group {group}; "
                "use a retriever of another fold"
            )
    if faults:
        more = [f"… and {len(faults) - _SHOWN} more like these"] if len(faults) > _SHOWN else []
        raise InputError(faults[:_SHOWN] + more)


def training_groups(
    queries: Sequence[Query],
    candidates: Sequence[Ranking],
    *,
    group_size: int,
    seed: int,
    epoch: int = 0,
    window: int = 25,
    form: StageOneForm = "rank",
    temperature: float = 1.0,
    provenance: Sequence[FoldProvenance] | None = None,
    groups: Sequence[int] | None = None,
    weights: Sequence[float] | None = None,
) -> list[CandidateGroup]:
    """Draw one group per label of each query: the truth, always, and wrong candidates from the top of the ranking.

    A query's other labels are never drawn as wrong. Queries without a label are left out and counted in the log. The
    draw of a query depends on seed, epoch and its place alone.

    Args:
        queries: The queries.
        candidates: Their stage-1 rankings, out of fold, in the same order.
        group_size: Candidates a group, at least 2; fewer where the ranking has no more.
        seed: Of the draw.
        epoch: Gives each epoch a fresh draw.
        window: How far down the ranking wrong candidates are drawn from, evenly; at least `group_size`.
        form: How stage-1 log-scores are made, see `core.fusion.stage_one_log_scores`.
        temperature: Likewise.
        provenance: Who made the rankings; checked by `check_out_of_fold` where given.
        groups: The question group of each query, for that check.
        weights: The weight of each query's groups, above 0; 1 where None.

    Returns:
        The groups, in the order of queries and labels. A truth that the ranking does not hold has the log-score of the
        rank after the last (`rank`), or of the last (`score`).

    Raises:
        InputError: A ranking was made by a model fitted on its question, or no query has a label.
        ValueError: Keys differ, or a size is out of range.
    """
    if group_size < 2 or window < group_size:
        raise ValueError(f"expected 2 <= group_size <= window; got group_size {group_size}, window {window}")
    if len(queries) != len(candidates):
        raise ValueError(f"expected one ranking per query; got {len(candidates)} for {len(queries)}")
    if weights is not None and (len(weights) != len(queries) or not all(weight > 0 for weight in weights)):
        raise ValueError(f"expected a weight above 0 for each of {len(queries)} queries; got {len(weights)}")
    if provenance is not None:
        check_out_of_fold(queries, provenance, groups=groups)
    made = []
    for index, (query, ranking) in enumerate(zip(queries, candidates, strict=True)):
        if query.key != ranking.key:
            raise ValueError(f"candidates {index} are for {ranking.key}, but the query is {query.key}: keep one order")
        rng = np.random.default_rng([seed, epoch, index])
        logs = stage_one_log_scores(ranking, form=form, temperature=temperature).tolist()
        by_id = dict(zip(ranking.ids.tolist(), logs, strict=True))
        absent = -float(np.log(len(ranking) + 1)) if form == "rank" else min(logs, default=0.0)
        wrong = [id for id in ranking.ids[:window].tolist() if id not in query.labels]
        for label in query.labels:
            drawn = np.sort(rng.choice(len(wrong), size=min(group_size - 1, len(wrong)), replace=False))
            ids = (label, *(wrong[place] for place in drawn))
            stage_one = tuple(by_id.get(id, absent) for id in ids)
            weight = 1.0 if weights is None else weights[index]
            made.append(CandidateGroup(query_index=index, ids=ids, label_index=0, stage_one=stage_one, weight=weight))
    if not made:
        raise InputError(f"none of the {len(queries)} queries has a label: there is nothing to train a reranker on")
    unlabelled = sum(not query.labels for query in queries)
    if unlabelled:
        logger.info("%d of %d queries have no label and are left out of training", unlabelled, len(queries))
    return made
