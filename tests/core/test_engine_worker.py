import multiprocessing
import time

import pytest
from fake_engine import DIES, IS_NAN, SLOW, FakeEngine

from core.engine_worker import EngineWorker, WorkerError, WorkerTask
from core.language_model import ScoringError


@pytest.fixture
def worker():
    made = EngineWorker.start(multiprocessing.get_context("spawn"), 3, {"CUDA_VISIBLE_DEVICES": "7"}, FakeEngine)
    assert WorkerTask(worker=made, told="opening").answer(time.monotonic() + 60) == ("done", None)
    yield made
    made.pipe.close()
    made.end(patiently=True)
    assert not made.process.is_alive()


def asked(worker, *prompts, first=0):
    worker.pipe.send(("score", ([[prompt] for prompt in prompts], [[5]] * len(prompts)), {}))
    return WorkerTask(worker=worker, told="worker 3 with its prompts", first=first)


def test_an_answer_brings_the_counts(worker):
    kind, value = asked(worker, 1, 2).answer(time.monotonic() + 60)
    assert (kind, len(value), worker.stats.prompts) == ("done", 2, 2)
    assert worker.name() == f"worker 3 (process {worker.process.pid}, CUDA_VISIBLE_DEVICES=7)"


def test_a_scoring_error_counts_in_the_whole_call(worker):
    task = asked(worker, 1, IS_NAN, first=10)
    fault = task.fault(*task.answer(time.monotonic() + 60))
    assert isinstance(fault, ScoringError) and fault.prompt == 11
    assert str(fault) == "worker 3 with its prompts: prompt 11: the score of token 5 is nan"


def test_other_errors_are_told_as_they_are():
    task = WorkerTask(worker=None, told="worker 1", first=4)
    assert type(task.fault("value", "refused")) is ValueError
    assert str(task.fault("open", "no weights")) == "worker 1: no weights"
    unknown = task.fault("score", ("broken", None))
    assert unknown.prompt is None and "count from the first" in str(unknown)


def test_one_that_hangs_is_ended(worker):
    started = time.monotonic()
    with pytest.raises(WorkerError, match=r"with its prompts: no answer in time .*worker_timeout_seconds"):
        asked(worker, SLOW).answer(started + 0.5)
    assert time.monotonic() - started < 30  # the fake would sleep for a minute
    assert not worker.process.is_alive()


def test_one_that_dies_is_told_at_once(worker):
    started = time.monotonic()
    with pytest.raises(WorkerError, match="died with exit status 7"):
        asked(worker, DIES).answer(started + 600)
    assert time.monotonic() - started < 60
