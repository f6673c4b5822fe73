"""One engine at a time: rerankers that share a model share its engine, and the next model finds the memory free."""

import logging
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.engine_process import Engine
from core.language_model import EngineStats, Generation, LabelScores, StreamingGenerator, TokenIds
from pipelines.engine_settings import EngineSettings
from pipelines.engines import open_engine
from rerank.score_store import ScoreStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class EngineKey:
    """Which engine over which model."""

    settings: EngineSettings
    folder: Path
    adapter: Path | None


def opened(key: EngineKey) -> Engine:
    """Open the engine of a key."""
    return open_engine(key.settings, key.folder, key.adapter)


class EnginePool:
    """Holds the engine that was used last; another one is opened in its place, since one fills the memory.

    It also holds the files of finished scores.

    Attributes:
        opening_seconds: How long engines were opened for, all together.

    Args:
        opener: Opens an engine.
    """

    def __init__(self, opener: Callable[[EngineKey], Engine] = opened) -> None:
        self._opener = opener
        self._key: EngineKey | None = None
        self._engine: Engine | None = None
        self._stores: dict[Path, ScoreStore] = {}
        self.opening_seconds = 0.0

    def store(self, path: Path, engine: str) -> ScoreStore:
        """Return the store of finished scores in a file: one object a file, since two would overwrite each other."""
        if path not in self._stores:
            self._stores[path] = ScoreStore(path, engine=engine)
        return self._stores[path]

    def engine(self, key: EngineKey) -> Engine:
        """Return the open engine of a key, opened now where it is not."""
        if self._engine is None or not self.holds(key):
            self.close()
            logger.info("opening the engine %s over %s", key.settings.kind, key.folder)
            began = time.perf_counter()
            self._engine, self._key = self._opener(key), key
            self.opening_seconds += time.perf_counter() - began
        return self._engine

    def holds(self, key: EngineKey) -> bool:
        """Return whether the engine of a key is open."""
        return self._engine is not None and key == self._key

    def close(self) -> None:
        """Close the engine that is open, if one is."""
        if self._engine is not None:
            self._engine.close()
        self._engine = self._key = None


class PooledEngine:
    """An engine out of a pool, opened when it is first asked; a `TokenScorer` and a `TextGenerator`.

    Where it `streams`, a `StreamingGenerator` too.

    Attributes:
        opening_seconds: How long it was opened for, all times together, so that its work can be timed without that.

    Args:
        pool: The pool.
        key: Which engine.
    """

    def __init__(self, pool: EnginePool, key: EngineKey) -> None:
        self._pool = pool
        self._key = key
        self._stats = EngineStats()
        self.opening_seconds = 0.0

    @property
    def stats(self) -> EngineStats:
        """What was done through this object, however often the engine was opened for it."""
        return self._stats

    @property
    def streams(self) -> bool:
        """Whether the engine gives each answer as it comes: vLLM in this process, not worker processes."""
        return self._key.settings.kind == "vllm" and self._key.settings.workers == 1

    @property
    def is_open(self) -> bool:
        """Whether the engine is open now."""
        return self._pool.holds(self._key)

    def score(self, prompts: Sequence[TokenIds], labels: Sequence[TokenIds]) -> list[LabelScores]:
        """See `core.language_model.TokenScorer.score`."""
        engine = self._opened()
        before = _counts(engine.stats)
        scores = engine.score(prompts, labels)
        self._add(engine.stats, before)
        return scores

    def generate(
        self,
        prompts: Sequence[TokenIds],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
        schema: Mapping[str, Any] | None = None,
    ) -> list[Generation]:
        """See `core.language_model.TextGenerator.generate`."""
        engine = self._opened()
        before = _counts(engine.stats)
        made = engine.generate(prompts, max_tokens=max_tokens, temperature=temperature, seed=seed, schema=schema)
        self._add(engine.stats, before)
        return made

    def generate_each(
        self,
        prompts: Iterable[TokenIds],
        *,
        in_flight: int,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | Sequence[int] = 0,
        schema: Mapping[str, Any] | None = None,
    ) -> Generator[list[tuple[int, Generation]]]:
        """See `core.language_model.StreamingGenerator.generate_each`.

        Raises:
            ValueError: The engine gives no answer before all are there; see `streams`.
        """
        engine = self._opened()
        if not isinstance(engine, StreamingGenerator):
            raise ValueError(f"an engine of kind {self._key.settings.kind} answers all prompts of a call together")
        before = _counts(engine.stats)
        coming = engine.generate_each(
            prompts, in_flight=in_flight, max_tokens=max_tokens, temperature=temperature, seed=seed, schema=schema
        )
        try:
            with closing(coming):
                yield from coming
        finally:
            self._add(engine.stats, before)

    def _opened(self) -> Engine:
        began = time.perf_counter()
        engine = self._pool.engine(self._key)
        self.opening_seconds += time.perf_counter() - began
        return engine

    def _add(self, now: EngineStats, before: tuple[int, int, int, float]) -> None:
        self._stats.prompts += now.prompts - before[0]
        self._stats.prompt_tokens += now.prompt_tokens - before[1]
        self._stats.cached_tokens += now.cached_tokens - before[2]
        self._stats.seconds += now.seconds - before[3]
        self._stats.path = now.path


def _counts(stats: EngineStats) -> tuple[int, int, int, float]:
    return stats.prompts, stats.prompt_tokens, stats.cached_tokens, stats.seconds
