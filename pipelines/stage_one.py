"""Stage 1 at work: a retriever over the bank, with neighbours and word overlap beside it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from core.artifacts import content_hash, sweep_temporaries
from core.models import LocalModel, locate_model
from core.records import IntArray, Query, Question, Ranking
from eval.groups import question_groups
from pipelines.adapter_base import base_key, own_base
from pipelines.job import Job
from pipelines.loading import load_encoder
from pipelines.settings import RetrieverSettings
from pipelines.stage_one_weights import StageOneRuns
from pipelines.view_vectors import ViewVectors
from retrieval.bank import BankEmbeddings, embed_bank, joined_bank
from retrieval.channels import Channels, Voters
from retrieval.encoder import Embeddings
from retrieval.encoder_pool import EncoderPool, PooledEncoder
from retrieval.ensemble import JoinedEncoder, open_first
from retrieval.index import MisconceptionIndex
from retrieval.lexical import Bm25Retriever, TfidfRetriever
from retrieval.neighbours import neighbour_scores
from retrieval.retriever import MultiViewRetriever, ViewPair
from retrieval.text import query_text
from retrieval.top import top_rankings

logger = logging.getLogger(__name__)


class StageOne:
    """A retriever over a bank; models load when first needed.

    Args:
        job: The job.
        model: The encoder's folder and what pins it.
        cache: Folder of the bank's embeddings.
        joined: Put the embeddings of the config's `retriever.also` beside this model's.
        pool: Holds whichever model is open, one at a time; shared by retrievers that take turns. One of its own where
            None.
        views: The base model's vectors, for a learned fusion; `runs` has no channels where None.
    """

    def __init__(
        self,
        job: Job,
        model: LocalModel,
        cache: Path,
        *,
        joined: bool = True,
        pool: EncoderPool | None = None,
        views: ViewVectors | None = None,
    ) -> None:
        self.job = job
        self._views = views
        self._pool = pool or EncoderPool()
        self._also = [locate_model(name) for name in job.settings.retriever.also] if joined else []
        self.model = model
        self._cache = cache
        self._vectors: dict[tuple[str, ...], Embeddings] = {}

    def made_from(self) -> dict[str, Any]:
        """Return what every ranking of this retriever depends on, for manifests."""
        settings = self.job.settings
        retriever = settings.retriever
        models = [self.model, *self._also]
        bases = [base_key(model.folder, own) for model, own in zip(models, self._retrievers, strict=True)]
        return {
            **({"bases": bases} if any(bases) else {}),
            "model_revision": self.model.revision,
            "template_hash": self.job.forms.hash(),
            "encoder": content_hash([retriever.pooling, retriever.query_prompt, retriever.document_prompt]),
            "max_length": retriever.max_length,
            "also": [[model.name, model.revision] for model in self._also],
            "also_weight": retriever.also_weight if self._also else None,
            "dtype": [retriever.device, retriever.dtype],
            "index": settings.index.model_dump(mode="json"),
            "bank_hash": self.job.bank_hash,
        }

    @cached_property
    def encoder(self) -> PooledEncoder | JoinedEncoder:
        """The encoder; its models load when they are asked, and close before the next one loads."""
        first, *others = [
            PooledEncoder(self._pool, partial(load_encoder, self.job, model.folder, beside=place > 0))
            for place, model in enumerate([self.model, *self._also])
        ]
        if not others:
            return first
        return JoinedEncoder([first, *others], [1.0, *(self.job.settings.retriever.also_weight for _ in others)])

    @cached_property
    def _bank(self) -> tuple[BankEmbeddings, ...]:
        forms = self.job.forms
        views = [("bank", forms.entry)]
        if forms.explanation_view is not None:
            views.append(("bank-explanations", forms.explanation_view))
        # Each model's vectors are kept apart: one more in an ensemble computes its own alone.
        encoders = self.encoder.encoders if isinstance(self.encoder, JoinedEncoder) else (self.encoder,)
        names = ["", *(f"-beside-{number}" for number, _ in enumerate(self._also, start=1))]
        sweep_temporaries(self._cache, [f"{view}{name}.safetensors" for view, _ in views for name in names])
        models, retrievers = [self.model, *self._also], self._retrievers
        parts: dict[int, list[BankEmbeddings]] = {}
        for place in open_first(encoders):
            encoder, model = encoders[place], models[place]
            key = content_hash([encoder.fingerprint(), base_key(model.folder, retrievers[place]) or []])
            parts[place] = [
                embed_bank(
                    self.job.bank,
                    encoder,
                    template,
                    cache_dir=self._cache,
                    model_name=model.name,
                    revision=model.revision,
                    encoder_key=key,
                    name=view + names[place],
                )
                for view, template in views
            ]
        if not isinstance(self.encoder, JoinedEncoder):
            return tuple(parts[0])
        weights = self.encoder.weights
        of_views = zip(*(parts[place] for place in sorted(parts)), strict=True)
        return tuple(joined_bank(of_view, weights) for of_view in of_views)

    @property
    def _retrievers(self) -> list[RetrieverSettings]:
        retriever = self.job.settings.retriever
        return [retriever, *(own_base(retriever) for _ in self._also)]

    @cached_property
    def index(self) -> MisconceptionIndex:
        """The index over the bank's plain view, built now."""
        index = self.job.settings.index
        return MisconceptionIndex.build(
            self._bank[0].ids,
            self._bank[0].embeddings,
            kind=index.kind,
            hnsw_m=index.hnsw_m,
            ef_construction=index.ef_construction,
            ef_search=index.ef_search,
            ivf_lists=index.ivf_lists,
            ivf_probes=index.ivf_probes,
            threads=self.job.settings.threads,
        )

    def embed_bank(self) -> tuple[BankEmbeddings, ...]:
        """Return the bank's embeddings, one for each view; computed now where the cache lacks them."""
        return self._bank

    def embed_queries(self, queries: Sequence[Query]) -> Embeddings:
        """Return the queries' embeddings, float32, shape (n, d); the same list is encoded once in a run."""
        texts = tuple(query_text(query, self.job.forms.query) for query in queries)
        # Whole lists, not single texts: a text encoded in other company differs in its last bits (MiniLM on a CPU:
        # 12 of 70 rows, 1e-7), and a run that was killed must end with the bytes of one that was not.
        if texts not in self._vectors:
            self._vectors[texts] = self.encoder.encode_queries(texts)
        return self._vectors[texts]

    def _embed_voters(self, voters: Sequence[Query]) -> Embeddings:
        """Return the embeddings of labelled training queries: rows of one encoding of all that the job has."""
        form = self.job.forms.query
        known = self.job.queries(self.job.train, labelled_only=True)
        row_of = {query_text(query, form): row for row, query in enumerate(known)}
        rows = [row_of.get(query_text(voter, form), -1) for voter in voters]
        return self.embed_queries(voters) if -1 in rows else self.embed_queries(known)[rows]

    def dense(self, queries: Sequence[Query], *, top_n: int, embedded: Embeddings | None = None) -> list[Ranking]:
        """Return the dense rankings alone."""
        forms = self.job.forms
        if forms.hint_view is None and forms.explanation_view is None:
            vectors = self.embed_queries(queries) if embedded is None else embedded
            return self.index.search(vectors, [query.key for query in queries], top_n=top_n)
        query_views = [forms.query, *([forms.hint_view] if forms.hint_view else [])]
        pairs = [
            ViewPair(query=view, bank=bank, weight=1.0 if (row, bank) == (0, 0) else forms.view_weight)
            for row, view in enumerate(query_views)
            for bank in range(len(self._bank))
            if forms.view_weight > 0 or (row, bank) == (0, 0)
        ]
        retriever = MultiViewRetriever(self.encoder, self._bank, pairs, kind=self.job.settings.index.kind)
        return retriever.retrieve(queries, top_n=top_n)

    def runs(
        self, queries: Sequence[Query], memory: Sequence[Question], *, thresholds: Sequence[float], lexical: bool
    ) -> StageOneRuns:
        """Ask every retriever.

        Args:
            queries: The queries.
            memory: Labelled questions whose wrong answers vote as neighbours; a query's own group never does.
            thresholds: Neighbour thresholds to run; none switches neighbours off.
            lexical: Ask the retriever by word overlap too.
        """
        depth = min(len(self.job.bank), self.job.settings.fusion.depth)
        embedded = self.embed_queries(queries)
        dense = self.dense(queries, top_n=depth, embedded=embedded)
        words = self._lexical(queries, depth) if lexical else None
        if not thresholds and self._views is None:  # nobody votes
            return StageOneRuns(dense=dense, neighbours={}, lexical=words)
        electorate = electorate_of(self.job, queries, memory)
        channels = None
        if self._views is not None:
            # The retriever's vectors before the views', so that the two models take turns once.
            own = (embedded, self._embed_voters(electorate.voters))
            channels = channels_of(self._views, queries, electorate, own)
        return StageOneRuns(
            dense=dense,
            neighbours=self._neighbours(queries, embedded, electorate, thresholds, depth) if thresholds else {},
            lexical=words,
            channels=channels,
        )

    def _neighbours(
        self,
        queries: Sequence[Query],
        embedded: Embeddings,
        electorate: "Electorate",
        thresholds: Sequence[float],
        depth: int,
    ) -> dict[float, list[Ranking]]:
        voters = electorate.voters
        voter_vectors = self._embed_voters(voters)
        ids = self._bank[0].ids
        keys = [query.key for query in queries]
        found: dict[float, list[Ranking]] = {}
        for threshold in thresholds:
            scores = neighbour_scores(
                embedded,
                electorate.query_groups,
                voter_vectors,
                electorate.voter_groups,
                [voter.labels for voter in voters],
                ids,
                threshold=threshold,
            )
            found[threshold] = top_rankings(keys, ids, scores, top_n=depth)
        return found

    def _lexical(self, queries: Sequence[Query], depth: int) -> list[Ranking]:
        forms = self.job.forms
        if self.job.settings.lexical.kind == "tfidf":
            return TfidfRetriever(self.job.bank, forms.query, forms.entry).retrieve(queries, top_n=depth)
        runs = Bm25Retriever(self.job.bank, forms.query, forms.entry).retrieve(queries, top_n=depth)
        # BM25 has no upper bound; as a share of the query's best score it stands beside cosines.
        return [
            Ranking(key=run.key, ids=run.ids, scores=run.scores / run.scores[0]) if run.scores[0] > 0 else run
            for run in runs
        ]


@dataclass(frozen=True, kw_only=True, eq=False)
class Electorate:
    """Who votes for whom: labelled queries, and the question groups of both sides on one numbering."""

    voters: list[Query]
    voter_groups: IntArray
    query_groups: IntArray


def electorate_of(job: Job, queries: Sequence[Query], memory: Sequence[Question]) -> Electorate:
    """Return the labelled queries of `memory`, and which of them are of the same question as which query."""
    voters = job.queries(memory, labelled_only=True)
    asked = list(dict.fromkeys(query.question for query in queries))
    # Groups over both together: a question repeated under another id must not find its own answer.
    numbers = question_groups([*memory, *asked])
    of_memory = dict(zip([q.id for q in memory], numbers[: len(memory)].tolist(), strict=True))
    of_asked = dict(zip(asked, numbers[len(memory) :].tolist(), strict=True))
    return Electorate(
        voters=voters,
        voter_groups=np.array([of_memory[voter.question.id] for voter in voters], dtype=np.int64),
        query_groups=np.array([of_asked[query.question] for query in queries], dtype=np.int64),
    )


def channels_of(
    views: ViewVectors, queries: Sequence[Query], electorate: Electorate, own: tuple[Embeddings, Embeddings] | None
) -> Channels:
    """Return the channels of some queries; `own`: the retriever's vectors of queries and voters, where it is asked."""
    (names,) = views.of_bank.values()
    asked, voting = views.of_queries(queries), views.of_queries(electorate.voters)
    return Channels(
        groups=electorate.query_groups,
        views=asked if own is None else {**asked, "retriever": own[0]},
        voters=Voters(
            groups=electorate.voter_groups,
            labels=[voter.labels for voter in electorate.voters],
            views=voting if own is None else {**voting, "retriever": own[1]},
        ),
        bank_ids=np.array([entry.id for entry in views.job.bank], dtype=np.int64),
        bank=dict.fromkeys(asked, names),
    )
