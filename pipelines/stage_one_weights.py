"""How the retrievers of stage 1 are fused, and at which weights: those that an inner split likes best."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from core.fitting import fit_weights, reweighted_mean
from core.fusion import fuse_scores, reciprocal_rank_fusion
from core.records import FloatArray, Query, Question, Ranking
from eval.splits import seen_labels
from pipelines.job import Job
from retrieval.channels import Channels, rescored

QueryMetric = Callable[[Sequence[Ranking]], FloatArray]
"""Rankings of labelled queries -> one value a query, higher is better."""


WORDS: Final = "word overlap"


@dataclass(frozen=True, kw_only=True)
class StageOneWeights:
    """How the retrievers are fused: the dense one has weight 1.

    Attributes:
        threshold: Cosine from which a labelled neighbour votes.
        neighbours: Weight of the neighbours.
        lexical: Weight of word overlap.
        channels: The linear score that is put over that sum: channel -> weight; None where the sum is all.
    """

    threshold: float
    neighbours: float
    lexical: float
    channels: dict[str, float] | None = None

    @property
    def reads_words(self) -> bool:
        """Whether they need the run by word overlap."""
        return self.lexical > 0 or WORDS in (self.channels or {})

    def to_json(self) -> dict[str, Any]:
        """Return the weights for a file."""
        return {name: value for name, value in asdict(self).items() if value is not None}


DENSE_ONLY = StageOneWeights(threshold=0.0, neighbours=0.0, lexical=0.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class StageOneRuns:
    """What each retriever says of the same queries.

    Attributes:
        dense: The trained retriever's rankings.
        neighbours: A run per threshold tried.
        lexical: The run by word overlap.
        channels: What a learned fusion weighs beside them; None where there is none.
    """

    dense: list[Ranking]
    neighbours: dict[float, list[Ranking]]
    lexical: list[Ranking] | None
    channels: Channels | None = None

    @property
    def single(self) -> dict[str, list[Ranking]]:
        """The retrievers whose own scores are channels."""
        return {"retriever": self.dense, **({} if self.lexical is None else {WORDS: self.lexical})}

    def part(self, rows: Sequence[int]) -> "StageOneRuns":
        """Return what they say of some of the queries."""
        return StageOneRuns(
            dense=[self.dense[row] for row in rows],
            neighbours={key: [run[row] for row in rows] for key, run in self.neighbours.items()},
            lexical=None if self.lexical is None else [self.lexical[row] for row in rows],
            channels=None if self.channels is None else self.channels.part(rows),
        )


def fuse(runs: StageOneRuns, weights: StageOneWeights, *, method: str, top: int, window: int = 0) -> list[Ranking]:
    """Fuse the retrievers' runs at given weights: by scores, by reciprocal rank, or by a learned linear score.

    Args:
        runs: What the retrievers said.
        weights: Their weights; a retriever at weight 0 is left out.
        method: `scores`, `reciprocal_rank` or `learned`; the last is by scores, then by the weights' channels.
        top: Entries to keep.
        window: Entries that the channels score, `top` at least.

    Raises:
        ValueError: The weights are for other channels than the runs have.
    """
    if weights.channels is None:
        return summed(runs, weights, method=method, top=top)
    channels = runs.channels
    names = () if channels is None else channels.names(runs.single)
    if channels is None or set(names) != set(weights.channels):
        raise ValueError(f"weights for the channels {sorted(weights.channels)}, but the runs have {sorted(names)}")
    first = summed(runs, weights, method=method, top=max(top, window))
    column = np.array([weights.channels[name] for name in names])
    return rescored(first, channels.features(first, runs.single), column, top=top)


def summed(runs: StageOneRuns, weights: StageOneWeights, *, method: str, top: int) -> list[Ranking]:
    """Return the weighted sum of the runs' scores or reciprocal ranks, see `fuse`; channels are not looked at."""
    parts, shares = [runs.dense], [1.0]
    if weights.neighbours > 0:
        parts.append(runs.neighbours[weights.threshold])
        shares.append(weights.neighbours)
    if weights.lexical > 0 and runs.lexical is not None:
        parts.append(runs.lexical)
        shares.append(weights.lexical)
    if len(parts) == 1:
        return [ranking.top(top) for ranking in runs.dense]
    if method == "reciprocal_rank":
        # Among entries without a voter the order is that of their ids and means nothing: ranks would read it.
        parts = [runs.dense, *([_voted(ranking) for ranking in part] for part in parts[1:])]
        return reciprocal_rank_fusion(parts, weights=shares, top=top)
    return fuse_scores(parts, weights=shares, top=top)


def _voted(ranking: Ranking) -> Ranking:
    return ranking.top(int((ranking.scores > 0).sum()))


def fit_stage_one(
    job: Job, runs: StageOneRuns, rows: Sequence[int], unseen: Sequence[bool], metric: QueryMetric
) -> StageOneWeights:
    """Fit the fusion weights on some rows of an inner split that no model was fitted on.

    Args:
        job: The job; its config holds the grids and the share of unseen labels to fit for.
        runs: What the retrievers said of the split's queries.
        rows: Which of its queries to fit on.
        unseen: For every query of the split, whether none of its labels occurs in training.
        metric: The value of each query's ranking.
    """
    settings = job.settings
    part = runs.part(rows)
    mask = [unseen[row] for row in rows]
    share = expected_share(job, mask)

    def score(point: tuple[float, ...]) -> float:
        weights = StageOneWeights(threshold=point[0], neighbours=point[1], lexical=point[2])
        return reweighted_mean(metric(summed(part, weights, method=settings.fusion.method, top=25)), mask, share)

    neighbours = settings.neighbours
    grids = [
        neighbours.thresholds if runs.neighbours else (0.0,),
        neighbours.weights if runs.neighbours else (0.0,),
        settings.lexical.weights,
    ]
    start = [grid[len(grid) // 2] for grid in grids]
    fitted = fit_weights(grids, score, start=start)
    values = fitted.values
    # The search starts within the grids and stays where nothing is better: a retriever without a gain is left out.
    for place in (1, 2):
        without = (*values[:place], 0.0, *values[place + 1 :])
        if 0.0 in grids[place] and score(without) >= score(values):
            values = without
    threshold, neighbour_weight, lexical_weight = values
    return StageOneWeights(threshold=threshold, neighbours=neighbour_weight, lexical=lexical_weight)


def expected_share(job: Job, mask: Sequence[bool]) -> float:
    """Return the share of unseen labels to fit for: the config's, or the rows' own where it states none.

    Where the rows hold only one kind, that kind's share is all there is to fit for.
    """
    own = sum(mask) / len(mask) if mask else 0.0
    asked = job.settings.fusion.unseen_share
    return own if asked is None or own in (0.0, 1.0) else asked


def unseen_rows(queries: Sequence[Query], train: Sequence[Question]) -> list[bool]:
    """Return for every query whether none of its labels has an example in `train`."""
    seen = seen_labels(train)
    return [seen.isdisjoint(query.labels) for query in queries]
