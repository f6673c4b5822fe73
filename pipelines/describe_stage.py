"""Two-time retrieval: a language model writes the misconception it sees, and stage 1 searches again with that text."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np

from core.artifacts import content_hash, write_json
from core.errors import InputError
from core.records import Query, Ranking
from core.tokenizer import load_tokenizer
from pipelines.engine_pool import EnginePool
from pipelines.engines import engine_made_from
from pipelines.job import Job
from pipelines.lm_prompts import simplifier, subjects_hash, subjects_of
from pipelines.lm_reranker import locate_adapter, locate_language_model, pooled_engine
from pipelines.reranker_settings import RerankerSettings
from pipelines.stage_one_run import StageOneRun
from rerank.describe import DESCRIBE_INSTRUCTION, describe_prompt, parse_description
from rerank.reranker import WatchingDeadline
from retrieval.latex import LATEX_VERSION

logger = logging.getLogger(__name__)

_LONGEST = 96
"""Tokens a description may take; one sentence."""
_BATCH = 256
"""Queries a call of the engine where no time limit asks for smaller ones: what a kill can lose."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Described:
    """What the second search gave.

    Attributes:
        rankings: A ranking a query.
        unreached: Keys of the queries whose description the time limit left out: they keep stage 1's candidates.
    """

    rankings: list[Ranking]
    unreached: tuple[str, ...]


class _UnfinishedError(Exception):
    """The time limit came before all descriptions were written: what there is is used, and not kept as an artifact."""


@dataclass(kw_only=True)
class _Progress:
    """The descriptions written so far, on disk after each batch; None where a request failed or gave nothing."""

    path: Path
    made_from: str
    texts: dict[str, str | None]
    errors: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path, made_from: Mapping[str, Any]) -> Self:
        """Read what an earlier run left, where it was made from the same."""
        pinned = content_hash(dict(made_from))
        found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return cls(path=path, made_from=pinned, texts=found["texts"] if found.get("of") == pinned else {})

    def write(self) -> None:
        write_json(self.path, {"of": self.made_from, "texts": self.texts})


def described_candidates(
    stage_one: StageOneRun,
    chosen: RerankerSettings,
    pool: EnginePool,
    queries: Sequence[Query],
    candidates: Sequence[Ranking],
    *,
    name: str,
    held_out: bool = False,
    deadline: WatchingDeadline | None = None,
) -> Described:
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
        deadline: Asked before each batch of descriptions; what is written by then is searched with, and kept for a
            later run that goes on.
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
        "prompt": [chosen.prompt.with_hint, description_room(chosen, job), subjects_hash(chosen.prompt), _LONGEST],
        "latex": [job.settings.text.latex, LATEX_VERSION],
        "queries": stage_one.queries_hash(queries),
    }
    progress = _Progress.read(stages.folder / f"descriptions-{name}.part.json", made_from)

    def write_all(target: Path) -> None:
        _write(stage_one, chosen, pool, queries, progress, deadline)
        if len(progress.texts) < len(queries):
            raise _UnfinishedError
        _warn_of_lacking(progress, queries)
        write_json(target, {key: text for key, text in progress.texts.items() if text})

    unreached: tuple[str, ...] = ()
    try:
        path = stages.artifact(f"descriptions-{name}.json", made_from, write_all)
        texts: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        progress.path.unlink(missing_ok=True)
    except _UnfinishedError:
        texts = {key: text for key, text in progress.texts.items() if text}
        unreached = tuple(query.key for query in queries if query.key not in progress.texts)
        logger.warning(
            "warning: %d of %d queries were not described in time and keep stage 1's candidates",
            len(unreached),
            len(queries),
        )
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

    return Described(rankings=stages.rankings(f"described-{name}.parquet", found_from, search), unreached=unreached)


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


def description_room(chosen: RerankerSettings, job: Job) -> int:
    """Return the longest prompt, in tokens, that leaves room for the description in what engine and model hold."""
    file = locate_language_model(chosen, job.settings).folder / "config.json"
    held = [job.settings.engine(chosen.engine).max_model_len]
    if file.is_file():
        held.append(json.loads(file.read_text(encoding="utf-8")).get("max_position_embeddings"))
    return min([chosen.prompt.max_tokens, *(most - _LONGEST for most in held if most)])


def description_prompts(job: Job, chosen: RerankerSettings) -> Callable[[Query], tuple[tuple[int, ...], int]]:
    """Return what writes a query's prompt, and tells how many tokens of the question it leaves out.

    Raises:
        InputError: By the callable: the shortest question does not fit.
    """
    room = description_room(chosen, job)
    if room < 1:
        raise InputError(
            f"describe: a description takes {_LONGEST} tokens and leaves no room for a question; raise engines."
            f"{chosen.engine}.max_model_len"
        )
    return partial(
        describe_prompt,
        load_tokenizer(locate_language_model(chosen, job.settings).folder),
        simplify=simplifier(job),
        subjects=subjects_of(chosen.prompt),
        with_hint=chosen.prompt.with_hint,
        max_tokens=room,
    )


def _write(
    stage_one: StageOneRun,
    chosen: RerankerSettings,
    pool: EnginePool,
    queries: Sequence[Query],
    progress: _Progress,
    deadline: WatchingDeadline | None,
) -> None:
    """Let the model write, batch by batch, what is not written yet."""
    job = stage_one.job
    write = description_prompts(job, chosen)
    waiting = [(query, write(query)) for query in queries if query.key not in progress.texts]
    if cut := sum(lost > 0 for _, (_, lost) in waiting):
        logger.warning("warning: the question was cut in %d of %d prompts for a description", cut, len(waiting))
    stage_one.encoders.close()  # a language model of some size fills the GPU
    engine = pooled_engine(job, chosen, pool)
    size = _BATCH if deadline is None else chosen.batch_queries
    for first in range(0, len(waiting), size):
        if deadline is not None and deadline():
            return
        batch = waiting[first : first + size]
        found = engine.generate([ids for _, (ids, _) in batch], max_tokens=_LONGEST)
        for (query, _), made in zip(batch, found, strict=True):
            if made.error is not None:
                progress.errors.append(f"query {query.key}: {made.error}")
            text = None if made.error is not None else parse_description(made.text)
            progress.texts[query.key] = text or None
        progress.write()
        if deadline is not None:
            deadline.finished(first + len(batch), len(waiting))


def _warn_of_lacking(progress: _Progress, queries: Sequence[Query]) -> None:
    """Say how many queries are left without a text that the model was asked for."""
    if lacking := sum(text is None for text in progress.texts.values()):
        errors = progress.errors
        logger.warning(
            "warning: %d of %d queries got no description and keep stage 1's candidates; %d requests failed%s",
            lacking,
            len(queries),
            len(errors),
            f", the first: {errors[0]}" if errors else "",
        )
