"""Windows of any length, size and stride: every candidate is scored once a pass or more, content decides."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.fusion import log_softmax
from rerank.listwise import ListwiseReranker
from rerank.listwise_plans import OrderPlan, WindowPlan


def run(toys: ModuleType, scorer: Any, length: int, windows: WindowPlan, **options: Any) -> Any:
    asked = toys.queries(1)
    prompter = options.pop("prompter", toys.ListPrompter())
    reranker = ListwiseReranker(scorer, prompter, windows=windows, **options)
    return reranker.rerank(asked, toys.rankings(asked, length), toys.BANK)[0], reranker.last_run


plans = st.integers(2, 12).flatmap(
    lambda size: st.tuples(
        st.just(size), st.integers(1, size), st.integers(1, 3), st.sampled_from(["sliding", "overlapping"])
    )
)


@settings(max_examples=60, deadline=None)
@given(length=st.integers(2, 40), plan=plans)
def test_every_candidate_is_scored_in_every_pass(
    toys: ModuleType, length: int, plan: tuple[int, int, int, str]
) -> None:
    size, stride, passes, kind = plan
    passes = passes if kind == "sliding" else 1
    windows = WindowPlan(kind=kind, size=size, stride=stride, passes=passes)
    found, last = run(toys, toys.Scorer(toys.mixed_logits), length, windows, orders=OrderPlan(kind="ascending"))
    bank = sorted(entry.id for entry in toys.BANK[:length])
    assert sorted(found.ids.tolist()) == bank
    assert np.exp(found.scores).sum() == pytest.approx(1.0)
    shown = [scores.ids.tolist() for scores in last.orders]
    a_pass = len(windows.one_pass(length)) if length > size else 1
    assert len(shown) == a_pass * (passes if length > size else 1)
    for start in range(0, len(shown), a_pass):
        assert sorted({id for ids in shown[start : start + a_pass] for id in ids}) == bank


@settings(max_examples=30, deadline=None)
@given(length=st.integers(4, 40), plan=plans)
def test_overlapping_windows_of_a_scorer_of_content_are_exact(toys: ModuleType, length: int, plan: Any) -> None:
    size, stride, _, _ = plan
    windows = WindowPlan(kind="overlapping", size=size, stride=min(stride, size - 1))
    found, _ = run(toys, toys.Scorer(), length, windows)
    logits = np.array(toys.content_logits(0, found.ids.tolist()))
    assert found.scores == pytest.approx(log_softmax(logits), abs=1e-3)


def test_all_overlapping_windows_go_in_one_call(toys: ModuleType) -> None:
    scorer = toys.Scorer()
    run(toys, scorer, 12, WindowPlan(kind="overlapping", size=6, stride=3))
    assert [len(call) for call in scorer.calls] == [6]  # three windows, two orders


def test_sliding_windows_carry_the_best_to_the_top(toys: ModuleType) -> None:
    scorer = toys.Scorer()
    found, last = run(toys, scorer, 30, WindowPlan(kind="sliding", size=6, stride=3))
    ids = [entry.id for entry in toys.BANK[:30]]
    best = sorted(ids, key=lambda id: -toys.merit(0, id))
    assert found.ids.tolist()[:3] == best[:3]
    assert [scores.window for scores in last.orders[::2]] == [24, 21, 18, 15, 12, 9, 6, 3, 0]
    assert len(scorer.calls) == 9


def test_enough_sliding_passes_sort_the_whole_list(toys: ModuleType) -> None:
    found, _ = run(toys, toys.Scorer(), 12, WindowPlan(kind="sliding", size=4, stride=2, passes=6))
    logits = np.array(toys.content_logits(0, found.ids.tolist()))
    assert (np.diff(logits) <= 0).all()
    assert found.scores == pytest.approx(log_softmax(logits), abs=1e-3)


def test_equal_scores_leave_the_order_of_stage_one(toys: ModuleType) -> None:
    windows = WindowPlan(kind="sliding", size=4, stride=2)
    found, _ = run(toys, toys.Scorer(lambda _, ids: [0.0] * len(ids)), 9, windows)
    assert found.ids.tolist() == toys.rankings(toys.queries(1), 9)[0].ids.tolist()


@pytest.mark.parametrize("kind", ["sliding", "overlapping"])
def test_none_of_these_is_the_measure_between_windows(toys: ModuleType, kind: str) -> None:
    # With stride = size windows share nothing but "none of these", through which they are still comparable.
    windows = WindowPlan(kind=kind, size=4, stride=4)
    found, last = run(toys, toys.Scorer(), 12, windows, prompter=toys.ListPrompter(none_label=True))
    logits = np.array(toys.content_logits(0, found.ids.tolist()))
    (query,) = last.queries
    assert query.none_logprob == pytest.approx(-np.logaddexp.reduce([0.0, *logits]), abs=1e-4)
    if kind == "overlapping":
        assert found.scores == pytest.approx(logits + query.none_logprob, abs=1e-4)
    assert np.exp(found.scores).sum() + np.exp(query.none_logprob) == pytest.approx(1.0)
