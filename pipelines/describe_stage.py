"""Two-time retrieval: a language model writes the misconception it sees, and stage 1 searches again with that text."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from core.artifacts import content_hash, write_json
from core.records import Query, Ranking
from core.tokenizer import load_tokenizer
from pipelines.engine_pool import EnginePool
from pipelines.engines import engine_made_from
from pipelines.lm_prompts import simplifier, subjects_hash, subjects_of
from pipelines.lm_reranker import locate_adapter, locate_language_model, pooled_engine
from pipelines.reranker_settings import RerankerSettings
from pipelines.stage_one_run import StageOneRun
from rerank.describe import DESCRIBE_INSTRUCTION, describe_prompt, parse_description
from retrieval.latex import LATEX_VERSION

logger = logging.getLogger(__name__)

_LONGEST = 96
"""Tokens a description may take; one sentence."""


def described_candidates(
    stage_one: StageOneRun,
    chosen: RerankerSettings,
    pool: EnginePool,
    queries: Sequence[Query],
    candidates: Sequence[Ranking],
    *,
    name: str,
    held_out: bool = False,
) -> list[Ranking]:
    """Return candidates with what a second search found put behind the first `chosen.candidates`.

    Stage 1's own order of the rest stays as it is, so at weight 0 nothing changes among the first candidates.

    Args:
        stage_one: Searches.
        chosen: The reranker: its model writes the descriptions.
        pool: Holds its engine.
        queries: The queries.
        candidates: Stage 1's rankings of them.
        name: Part of the artifacts' names.
        held_out: Search with the retriever that was fitted without the held-out part.
    """
    job, stages = stage_one.job, stage_one.stages
    adapter = locate_adapter(chosen)
    model = locate_language_model(chosen, job.settings)
    made_from = {
        "artifact": "descriptions",
        "model_revision": model.revision,
        "adapter": adapter.revision if adapter else None,
        "engine": engine_made_from(job.settings.engine(chosen.engine)),
        "instruction": DESCRIBE_INSTRUCTION,
        "prompt": [chosen.prompt.with_hint, chosen.prompt.max_tokens, subjects_hash(chosen.prompt), _LONGEST],
        "latex": [job.settings.text.latex, LATEX_VERSION],
        "queries": stage_one.queries_hash(queries),
    }
    path = stages.artifact(
        f"descriptions-{name}.json",
        made_from,
        lambda target: write_json(target, _written(stage_one, chosen, pool, queries, model.folder)),
    )
    texts: Mapping[str, str] = json.loads(path.read_text(encoding="utf-8"))
    searcher = stage_one.fitted if held_out else stage_one.final
    found_from = {
        "artifact": "described candidates",
        **searcher.made_from(),
        "descriptions": content_hash(texts),
        "candidates": content_hash([[r.key, r.ids.tolist(), r.scores.tolist()] for r in candidates]),
        "depths": [chosen.candidates, chosen.describe_extra],
    }

    def search() -> list[Ranking]:
        keys = [query.key for query in queries if query.key in texts]
        if not keys:
            return list(candidates)
        vectors = searcher.encoder.encode_queries([texts[key] for key in keys])
        again = searcher.index.search(vectors, keys, top_n=chosen.candidates + chosen.describe_extra)
        by_key = {ranking.key: ranking for ranking in again}
        return [
            joined(first, by_key[first.key], keep=chosen.candidates, extra=chosen.describe_extra)
            if first.key in by_key
            else first
            for first in candidates
        ]

    return stages.rankings(f"described-{name}.parquet", found_from, search)


def joined(first: Ranking, second: Ranking, *, keep: int, extra: int) -> Ranking:
    """Put the best of a second ranking that the head of the first lacks behind that head; the first's rest follows.

    Args:
        first: Stage 1's ranking.
        second: What the second search found.
        keep: Length of the head.
        extra: At most so many are put behind it.
    """
    head = first.ids[:keep]
    new = second.ids[~np.isin(second.ids, head)][:extra]
    rest = first.ids[keep:]
    ids = np.concatenate([head, new, rest[~np.isin(rest, new)]])
    known = dict(zip(first.ids.tolist(), first.scores.tolist(), strict=True))
    scores: list[float] = []
    for place, id in enumerate(ids.tolist()):
        last = scores[-1] if scores else float("inf")
        own = last if keep <= place < keep + len(new) else min(known[id], last)
        if own == last and (place and ids[place - 1] > id):  # ties stand in rising order of id
            own = float(np.nextafter(own, -np.inf))
        scores.append(own)
    return Ranking(key=first.key, ids=ids, scores=np.array(scores))


def _written(
    stage_one: StageOneRun, chosen: RerankerSettings, pool: EnginePool, queries: Sequence[Query], folder: Path
) -> dict[str, str]:
    """Let the model write; queries whose text failed or is empty are left out, counted."""
    job = stage_one.job
    tokenizer = load_tokenizer(folder)
    prompts = [
        describe_prompt(
            tokenizer,
            query,
            simplify=simplifier(job),
            subjects=subjects_of(chosen.prompt),
            with_hint=chosen.prompt.with_hint,
            max_tokens=chosen.prompt.max_tokens,
        )
        for query in queries
    ]
    engine = pooled_engine(job, chosen, pool)
    texts: dict[str, str] = {}
    for query, made in zip(queries, engine.generate(prompts, max_tokens=_LONGEST), strict=True):
        text = None if made.error is not None else parse_description(made.text)
        if text:
            texts[query.key] = text
    if len(texts) < len(queries):
        logger.warning(
            "warning: %d of %d queries got no description and keep stage 1's candidates",
            len(queries) - len(texts),
            len(queries),
        )
    return texts
