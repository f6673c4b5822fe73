"""What a boosted reranker looks at: an untrained encoder's view of queries and bank, and labelled examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from core.artifacts import content_hash
from core.models import LocalModel
from core.records import Query, Question, Ranking
from core.text import normalise
from eval.groups import question_groups
from pipelines.job import Job
from pipelines.view_vectors import ViewVectors
from rerank.boosted_folder import BankView, QueryView
from rerank.ranking_features import (
    BankEvidence,
    Features,
    QueryEvidence,
    feature_names,
    ranking_features,
)
from retrieval.text import Latex, MisconceptionTemplate, QueryTemplate

HINT: Final = "hint"
QUESTION: Final = "question"
SKILL: Final = "skill"
NAME: Final = "name"
EXPLANATION: Final = "explanation"


@dataclass(frozen=True, kw_only=True)
class EvidencePlan:
    """Which views are compared.

    Attributes:
        pairs: (query view, bank view) whose similarity is a feature.
        remembered: Query views that are compared with labelled examples.
        latex: How LaTeX is written.
    """

    pairs: tuple[tuple[QueryView, BankView], ...]
    remembered: tuple[QueryView, ...]
    latex: Latex

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the features."""
        return feature_names(self.pairs, self.remembered)

    @property
    def query_views(self) -> tuple[str, ...]:
        """The query views that are needed."""
        return tuple(dict.fromkeys([*(query for query, _ in self.pairs), *self.remembered]))

    @property
    def bank_views(self) -> tuple[str, ...]:
        """The bank views that are needed."""
        return tuple(dict.fromkeys(bank for _, bank in self.pairs))


def evidence_plan(job: Job) -> EvidencePlan:
    """Return the views that the job's files can fill: hints and explanations where they are given and in use."""
    has_hints = job.settings.text.hint != "off" and bool(job.inputs.hints)
    explained = job.settings.text.explanation != "off" and any(entry.explanation for entry in job.bank)
    queries: tuple[QueryView, ...] = (HINT, QUESTION) if has_hints else (QUESTION,)
    bank: tuple[BankView, ...] = (NAME, EXPLANATION) if explained else (NAME,)
    pairs = tuple((query, entry) for query in queries for entry in bank)
    return EvidencePlan(pairs=(*pairs, (SKILL, NAME)), remembered=queries, latex=job.settings.text.latex)


class Evidence:
    """Makes the features of queries whose candidates are known; texts are embedded once and kept.

    Args:
        job: The job.
        encoder: A model that was fitted on no label of the job.
        plan: Which views are compared.
        memory: Labelled questions: the examples. A query's own question group is never looked at.
        folder: Keeps the embeddings (`boosted-queries.safetensors`, `boosted-bank.safetensors`); None keeps none.
    """

    def __init__(
        self, job: Job, encoder: LocalModel, plan: EvidencePlan, memory: Sequence[Question], folder: Path | None
    ) -> None:
        self.job = job
        self.model = encoder
        self.plan = plan
        self._memory = tuple(memory)
        self._folder = folder

    def features(self, queries: Sequence[Query], candidates: Sequence[Ranking]) -> list[Features]:
        """Return the features of every candidate of every query; see `rerank.ranking_features`.

        Raises:
            InputError: A query is none of the job's.
        """
        examples = self._examples
        groups = [self._groups.of(query.question) for query in queries]
        return ranking_features(
            candidates,
            self._seen(queries, groups),
            examples,
            self._bank,
            pairs=self.plan.pairs,
            remembered=self.plan.remembered,
        )

    @cached_property
    def _groups(self) -> "_Groups":
        return _Groups(self._memory)

    @cached_property
    def _examples(self) -> QueryEvidence:
        voters = self.job.queries(self._memory, labelled_only=True)
        return self._seen(voters, [self._groups.of(voter.question) for voter in voters])

    def _seen(self, queries: Sequence[Query], groups: Sequence[frozenset[int]]) -> QueryEvidence:
        return QueryEvidence(queries=queries, groups=groups, views=self._vectors.of_queries(queries))

    @cached_property
    def _vectors(self) -> ViewVectors:
        return ViewVectors(
            self.job,
            self.model,
            queries=query_templates(self.plan),
            bank=bank_templates(self.plan),
            folder=self._folder,
            name="boosted",
        )

    @cached_property
    def _bank(self) -> BankEvidence:
        ids = np.array([entry.id for entry in self.job.bank], dtype=np.int64)
        return BankEvidence(ids=ids, views=self._vectors.of_bank)


class _Groups:
    """Which question groups of the memory a question belongs to, by its id and by its text."""

    def __init__(self, memory: Sequence[Question]) -> None:
        numbers = question_groups(memory).tolist()
        self._of_id = {question.id: number for question, number in zip(memory, numbers, strict=True)}
        self._of_text = {normalise(question.text): number for question, number in zip(memory, numbers, strict=True)}

    def of(self, question: Question) -> frozenset[int]:
        """Return the groups, whichever other questions are asked: usually none or one, two where it joins them."""
        found = (self._of_id.get(question.id), self._of_text.get(normalise(question.text)))
        return frozenset(number for number in found if number is not None)


def evidence_hash(job: Job, queries: Sequence[Query]) -> str:
    """Return what pins queries as a boosted reranker sees them: more than the texts that stage 1 reads."""
    read = [
        [query.key, query.hint, *_skill(query.question), query.question.text, *query.question.answers, *query.labels]
        for query in queries
    ]
    return content_hash([read, job.settings.text.latex])


def _skill(question: Question) -> list[int | str | None]:
    return [question.construct, question.construct_id, question.subject, question.subject_id, question.correct]


def query_templates(plan: EvidencePlan) -> Mapping[str, QueryTemplate]:
    """Return how a query is written in each of the plan's views."""
    written = {
        HINT: QueryTemplate(fields=("hint",), latex=plan.latex),
        QUESTION: QueryTemplate(fields=("construct", "subject", "question", "correct", "incorrect"), latex=plan.latex),
        SKILL: QueryTemplate(fields=("construct", "subject"), latex=plan.latex),
    }
    return {view: written[view] for view in plan.query_views}


def bank_templates(plan: EvidencePlan) -> Mapping[str, MisconceptionTemplate]:
    """Return how an entry is written in each of the plan's views."""
    written = {
        NAME: MisconceptionTemplate(latex=plan.latex),
        EXPLANATION: MisconceptionTemplate(explanation=True, name=False, latex=plan.latex),
    }
    return {view: written[view] for view in plan.bank_views}
