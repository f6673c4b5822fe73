"""An untrained encoder's vectors of the job's queries and bank, in several views; embedded once and kept."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from core.artifacts import content_hash, read_arrays, sweep_temporaries, write_arrays
from core.errors import ArtifactMismatchError, InputError
from core.models import LocalModel
from core.records import Query, queries_of
from pipelines.adapter_base import base_key, own_base
from pipelines.job import Job
from pipelines.loading import load_encoder
from retrieval.encoder import Embeddings
from retrieval.encoder_pool import EncoderPool, PooledEncoder
from retrieval.text import MisconceptionTemplate, QueryTemplate, applies, misconception_text, query_text

logger = logging.getLogger(__name__)


class ViewVectors:
    """Vectors of every query and entry of a job, one for each view.

    Args:
        job: The job.
        encoder: A model that was fitted on no label of the job.
        queries: How a query is written in each view.
        bank: How an entry is written in each view.
        folder: Keeps the vectors; None keeps none.
        name: The files are `NAME-queries.safetensors` and `NAME-bank.safetensors`.
        beside: It stands beside the config's retriever, see `load_encoder`; False where it is the one that the config
            names, whose prompts and base are the config's.
        pool: Where the encoder takes its turn with others and stays open; one of its own, closed after use, where None.
    """

    def __init__(
        self,
        job: Job,
        encoder: LocalModel,
        *,
        queries: Mapping[str, QueryTemplate],
        bank: Mapping[str, MisconceptionTemplate],
        folder: Path | None,
        name: str,
        beside: bool = True,
        pool: EncoderPool | None = None,
    ) -> None:
        self.job = job
        self.model = encoder
        self._templates = queries
        self._bank_templates = bank
        self._folder = folder
        self._name = name
        self._beside = beside
        self._shared = pool is not None
        self._pool = pool or EncoderPool()

    def of_queries(self, queries: Sequence[Query]) -> dict[str, Embeddings]:
        """Return view -> float32, shape (n, d), rows of length 1; a row of noughts where a query lacks the view.

        Raises:
            InputError: A query is none of the job's.
        """
        place = self._place_of_text
        views: dict[str, Embeddings] = {}
        for view in self._templates:
            texts = [self._text(query, view) for query in queries]
            unknown = [query.key for query, text in zip(queries, texts, strict=True) if text and text not in place]
            if unknown:
                raise InputError(f"queries {', '.join(unknown[:5])}: are none of the files' queries, so not embedded")
            rows = np.zeros((len(texts), self._vectors.shape[1]), dtype=np.float32)
            known = [row for row, text in enumerate(texts) if text]
            rows[known] = self._vectors[[place[texts[row]] for row in known]]
            views[view] = rows
        return views

    @cached_property
    def of_bank(self) -> dict[str, Embeddings]:
        """View -> float32, shape (m, d), rows of length 1, in the bank's order."""
        texts = {
            view: [misconception_text(entry, template) for entry in self.job.bank]
            for view, template in self._bank_templates.items()
        }
        return self._embedded("bank", texts, queries=False)

    def texts_of(self, query: Query) -> list[str]:
        """Return what is read of a query, one text a view, empty where it lacks the view: what pins it in manifests."""
        return [self._text(query, view) for view in self._templates]

    def _text(self, query: Query, view: str) -> str:
        template = self._templates[view]
        return query_text(query, template) if applies(query, template) else ""

    @cached_property
    def _texts(self) -> list[str]:
        """Every text of the job's queries once, in order: encoded together, so that its bits never change."""
        made = [one.question for one in self.job.synthetic]
        labelled = [*self.job.queries(self.job.train, labelled_only=True), *queries_of(made, labelled_only=True)]
        queries = [*labelled, *self.job.queries(self.job.test)]
        texts = [self._text(query, view) for view in self._templates for query in queries]
        return list(dict.fromkeys(text for text in texts if text))

    @cached_property
    def _place_of_text(self) -> Mapping[str, int]:
        return {text: place for place, text in enumerate(self._texts)}

    @cached_property
    def _vectors(self) -> Embeddings:
        return self._embedded("queries", {"queries": self._texts}, queries=True)["queries"]

    def _embedded(self, part: str, texts: Mapping[str, list[str]], *, queries: bool) -> dict[str, Embeddings]:
        made_from = {
            "artifact": f"{self._name} {part}: embeddings",
            "model_revision": self.model.revision,
            "texts": content_hash(dict(texts)),
            "encoder": encoder_key(self.job, self.model, beside=self._beside),
        }
        path = None if self._folder is None else self._folder / f"{self._name}-{part}.safetensors"
        if path is not None and path.is_file():
            try:
                return read_arrays(path, made_from)
            except ArtifactMismatchError:
                logger.info("%s: other texts or another model; embedded again", path.name)
        opener = partial(load_encoder, self.job, self.model.folder, beside=self._beside)
        encoder = PooledEncoder(self._pool, opener)
        try:
            encode: Callable[[list[str]], Embeddings] = encoder.encode_queries if queries else encoder.encode_documents
            made = {view: encode(of_view) for view, of_view in texts.items()}
        finally:
            if not self._shared:  # a shared pool closes it for the next model, or when its owner says so
                self._pool.close()
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            sweep_temporaries(path.parent, [path.name])
            write_arrays(path, made, made_from)
        return made


def encoder_key(job: Job, encoder: LocalModel, *, beside: bool = True) -> str:
    """Return what such vectors depend on besides model and texts, for manifests; `beside` as in `ViewVectors`."""
    retriever = job.settings.retriever
    base = base_key(encoder.folder, own_base(retriever) if beside else retriever)
    prompts = [] if beside else [retriever.query_prompt, retriever.document_prompt]
    return content_hash(
        [retriever.max_length, retriever.pooling, retriever.device, retriever.dtype, base or [], *prompts]
    )
