"""A reranker's own scores of stage 1's candidates, every list an artifact: rankings, order scores, what they cost."""

import json
import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from core.artifacts import content_hash, differing_keys, write_json, write_manifest
from core.order_scores import OrderScores
from core.order_scores_table import read_order_scores, write_order_scores
from core.records import Query, Question, Ranking
from pipelines.boosted_evidence import evidence_hash
from pipelines.describe_stage import described_candidates
from pipelines.engine_pool import EnginePool
from pipelines.open_reranker import looks_at_examples, open_reranker, parts_of, reranker_made_from
from pipelines.pace import Part, TimeShares
from pipelines.planned_parts import opening_ahead
from pipelines.reranker_settings import RerankerSettings
from pipelines.scoring import Scored, ScoringFacts, most_gpus, score_queries
from pipelines.stage_one_run import StageOneRun
from pipelines.stages import StageRecord
from pipelines.time_limit import TimeLimit
from rerank.adaptive import AdaptivePolicy
from rerank.in_batches import InBatches
from rerank.reranker import DeadlineReranker, Reranker

logger = logging.getLogger(__name__)

VALIDATION = "validation_reranked"
TEST = "reranked"
TEACHER = "teacher_reranked"

_PARTS: dict[str, Part] = {VALIDATION: "held-out", TEST: "test", TEACHER: "test"}


class _UnfinishedError(Exception):
    """The time limit came before all queries were reranked: what there is is used, and not kept as an artifact."""

    def __init__(self, scored: Scored) -> None:
        super().__init__("not all queries were reranked in time")
        self.scored = scored


class RerankScores:
    """Makes and keeps one reranker's scores.

    Attributes:
        stage_one: Makes the candidates.
        spec: What the reranker is called.
        chosen: Its settings.
        pool: Holds the engines.
        unfinished: What the time limit cut short, by list.
        time: The run's time limit, shared out.
        undescribed: How many queries' descriptions it left out, by list.

    Args:
        stage_one: See above.
        spec: See above.
        chosen: See above.
        pool: See above.
        limit: The run's time limit.
        test_queries: How many test queries follow the held-out ones: the time left is shared out by that.
    """

    def __init__(
        self,
        stage_one: StageOneRun,
        spec: str,
        chosen: RerankerSettings,
        *,
        pool: EnginePool,
        limit: TimeLimit,
        test_queries: int,
    ) -> None:
        self.stage_one = stage_one
        self.spec = spec
        self.chosen = chosen
        self.pool = pool
        self.unfinished: dict[str, Scored] = {}
        self._told: set[str] = set()
        self._has_examples = looks_at_examples(chosen, stage_one.job.settings)
        self._job = stage_one.job
        self._stages = stage_one.stages
        self.undescribed: dict[str, int] = {}
        self.time = TimeShares(
            limit,
            lambda: len(stage_one.plan.queries),
            test_queries,
            opening=lambda: self.pool.opening_seconds,
            ahead=lambda: opening_ahead(stage_one.job, self.chosen, self.pool),
        )
        self._described: dict[str, list[Ranking]] = {}
        # Artifacts of one reranker stay when another is tried: its SPEC is part of their names.
        self.name = "".join(c if c.isalnum() else "-" for c in spec.rpartition("/")[2])[-40:]
        self.name += "-" + content_hash(spec)[:8]

    @cached_property
    def reranker(self) -> Reranker:
        """The reranker, opened now; a listwise one asks all orders."""
        return self._opened(VALIDATION)

    def _opened(self, name: str, adaptive: AdaptivePolicy | None = None) -> Reranker:
        folder, memory = self._stages.folder, self._memory(name) if self._has_examples else ()
        return open_reranker(self._job, self.chosen, pool=self.pool, scores=folder, adaptive=adaptive, memory=memory)

    def _memory(self, name: str) -> tuple[Question, ...]:
        """Return the labelled questions that a reranker may look at: for test queries the held-out ones too."""
        return self.stage_one.questions if name == TEST else self.stage_one.plan.fit

    def test_candidates(self, queries: Sequence[Query]) -> list[Ranking]:
        """Return test queries' candidates; with `describe`, with what the second search found among them."""
        found = self.stage_one.candidates(queries)
        if not self.chosen.describe:
            return found
        return self._second_search(TEST, queries, found)

    def validation_candidates(self) -> list[Ranking]:
        """Return the held-out queries' candidates; see `test_candidates`."""
        found = self.stage_one.validation_candidates()
        if not self.chosen.describe:
            return found
        return self._second_search(VALIDATION, self.stage_one.plan.queries, found)

    def _second_search(self, name: str, queries: Sequence[Query], found: Sequence[Ranking]) -> list[Ranking]:
        """Search again with descriptions, once in a run: what the time limit leaves out stays left out."""
        key = content_hash([name, *(query.key for query in queries)])
        if key not in self._described:
            made = described_candidates(
                self.stage_one,
                self.chosen,
                self.pool,
                queries,
                found,
                name=f"{'test' if name == TEST else 'validation'}-{self.name}",
                held_out=name == VALIDATION,
                deadline=self.time.pace(_PARTS[name], describing=True),
            )
            self._described[key] = made.rankings
            if made.unreached:
                self.undescribed[name] = len(made.unreached)
        return self._described[key]

    def reranked(
        self,
        name: str,
        queries: Sequence[Query],
        candidates: Sequence[Ranking],
        *,
        adaptive: AdaptivePolicy | None = None,
    ) -> list[Ranking]:
        """Return the reranker's own rankings of the first `candidates` of each query.

        Empty ones where the time limit came first: those results are not kept, but the scores of finished queries are.

        Args:
            name: `VALIDATION`, `TEST` or `TEACHER`.
            queries: The queries.
            candidates: Theirs.
            adaptive: Leaves further orders out.
        """
        cut = self.cut(candidates)
        if self.chosen.kind == "identity":
            return cut
        if name in self.unfinished:
            return self.unfinished[name].rankings
        made_from = self._scores_from(name, queries, candidates, adaptive)
        artifact = self._artifact(name)
        try:
            found = self._stages.rankings(
                f"{artifact}.parquet", made_from, lambda: self._score(name, queries, cut, made_from, adaptive)
            )
            self._tell_cut(name)
            return found
        except _UnfinishedError as stopped:
            self.unfinished[name] = stopped.scored
            seconds = stopped.scored.facts.seconds or 0.0
            self._stages.records.append(StageRecord(name=f"{artifact} (stopped)", reused=False, seconds=seconds))
            return stopped.scored.rankings

    def orders(
        self,
        name: str,
        queries: Sequence[Query],
        candidates: Sequence[Ranking],
        *,
        adaptive: AdaptivePolicy | None = None,
    ) -> list[OrderScores] | None:
        """Return the scores by slot behind `reranked`; None for other rerankers than listwise ones."""
        self.reranked(name, queries, candidates, adaptive=adaptive)
        if name in self.unfinished:
            return self.unfinished[name].orders
        path = self.orders_path(name)
        if self.chosen.kind != "listwise":
            return None
        expected = _orders_from(self._scores_from(name, queries, candidates, adaptive))
        if differing_keys(path, expected) != ():
            logger.warning("warning: %s is missing: remove %s.parquet to score again", path, self._artifact(name))
            return None
        return read_order_scores(path)

    def orders_path(self, name: str) -> Path:
        """Return where the scores by slot lie."""
        return self._stages.folder / f"order_scores-{self._artifact(name)}.parquet"

    def facts(self, name: str = VALIDATION) -> ScoringFacts | None:
        """Return what scoring took, in this run or in the one whose scores are reused; None where there was none."""
        if name in self.unfinished:
            return self.unfinished[name].facts
        path = self._facts_path(name)
        if self.chosen.kind == "identity" or not path.is_file():
            return None
        return ScoringFacts(**json.loads(path.read_text(encoding="utf-8")))

    def all_facts(self) -> dict[str, ScoringFacts]:
        """Return the facts of every list that was scored, by name."""
        known = {name: self.facts(name) for name in (VALIDATION, TEST)}
        return {name: facts for name, facts in known.items() if facts is not None}

    def made_from(self, queries: Sequence[Query], candidates: Sequence[Ranking]) -> dict[str, Any]:
        """Return everything that the scores of some candidates depend on, for manifests."""
        return {
            **reranker_made_from(self._job, self.chosen),
            "candidates": content_hash([[r.key, *r.ids.tolist()] for r in self.cut(candidates)]),
            "scores": content_hash([r.scores.tolist() for r in candidates]),
            "queries": self.stage_one.queries_hash(queries),
            "bank_hash": self._job.bank_hash,
            "device": self._job.settings.retriever.device,
        }

    def _score(
        self,
        name: str,
        queries: Sequence[Query],
        cut: Sequence[Ranking],
        made_from: Mapping[str, Any],
        adaptive: AdaptivePolicy | None,
    ) -> list[Ranking]:
        self.stage_one.encoders.close()  # a language model of some size fills the GPU
        reranker = self._opened(name, adaptive) if adaptive is not None or self._has_examples else self.reranker
        if self.time.limit.is_set and not isinstance(reranker, DeadlineReranker):
            reranker = InBatches(reranker, queries=self.chosen.batch_queries)
        scored = score_queries(
            reranker,
            queries,
            cut,
            self._job.bank,
            deadline=self.time.pace(_PARTS[name]),
            gpus=most_gpus(parts_of(self.chosen, self._job.settings), self._job.settings),
        )
        if scored.unreached:
            raise _UnfinishedError(scored)
        if scored.orders is not None:
            path = self.orders_path(name)
            write_order_scores(path, scored.orders)
            write_manifest(path, _orders_from(made_from))
        write_json(self._facts_path(name), scored.facts.to_json())
        self._told.add(name)
        return scored.rankings

    def is_made(
        self, name: str, queries: Sequence[Query], candidates: Sequence[Ranking], adaptive: AdaptivePolicy | None
    ) -> bool:
        """Return whether a list's scores are there already, from an earlier run."""
        path = self._stages.folder / f"{self._artifact(name)}.parquet"
        return differing_keys(path, self._scores_from(name, queries, candidates, adaptive)) == ()

    def _tell_cut(self, name: str) -> None:
        """Say once what reused scores leave out; the reranker says it of new ones."""
        facts = None if name in self._told else self.facts(name)
        self._told.add(name)
        if facts is not None:
            facts.tell_cut(self._artifact(name))

    def cut(self, candidates: Sequence[Ranking]) -> list[Ranking]:
        """Return the part of each ranking that is reranked."""
        depth = self.chosen.candidates + (self.chosen.describe_extra if self.chosen.describe else 0)
        return [ranking.top(depth) for ranking in candidates]

    def _artifact(self, name: str) -> str:
        return f"{name}-{self.name}"

    def _facts_path(self, name: str) -> Path:
        return self._stages.folder / f"facts-{self._artifact(name)}.json"

    def _scores_from(
        self, name: str, queries: Sequence[Query], candidates: Sequence[Ranking], adaptive: AdaptivePolicy | None
    ) -> dict[str, Any]:
        policy = {} if adaptive is None else {"adaptive": content_hash(adaptive.to_json())}
        memory = self._job.queries(self._memory(name), labelled_only=True) if self._has_examples else None
        examples = {} if memory is None else {"evidence": evidence_hash(self._job, [*queries, *memory])}
        return {"artifact": name, **self.made_from(queries, candidates), **policy, **examples}


def _orders_from(made_from: Mapping[str, Any]) -> dict[str, Any]:
    return {"artifact": "order scores", "of": content_hash(dict(made_from))}
