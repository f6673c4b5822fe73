"""Results in order, a bounded way ahead, errors where their result would have been, and no thread left behind."""

import threading
import time
from collections.abc import Callable

import pytest

from core.ahead import DEPTH, made_ahead


def alive() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("ahead")]


def until(met: Callable[[], bool]) -> bool:
    """Wait up to five seconds for something that another thread does."""
    end = time.monotonic() + 5
    while not met() and time.monotonic() < end:
        time.sleep(0.002)
    return met()


@pytest.mark.parametrize("depth", [1, 2, 5, 100])
def test_results_come_in_order_whatever_they_take(depth: int) -> None:
    busy = threading.Lock()

    def slow_at_first(number: int) -> int:
        assert busy.acquire(blocking=False), "called twice at once"
        time.sleep(0.02 if number < 2 else 0.0)
        busy.release()
        return number * number

    with made_ahead(slow_at_first, range(8), depth=depth) as made:
        assert list(made) == [0, 1, 4, 9, 16, 25, 36, 49]
    assert alive() == []


def test_another_thread_makes_what_comes_next_and_no_more_than_the_depth() -> None:
    begun: list[int] = []
    threads = set()

    def make(number: int) -> int:
        threads.add(threading.current_thread().name)
        begun.append(number)
        return number

    with made_ahead(make, range(10), depth=2) as made:
        assert next(made) == 0
        assert until(lambda: begun == [0, 1, 2])  # while the reader has 0, the next two are made
        time.sleep(0.05)
        assert begun == [0, 1, 2]
        assert next(made) == 1 and until(lambda: begun == [0, 1, 2, 3])
    assert begun == [0, 1, 2, 3]
    assert len(threads) == 1 and threading.current_thread().name not in threads


def test_what_is_made_ahead_costs_the_reader_no_time() -> None:
    """Ten results of 30 ms beside ten steps of 40 ms: the reader waits for the first alone, not for all ten."""

    def make(number: int) -> int:
        time.sleep(0.03)
        return number

    waited = []
    with made_ahead(make, range(10)) as made:
        for _ in range(10):
            began = time.perf_counter()
            next(made)
            waited.append(time.perf_counter() - began)
            time.sleep(0.04)
    assert waited[0] > 0.02 and sum(waited[1:]) < 0.09  # 9 x 30 ms without a thread


class Killed(BaseException):
    """Stands for the kill signal: nothing may catch it."""


@pytest.mark.parametrize("error", [ValueError("a prompt is too long"), Killed()])
def test_an_error_comes_out_where_its_result_would_have(error: BaseException) -> None:
    def make(number: int) -> int:
        if number == 2:
            raise error
        return number

    seen = []
    with pytest.raises(type(error)) as raised, made_ahead(make, range(9)) as made:
        for number in made:
            seen.append(number)
    assert raised.value is error and seen == [0, 1]
    assert alive() == []


def test_leaving_early_ends_the_thread_and_leaves_the_rest_unmade() -> None:
    begun: list[int] = []

    def make(number: int) -> int:
        begun.append(number)
        time.sleep(0.02)
        return number

    with pytest.raises(KeyboardInterrupt), made_ahead(make, range(1000), depth=3) as made:
        for number in made:
            if number == 1:
                raise KeyboardInterrupt
    assert alive() == [] and len(begun) <= 6
    count = len(begun)
    time.sleep(0.05)
    assert len(begun) == count


def test_nothing_to_make_and_a_depth_of_nought() -> None:
    with made_ahead(str, []) as made:
        assert list(made) == []
    with pytest.raises(ValueError, match="threads: expected at least 1; got 0"), made_ahead(str, [1], threads=0):
        pass
    with pytest.raises(ValueError, match="at least 1; got 0"), made_ahead(str, [1], depth=0):
        pass
    assert DEPTH >= 1


def test_several_threads_work_at_the_same_time_and_keep_the_order() -> None:
    together = threading.Barrier(3)

    def make(number: int) -> int:
        if number < 3:
            together.wait(5)  # passed by three at once, or by none
        return number

    with made_ahead(make, (number for number in range(9)), depth=4, threads=3) as made:
        assert list(made) == list(range(9))
    assert alive() == []
