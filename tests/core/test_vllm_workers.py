import time
from functools import partial

import numpy as np
import pytest
from fake_engine import CRASHES, DIES, IS_NAN, REFUSED, SLOW, FakeEngine
from hypothesis import given
from hypothesis import strategies as st

from core.engine_worker import WorkerError
from core.language_model import ScoringError
from core.vllm_workers import WorkerPool, device_environments, stretches

PROMPTS = [[number] * (1 + number % 3) for number in range(10)]
LABELS = [[5, 6, 7][: 1 + number % 3] for number in range(10)]


@pytest.fixture(scope="module")
def pool():
    made = WorkerPool(FakeEngine, [{"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "1"}])
    yield made
    made.close()


def test_scores_come_back_in_order(pool):
    found = pool.score(PROMPTS, LABELS)
    expected = FakeEngine().score(PROMPTS, LABELS)
    assert [scores.mass for scores in found] == [scores.mass for scores in expected]
    for one, two in zip(found, expected, strict=True):
        assert np.array_equal(one.logprobs, two.logprobs)


def test_prompts_are_shared_out_in_stretches(pool):
    texts = [made.text for made in pool.generate(PROMPTS, max_tokens=3, temperature=0.5, seed=2, schema={"a": 1})]
    assert [text.split()[0] for text in texts] == [str(number) for number in range(10)]
    assert [text.split()[1] for text in texts] == ["0"] * 5 + ["1"] * 5
    assert texts[0].endswith("3 0.5 2 {'a': 1}")


def test_counts_are_of_all_workers(pool):
    before = pool.stats
    pool.score(PROMPTS, LABELS)
    after = pool.stats
    assert after.prompts - before.prompts == 10
    assert after.prompt_tokens - before.prompt_tokens == sum(map(len, PROMPTS))
    assert after.cached_tokens - before.cached_tokens == 2
    assert after.seconds > before.seconds
    assert after.path == "fake"


def test_one_prompt_and_none(pool):
    assert len(pool.score(PROMPTS[:1], LABELS[:1])) == 1
    assert pool.score([], []) == []


@pytest.mark.parametrize(
    ("trouble", "error", "message"),
    [
        (IS_NAN, ScoringError, r"worker 1 .*CUDA_VISIBLE_DEVICES=1.* prompts 5 to 9 of 10: prompt 6: .*nan"),
        (REFUSED, ValueError, r"worker 1 .*prompts 5 to 9 of 10: refused"),
        (CRASHES, WorkerError, r"worker 1 .*RuntimeError: out of memory"),
    ],
)
def test_a_fault_names_the_worker_and_the_pool_goes_on(pool, trouble, error, message):
    prompts = [[trouble] if number == 6 else [number] for number in range(10)]
    with pytest.raises(error, match=message):
        pool.score(prompts, [[5]] * 10)
    test_scores_come_back_in_order(pool)


def test_a_scoring_error_has_the_number_of_the_prompt_in_the_whole_call(pool):
    with pytest.raises(ScoringError) as caught:
        pool.score([[IS_NAN] if number == 6 else [number] for number in range(10)], [[5]] * 10)
    assert caught.value.prompt == 6


def test_a_worker_that_hangs_is_ended_and_named():
    pool = WorkerPool(FakeEngine, [{}, {}], timeout_seconds=20.0)
    pool._timeout = 1.0  # opening takes longer than the call may
    try:
        started = time.monotonic()
        message = r"worker 1 \(process \d+\) with prompts 2 to 3 of 4: no answer in time .*worker_timeout_seconds"
        with pytest.raises(WorkerError, match=message):
            pool.score([[1], [2], [SLOW], [3]], [[5]] * 4)
        assert time.monotonic() - started < 10  # the fake would sleep for a minute
        with pytest.raises(WorkerError, match=r"worker 1 .* died"):  # and no late answer is taken for another's
            pool.score([[1], [1], [2], [3]], [[5]] * 4)
    finally:
        pool.close()


def test_an_engine_that_never_opens_is_ended_and_named():
    with pytest.raises(WorkerError, match=r"worker 0 .* opening its engine: no answer in time"):
        WorkerPool(FakeEngine, [{}], timeout_seconds=0.01)


def test_a_dead_worker_is_an_error_that_names_it_and_its_prompts():
    pool = WorkerPool(FakeEngine, [{}, {}])
    try:
        with pytest.raises(WorkerError, match=r"worker 0 \(process \d+\) with prompts 0 to 1 of 4: died .* status 7"):
            pool.score([[DIES], [1], [2], [3]], [[5]] * 4)
        with pytest.raises(WorkerError, match="worker 0"):  # still dead, still told
            pool.score([[1], [1], [2], [3]], [[5]] * 4)
    finally:
        pool.close()
    with pytest.raises(ValueError, match="closed"):
        pool.score([[1]], [[5]])


@pytest.mark.parametrize(
    ("fault", "message"),
    [("error", "worker 0 .*no such weights"), ("exit", "worker 0 .* status 3"), ("1", "worker 1 .*no such GPU")],
)
def test_a_worker_that_cannot_open_its_engine_is_named_and_none_is_left(fault, message):
    import multiprocessing

    environments = [{"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "1"}]
    before = {process.pid for process in multiprocessing.active_children()}
    with pytest.raises(WorkerError, match=message):
        WorkerPool(partial(FakeEngine, fault), environments)
    assert {process.pid for process in multiprocessing.active_children()} <= before


def test_closing_closes_the_engines(tmp_path):
    told = tmp_path / "told"
    pool = WorkerPool(FakeEngine, [{"FAKE_CLOSED": str(told)}] * 2)
    pool.close()
    assert told.read_text() == "closed\nclosed\n"


def test_no_worker_is_no_pool():
    with pytest.raises(ValueError, match="at least one"):
        WorkerPool(FakeEngine, [])


@given(st.lists(st.integers(1, 40), max_size=30), st.integers(1, 6))
def test_stretches_cover_every_place_once(lengths, parts):
    made = stretches(lengths, parts)
    assert len(made) == parts
    assert [place for stretch in made for place in range(len(lengths))[stretch]] == list(range(len(lengths)))
    if lengths:
        most = max(sum(lengths[stretch]) for stretch in made)
        assert most <= sum(lengths) / parts + max(lengths)


def test_stretches_by_hand():
    assert stretches([1, 1, 1, 1], 2) == [slice(0, 2), slice(2, 4)]
    assert stretches([9, 1, 1, 1], 2) == [slice(0, 1), slice(1, 4)]
    assert stretches([5], 3) == [slice(0, 0), slice(0, 1), slice(1, 1)]
    assert stretches([], 2) == [slice(0, 0), slice(0, 0)]


def test_each_worker_has_its_own_gpus():
    assert device_environments(2, 2, ["4", "5", "6", "7"]) == [
        {"CUDA_VISIBLE_DEVICES": "4,5"},
        {"CUDA_VISIBLE_DEVICES": "6,7"},
    ]
    assert device_environments(2, 1, []) == [{}, {}]
    with pytest.raises(WorkerError, match="2 workers of 2 GPUs each need 4; 3 can be seen"):
        device_environments(2, 2, ["0", "1", "2"])
