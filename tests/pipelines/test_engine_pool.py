import time
from pathlib import Path

import numpy as np
import pytest

from core.language_model import EngineStats, LabelScores
from pipelines.engine_pool import EngineKey, EnginePool, PooledEngine
from pipelines.engine_settings import EngineSettings


class Counting:
    """An engine that scores uniformly and notes when it was opened and closed."""

    def __init__(self, name: str, events: list[str]) -> None:
        self.name, self.events = name, events
        self.stats = EngineStats()
        events.append(f"open {name}")

    def score(self, prompts, labels):
        self.stats.prompts += len(prompts)
        self.stats.prompt_tokens += sum(map(len, prompts))
        self.stats.seconds += 1.0
        self.stats.path = "test"
        return [LabelScores(logprobs=np.zeros(len(one), dtype=np.float32), mass=1.0) for one in labels]

    def generate(self, prompts, *, max_tokens, temperature=0.0, seed=0, schema=None):
        self.stats.prompts += len(prompts)
        return [max_tokens] * len(prompts)

    def generate_each(self, prompts, *, in_flight, max_tokens, temperature=0.0, seed=0, schema=None):
        self.events.append(f"stream {in_flight} {max_tokens} {temperature} {seed} {schema}")
        try:
            for place, _ in enumerate(prompts):
                self.stats.prompts += 1
                yield [(place, max_tokens)]
        finally:
            self.events.append("stream closed")

    def close(self) -> None:
        self.events.append(f"close {self.name}")


@pytest.fixture
def events() -> list[str]:
    return []


@pytest.fixture
def pool(events: list[str]) -> EnginePool:
    return EnginePool(lambda key: Counting(key.folder.name, events))  # type: ignore[arg-type,return-value]


def key(name: str) -> EngineKey:
    return EngineKey(settings=EngineSettings(), folder=Path(name), adapter=None)


def test_an_engine_opens_when_it_is_first_asked_and_stays(pool: EnginePool, events: list[str]) -> None:
    first, same = PooledEngine(pool, key("a")), PooledEngine(pool, key("a"))
    assert events == []
    first.score([[1, 2]], [[3]])
    same.score([[1]], [[3]])
    assert events == ["open a"]
    assert (first.stats.prompts, first.stats.prompt_tokens, first.stats.path) == (1, 2, "test")
    assert (same.stats.prompts, same.stats.prompt_tokens) == (1, 1)


def test_another_engine_takes_its_place_and_counts_go_on(pool: EnginePool, events: list[str]) -> None:
    a, b = PooledEngine(pool, key("a")), PooledEngine(pool, key("b"))
    a.score([[1]], [[3]])
    b.score([[1]], [[3]])
    assert (a.is_open, b.is_open) == (False, True)
    a.score([[1, 1, 1]], [[3]])
    a.generate([[1]], max_tokens=5)
    pool.close()
    pool.close()
    assert events == ["open a", "close a", "open b", "close b", "open a", "close a"]
    assert (a.stats.prompts, a.stats.prompt_tokens, a.stats.seconds) == (3, 4, 2.0)
    assert b.stats.prompts == 1


def test_one_store_a_file(pool: EnginePool, tmp_path: Path) -> None:
    one = pool.store(tmp_path / "scores.jsonl", "e")
    assert pool.store(tmp_path / "scores.jsonl", "e") is one
    assert pool.store(tmp_path / "others.jsonl", "e") is not one


def test_the_time_that_opening_took_is_kept(events: list[str]) -> None:
    def slow(key: EngineKey) -> Counting:
        time.sleep(0.05)
        return Counting(key.folder.name, events)

    pool = EnginePool(slow)  # type: ignore[arg-type]
    pool.engine(key("a"))
    once = pool.opening_seconds
    pool.engine(key("a"))
    assert once >= 0.05 and pool.opening_seconds == once
    pool.engine(key("b"))
    assert pool.opening_seconds >= 0.1


def test_a_stream_opens_the_engine_counts_what_was_done_and_is_closed_with_it(events: list[str]) -> None:
    pool = EnginePool(lambda key: Counting(key.folder.name, events))  # type: ignore[arg-type, return-value]
    a = PooledEngine(pool, key("a"))
    coming = a.generate_each(iter([[1]] * 5), in_flight=2, max_tokens=7, temperature=0.5, seed=3, schema={})
    assert events == []
    assert next(coming) == [(0, 7)] and next(coming) == [(1, 7)]  # type: ignore[comparison-overlap]
    coming.close()
    assert events == ["open a", "stream 2 7 0.5 3 {}", "stream closed"] and a.stats.prompts == 2


def test_only_vllm_in_this_process_streams(events: list[str]) -> None:
    class AtOnce:
        stats = EngineStats()

    pool = EnginePool(lambda key: AtOnce())  # type: ignore[arg-type, return-value]
    streams = {
        (kind, workers): PooledEngine(
            pool, EngineKey(settings=EngineSettings(kind=kind, workers=workers), folder=Path("m"), adapter=None)
        ).streams
        for kind, workers in (("vllm", 1), ("vllm", 2), ("transformers", 1))
    }
    assert streams == {("vllm", 1): True, ("vllm", 2): False, ("transformers", 1): False}
    with pytest.raises(ValueError, match="transformers answers all prompts of a call together"):
        next(PooledEngine(pool, key("a")).generate_each([[1]], in_flight=1, max_tokens=1))
