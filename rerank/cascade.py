"""Several rerankers in a row, each over its own stretch of ranks.

The second team of the Eedi competition put a 14B model over ranks 8 to 17 and a 72B one over ranks 1 to 10 of what it
left behind.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from core.fusion import fuse_with_stage_one
from core.records import Misconception, Query, Ranking
from rerank.pairs import check_candidates
from rerank.reranker import Deadline, DeadlineReranker, Reranker


@dataclass(frozen=True, kw_only=True)
class CascadeStage:
    """One reranker and the ranks it may reorder.

    Attributes:
        first: First rank, from 1.
        last: Last rank, included.
        reranker: Scores the candidates that stand at these ranks when its turn comes.
        weight: Its share in the fusion with the order it was given, 0 to 1; 1 is its own order.
        name: For messages.
    """

    first: int
    last: int
    reranker: Reranker
    weight: float = 1.0
    name: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last:
            raise ValueError(f"stage {self.name!r}: ranks {self.first} to {self.last}; expected 1 <= first <= last")
        if not 0.0 <= self.weight <= 1.0:
            raise ValueError(f"stage {self.name!r}: weight must lie between 0 and 1; got {self.weight}")


@dataclass(frozen=True, kw_only=True)
class CascadeRun:
    """What one call of `rerank` did.

    Attributes:
        unreached: Keys of the queries that no stage reached: their rankings came back empty.
        partial: Keys of the queries that some stage reached and a later one did not.
        stage_unreached: Per stage, the keys of the queries that it did not reach.
        stage_seconds: Wall time of each stage.
    """

    unreached: tuple[str, ...]
    partial: tuple[str, ...]
    stage_unreached: tuple[tuple[str, ...], ...]
    stage_seconds: tuple[float, ...]


class CascadeReranker:
    """Runs stages one after another over all queries, so that each engine is busy with its own work alone.

    Attributes:
        stages: The stages, in the order they run.
        last_run: What the last `rerank` did; None before it.

    Args:
        stages: See above; at least one.

    Raises:
        ValueError: There is no stage.
    """

    def __init__(self, stages: Sequence[CascadeStage]) -> None:
        if not stages:
            raise ValueError("a cascade needs at least one stage")
        self.stages = tuple(stages)
        self.last_run: CascadeRun | None = None

    @property
    def unreached(self) -> tuple[str, ...]:
        """Keys of the queries that no stage of the last `rerank` reached."""
        return self.last_run.unreached if self.last_run else ()

    def rerank(
        self,
        queries: Sequence[Query],
        candidates: Sequence[Ranking],
        bank: Sequence[Misconception],
        *,
        deadline: Deadline | None = None,
    ) -> list[Ranking]:
        """Let every stage reorder its stretch; see `rerank.reranker.DeadlineReranker`.

        Args:
            queries: See `Reranker.rerank`.
            candidates: See `Reranker.rerank`.
            bank: See `Reranker.rerank`.
            deadline: Handed on to stages that can stop early; the others are not begun after it.

        Returns:
            Rankings with exactly the ids that were given. Scores are log-scores: a stage's own inside its stretch, and
            outside it those that were there, moved so that no order changes but the stretch's.

        Raises:
            ValueError: Keys differ, or a candidate is not in the bank.
        """
        check_candidates(queries, candidates, bank)
        current = list(candidates)
        missed, seconds = [], []
        for stage in self.stages:
            cut = [_stretch(ranking, stage) for ranking in current]
            began = time.perf_counter()
            reranked = _run_stage(stage, queries, cut, bank, deadline)
            seconds.append(time.perf_counter() - began)
            missed.append(
                tuple(given.key for given, made in zip(cut, reranked, strict=True) if len(given) and not len(made))
            )
            current = fuse_with_stage_one(current, reranked, weight=stage.weight, form="score")
        self.last_run = _summary(self.stages, candidates, missed, seconds)
        left_out = set(self.last_run.unreached)
        return [Ranking.from_scores(r.key, [], []) if r.key in left_out else r for r in current]


def _stretch(ranking: Ranking, stage: CascadeStage) -> Ranking:
    """Return the entries at a stage's ranks; fewer or none where the ranking is short."""
    places = slice(stage.first - 1, stage.last)
    return Ranking(key=ranking.key, ids=ranking.ids[places], scores=ranking.scores[places])


def _run_stage(
    stage: CascadeStage,
    queries: Sequence[Query],
    cut: Sequence[Ranking],
    bank: Sequence[Misconception],
    deadline: Deadline | None,
) -> list[Ranking]:
    """Rerank one stretch of every query; empty rankings where the deadline came first."""
    if isinstance(stage.reranker, DeadlineReranker):
        return stage.reranker.rerank(queries, cut, bank, deadline=deadline)
    if deadline is not None and deadline():
        return [Ranking.from_scores(ranking.key, [], []) for ranking in cut]
    return stage.reranker.rerank(queries, cut, bank)


def _summary(
    stages: Sequence[CascadeStage],
    candidates: Sequence[Ranking],
    missed: Sequence[tuple[str, ...]],
    seconds: Sequence[float],
) -> CascadeRun:
    """Return which queries were reached by no stage, and which by some but not by all that had work for them."""
    sets = [set(keys) for keys in missed]
    unreached, partial = [], []
    for ranking in candidates:
        wanted = [place for place, stage in enumerate(stages) if len(ranking) >= stage.first]
        lacking = [place for place in wanted if ranking.key in sets[place]]
        if lacking and len(lacking) == len(wanted):
            unreached.append(ranking.key)
        elif lacking:
            partial.append(ranking.key)
    return CascadeRun(
        unreached=tuple(unreached),
        partial=tuple(partial),
        stage_unreached=tuple(missed),
        stage_seconds=tuple(seconds),
    )
