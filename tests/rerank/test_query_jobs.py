"""Queries going through a scorer: who is asked when, and what happens when something breaks."""

import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from core.language_model import EngineStats, LabelScores, ScoringError
from rerank.prompts import BuiltPrompt
from rerank.query_jobs import run_query_jobs


def prompt(number: int) -> BuiltPrompt:
    return BuiltPrompt(
        token_ids=(1000 + number, 0, 100), label_ids=(1,), cut_tokens=0, candidate_ids=(100,), shared_tokens=1
    )


def rounds(number: int, count: int) -> Callable[[], Any]:
    """A job of `count` rounds of one prompt each; its result is its number and the rounds it had."""

    def job() -> Any:
        for _ in range(count):
            (found,) = yield [prompt(number)]
            assert found.logprobs.shape == (1,)
        return number, count

    return job


def jobs(*counts: int) -> list[tuple[str, Callable[[], Any]]]:
    return [(f"q{number}", rounds(number, count)) for number, count in enumerate(counts)]


def asked(scorer: Any) -> list[list[int]]:
    return [[tokens[0] - 1000 for tokens in call] for call in scorer.calls]


def test_a_finished_query_makes_room_for_the_next_at_once(toys: ModuleType) -> None:
    scorer = toys.Scorer()
    found = run_query_jobs(jobs(1, 3, 1, 0, 2), scorer, batch_queries=2)
    assert found == [(0, 1), (1, 3), (2, 1), (3, 0), (4, 2)]
    assert asked(scorer) == [[0, 1], [1, 2], [1, 4], [4]]


def test_earlier_queries_stand_first(toys: ModuleType) -> None:
    scorer = toys.Scorer()
    run_query_jobs(jobs(2, 3, 1, 2), scorer, batch_queries=3)
    assert asked(scorer) == [[0, 1, 2], [0, 1, 3], [1, 3]]


def test_nothing_to_do(toys: ModuleType) -> None:
    scorer = toys.Scorer()
    assert run_query_jobs([], scorer, batch_queries=3) == []
    assert run_query_jobs(jobs(0, 0), scorer, batch_queries=1) == [(0, 0), (1, 0)]
    assert scorer.calls == []


def test_a_deadline_drops_what_is_not_finished(toys: ModuleType) -> None:
    scorer = toys.Scorer()
    found = run_query_jobs(jobs(1, 3, 1, 1), scorer, batch_queries=2, deadline=lambda: len(scorer.calls) == 2)
    assert found == [(0, 1), None, (2, 1), None]
    assert run_query_jobs(jobs(1), scorer, batch_queries=2, deadline=lambda: True) == [None]


def test_the_next_prompts_are_built_while_the_engine_works(toys: ModuleType) -> None:
    built = threading.Event()

    class Waits(toys.Scorer):
        def score(self, prompts: Any, labels: Any) -> list[LabelScores]:
            if not self.calls:
                assert built.wait(timeout=20), "the next query's prompts were not built during the call"
            return super().score(prompts, labels)

    def second() -> Any:
        built.set()
        yield [prompt(1)]

    run_query_jobs([*jobs(1), ("q1", second)], Waits(), batch_queries=1)


def test_no_prompt_is_built_while_the_engine_opens(toys: ModuleType) -> None:
    """An engine may fork while it opens: a thread that holds a tokenizer's lock would hang the child."""

    class Opening(toys.Scorer):  # type: ignore[misc,name-defined]
        is_open = False

        def score(self, prompts: Any, labels: Any) -> list[LabelScores]:
            self.threads = [*getattr(self, "threads", []), built_beside.wait(0.2)]
            self.is_open = True
            found: list[LabelScores] = super().score(prompts, labels)
            return found

    built_beside = threading.Event()

    def job(number: int) -> Callable[[], Any]:
        def begin() -> Any:
            if number:
                built_beside.set()
            return rounds(number, 1)()

        return begin

    scorer = Opening()
    run_query_jobs([(f"q{number}", job(number)) for number in range(3)], scorer, batch_queries=1)
    assert scorer.threads == [False, True, True]


def test_a_prompt_that_cannot_be_built_stops_the_run(toys: ModuleType) -> None:
    def breaks() -> Any:
        raise ValueError("query q2: too long")
        yield []

    with pytest.raises(ValueError, match="q2: too long"):
        run_query_jobs([*jobs(1, 1), ("q2", breaks)], toys.Scorer(), batch_queries=1)


class Answers:
    """A scorer that answers what it is told to."""

    stats = EngineStats()

    def __init__(self, *answers: LabelScores) -> None:
        self.answers = list(answers)

    def score(self, prompts: Any, labels: Any) -> list[LabelScores]:
        return self.answers


def scores(*values: float) -> LabelScores:
    return LabelScores(logprobs=np.array(values, dtype=np.float32), mass=None)


def test_too_few_or_odd_answers_are_errors() -> None:
    with pytest.raises(ScoringError, match="q0 to q1: expected scores of 2 prompts, 1 came back"):
        run_query_jobs(jobs(1, 1), Answers(scores(0.0)), batch_queries=2)
    with pytest.raises(ScoringError, match="query q1: expected 1 finite scores") as caught:
        run_query_jobs(jobs(1, 1), Answers(scores(0.0), scores(0.0, 0.0)), batch_queries=2)
    assert caught.value.prompt == 1
    with pytest.raises(ScoringError, match="query q0: expected 1 finite scores"):
        run_query_jobs(jobs(1, 1), Answers(scores(-np.inf), scores(0.0)), batch_queries=2)


def test_a_batch_holds_a_query(toys: ModuleType) -> None:
    with pytest.raises(ValueError, match="batch_queries"):
        run_query_jobs(jobs(1), toys.Scorer(), batch_queries=0)


def test_a_deadline_that_watches_is_told_after_each_call(toys: ModuleType) -> None:
    class Watching:
        def __init__(self) -> None:
            self.told: list[tuple[int, int]] = []

        def __call__(self) -> bool:
            return len(self.told) == 3

        def finished(self, done: int, of: int) -> None:
            self.told.append((done, of))

    watching = Watching()
    found = run_query_jobs(jobs(1, 2, 1, 1, 1, 1), toys.Scorer(), batch_queries=2, deadline=watching)
    assert watching.told == [(1, 6), (3, 6), (5, 6)]
    assert sum(result is not None for result in found) == 5
