"""What a reranker's training run is known by: a run that was killed goes on only where nothing of it changed."""

from collections.abc import Sequence
from pathlib import Path

from core.artifacts import content_hash, folder_hash
from core.records import Query, Ranking


def run_fingerprint(
    base: str | Path,
    texts: Sequence[str],
    names: Sequence[str],
    queries: Sequence[Query],
    candidates: Sequence[Ranking],
    settings: Sequence[object],
) -> str:
    """Hash all that decides the result, but the score function, which has no content to hash."""
    rows = [
        (query.key, query.labels, ranking.ids.tolist(), ranking.scores.tolist())
        for query, ranking in zip(queries, candidates, strict=True)
    ]
    return content_hash([folder_hash(Path(base)), list(texts), list(names), rows, list(settings)])
