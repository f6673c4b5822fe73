import gc
import weakref
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from retrieval.encoder_pool import EncoderPool, PooledEncoder
from retrieval.ensemble import JoinedEncoder


class Model:
    """Stands for weights: part of a cycle, as torch modules with hooks are."""

    def __init__(self) -> None:
        self.itself = self


class Counted:
    """An encoder of one direction that tells when it opens and closes."""

    def __init__(self, place: int, told: list[str]) -> None:
        self.place, self.told, self.model = place, told, Model()
        told.append(f"open {place}")

    def fingerprint(self) -> str:
        return f"axis {self.place}"

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray:
        self.told.append(f"read {self.place}")
        rows = np.zeros((len(texts), 3), dtype=np.float32)
        rows[:, self.place] = 1
        return rows

    encode_documents = encode_queries

    def close(self) -> None:
        self.told.append(f"close {self.place}")


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def opener(told: list[str]) -> Callable[[int], Callable[[], Counted]]:
    return lambda place: lambda: Counted(place, told)


def test_one_is_open_at_a_time_and_what_is_open_is_used_first(
    told: list[str], opener: Callable[[int], Callable[[], Counted]]
) -> None:
    pool = EncoderPool()
    encoders = [PooledEncoder(pool, opener(place)) for place in range(3)]
    joined = JoinedEncoder(encoders, [1.0, 1.0, 2.0])
    assert told == []  # nothing is opened before it is asked
    first, second = joined.encode_queries(["a", "b"]), joined.encode_documents(["a", "b"])
    assert told == [
        "open 0", "read 0", "close 0", "open 1", "read 1", "close 1", "open 2", "read 2",
        "read 2", "close 2", "open 0", "read 0", "close 0", "open 1", "read 1",
    ]  # fmt: skip
    assert [one.is_open for one in encoders] == [False, True, False]
    # The order in which they were asked is not that of the columns.
    expected = JoinedEncoder([opener(place)() for place in range(3)], [1.0, 1.0, 2.0]).encode_queries(["a", "b"])
    assert np.array_equal(first, expected) and np.array_equal(second, expected)


def test_the_memory_of_the_one_before_is_free_when_the_next_one_opens(told: list[str]) -> None:
    pool = EncoderPool()
    models: list[weakref.ref[Model]] = []
    alive: list[int] = []

    def opened(place: int) -> Callable[[], Counted]:
        def load() -> Counted:
            alive.append(sum(one() is not None for one in models))
            encoder = Counted(place, told)
            models.append(weakref.ref(encoder.model))
            return encoder

        return load

    joined = JoinedEncoder([PooledEncoder(pool, opened(place)) for place in range(3)])
    gc.disable()  # the pool frees it, not luck
    try:
        joined.encode_queries(["a"])
        joined.encode_queries(["b"])
        pool.close()
        alive.append(sum(one() is not None for one in models))
    finally:
        gc.enable()
    assert alive == [0] * 6  # five openings, and the end
    pool.close()
    assert told.count("close 2") == 1  # closing twice is harmless


def test_a_fingerprint_is_asked_of_the_model_once(
    told: list[str], opener: Callable[[int], Callable[[], Counted]]
) -> None:
    pool = EncoderPool()
    encoders = [PooledEncoder(pool, opener(place)) for place in range(2)]
    assert [one.fingerprint() for one in encoders] == ["axis 0", "axis 1"]
    assert [one.fingerprint() for one in encoders] == ["axis 0", "axis 1"]
    assert told == ["open 0", "close 0", "open 1"]
