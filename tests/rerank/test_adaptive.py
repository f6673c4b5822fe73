"""When one order is enough: the policy, its fit, and what it saves."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from core.fusion import log_softmax
from rerank.adaptive import AdaptivePolicy, ImposedSkip, fit_adaptive, fit_margin_threshold
from rerank.listwise import ListwiseReranker
from rerank.listwise_plans import OrderPlan, WindowPlan


def rerank(toys: ModuleType, scorer: Any, *, count: int = 6, length: int = 5, **options: Any) -> Any:
    asked = toys.queries(count)
    reranker = ListwiseReranker(scorer, options.pop("prompter", toys.ListPrompter()), **options)
    return reranker.rerank(asked, toys.rankings(asked, length), toys.BANK), reranker


def top_one(toys: ModuleType) -> Any:
    """1 where the best candidate by merit stands first, 0 elsewhere."""

    def metric(rankings: Any) -> list[float]:
        return [
            float(
                ranking.ids[0] == max(ranking.ids.tolist(), key=lambda id, q=ranking.key: toys.merit(int(q[:-2]), id))
            )
            for ranking in rankings
        ]

    return metric


def test_a_threshold_by_hand() -> None:
    # Widest margins first: (5.0: 1 and 1), (3.0: 1 and 1), (2.0: 0 and 1), (1.0: 1 and 0).
    fitted = fit_margin_threshold([1.0, 5.0, 2.0, 3.0], [1, 1, 0, 1], [0, 1, 1, 1], tolerance=0.0)
    assert (fitted.threshold, fitted.skip_share, fitted.score) == (3.0, 0.5, 0.75)
    assert fitted.curve == (
        (0.0, 0.75, np.inf),
        (0.25, 0.75, 5.0),
        (0.5, 0.75, 3.0),
        (0.75, 0.5, 2.0),
        (1.0, 0.75, 1.0),
    )
    assert (fitted.all_orders, fitted.first_order) == (0.75, 0.75)
    loose = fit_margin_threshold([1.0, 5.0, 2.0, 3.0], [1, 1, 0, 1], [0, 1, 1, 1], tolerance=0.25)
    assert (loose.threshold, loose.skip_share) == (1.0, 1.0)


def test_equal_margins_are_skipped_together() -> None:
    fitted = fit_margin_threshold([2.0, 2.0, 1.0], [1, 0, 1], [1, 1, 1], tolerance=0.0)
    assert (fitted.threshold, fitted.skip_share) == (np.inf, 0.0)
    assert [row[0] for row in fitted.curve] == pytest.approx([0, 2 / 3, 1])


def test_weights_of_queries_count() -> None:
    fitted = fit_margin_threshold([2.0, 1.0], [0, 1], [1, 1], tolerance=0.0, weights=[0.0, 1.0])
    assert (fitted.skip_share, fitted.threshold, fitted.score) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"margins": []},
        {"margins": [1.0, 2.0]},
        {"margins": [np.inf]},
        {"precision_all": [np.nan]},
        {"tolerance": -0.1},
        {"weights": [0.0]},
        {"weights": [-1.0]},
    ],
)
def test_bad_rows(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        fit_margin_threshold(**{"margins": [1.0], "precision_first": [1.0], "precision_all": [1.0], **wrong})


def test_the_policy_takes_the_bias_off_and_keeps_the_total() -> None:
    policy = AdaptivePolicy(threshold=0.5, slot_bias={2: np.array([1.0, -1.0])})
    logprobs = np.log([0.6, 0.2])
    assert np.exp(policy.debias(logprobs)) == pytest.approx(
        0.8 * np.array([0.6, 0.2 * np.e**2]) / (0.6 + 0.2 * np.e**2)
    )
    assert policy.is_sure(policy.debias(np.log([0.6, 0.2])))  # 1.10 nats for the first become 0.90 for the second
    assert not policy.is_sure(policy.debias(np.log([0.7, 0.1])))  # 1.95 become 0.05
    assert not policy.is_sure(np.log([0.9, 0.05, 0.05]))  # no bias is known of three slots
    assert policy.debias(np.log([0.9, 0.05, 0.05])) == pytest.approx(np.log([0.9, 0.05, 0.05]))


def test_the_policy_goes_through_a_file() -> None:
    for threshold in (0.1 + 0.2, float("inf")):
        policy = AdaptivePolicy(threshold=threshold, slot_bias={2: np.array([1 / 3, -1 / 3]), 1: np.zeros(1)})
        again = AdaptivePolicy.from_json(policy.to_json())
        assert again.threshold == threshold
        assert {n: bias.tolist() for n, bias in again.slot_bias.items()} == {2: [1 / 3, -1 / 3], 1: [0.0]}


@pytest.mark.parametrize(
    "wrong", [{"threshold": np.nan}, {"slot_bias": {2: np.zeros(3)}}, {"slot_bias": {1: np.array([np.nan])}}]
)
def test_a_policy_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"not a number|expected"):
        AdaptivePolicy(**{"threshold": 1.0, "slot_bias": {}, **wrong})


@pytest.mark.parametrize(("share", "skipped"), [(0.0, 0), (0.5, 5), (0.8, 8), (1.0, 10)])
def test_an_imposed_share_is_met_exactly(toys: ModuleType, share: float, skipped: int) -> None:
    _, reranker = rerank(toys, toys.Scorer(), count=10, adaptive=ImposedSkip(share=share))
    assert (reranker.last_run.skipped, reranker.last_run.prompts) == (skipped, 20 - skipped)


def test_the_draw_follows_keys_and_seed_and_grows() -> None:
    keys = [f"{number}_A" for number in range(40)]
    half, more = ImposedSkip(share=0.5).chosen(keys), ImposedSkip(share=0.8).chosen(keys[::-1])
    assert half < more
    assert half != ImposedSkip(share=0.5, seed=1).chosen(keys)
    with pytest.raises(ValueError, match="between 0 and 1"):
        ImposedSkip(share=1.1)


def test_sure_queries_are_asked_once_and_the_others_with_the_next_first_orders(toys: ModuleType) -> None:
    def logits(question: int, ids: list[int]) -> list[float]:
        return [(4.0 if question % 2 else 0.1) * (id == 102) for id in ids]

    scorer = toys.Scorer(logits)
    policy = AdaptivePolicy(threshold=1.0, slot_bias={5: np.zeros(5)})
    _, reranker = rerank(toys, scorer, count=6, batch_queries=2, adaptive=policy)
    calls = [[prompt[0] - 1000 for prompt in call] for call in scorer.calls]
    assert calls == [[0, 1], [0, 2], [2, 3], [4, 5], [4]]  # odd ones are sure; a doubtful one stays in the window
    assert reranker.last_run.skipped == 3
    assert [len(query.orders) for query in reranker.last_run.queries] == [2, 1, 2, 1, 2, 1]


def test_what_is_skipped_is_scored_without_the_bias(toys: ModuleType) -> None:
    bias = np.array(toys.slot_logits(0, range(5)))
    policy = AdaptivePolicy(threshold=0.0, slot_bias={5: bias})
    found, _ = rerank(toys, toys.Scorer(toys.mixed_logits), adaptive=policy)
    for question, ranking in enumerate(found):
        assert ranking.scores == pytest.approx(
            log_softmax(np.array(toys.content_logits(question, ranking.ids))), abs=1e-5
        )


def test_never_sure_is_all_orders(toys: ModuleType) -> None:
    plain, _ = rerank(toys, toys.Scorer(toys.mixed_logits))
    policy = AdaptivePolicy(threshold=float("inf"), slot_bias={5: np.ones(5)})
    found, reranker = rerank(toys, toys.Scorer(toys.mixed_logits), adaptive=policy)
    assert found == plain
    assert reranker.last_run.skipped == 0


@pytest.mark.parametrize("none_label", [False, True])
def test_the_fit_finds_the_bias_and_then_one_order_is_enough(toys: ModuleType, none_label: bool) -> None:
    prompter = toys.ListPrompter(none_label=none_label)
    orders = OrderPlan(kind="cyclic", count=5)
    scorer = toys.Scorer(toys.mixed_logits)
    _, full = rerank(toys, scorer, count=60, orders=orders, prompter=prompter)
    policy, fitted = fit_adaptive(full.last_run.queries, top_one(toys), tolerance=0.0)
    bias = np.array(toys.slot_logits(0, range(5)))
    assert policy.slot_bias[5] == pytest.approx(bias - bias.mean(), abs=1e-3)
    assert fitted.skip_share == 1.0  # a scorer of merit + bias alone is right after one order, once the bias is off
    assert (fitted.score, fitted.all_orders) == pytest.approx((1.0, 1.0))
    again, one = rerank(toys, scorer, count=60, orders=orders, prompter=prompter, adaptive=policy)
    assert (one.last_run.prompts, one.last_run.skipped) == (60, 60)
    assert top_one(toys)(again) == [1.0] * 60


def test_lists_without_a_choice_are_left_out_of_the_fit(toys: ModuleType) -> None:
    asked = toys.queries(3)
    reranker = ListwiseReranker(toys.Scorer(), toys.ListPrompter())
    given = [r.top(n) for r, n in zip(toys.rankings(asked, 5), (1, 5, 4), strict=True)]
    reranker.rerank(asked, given, toys.BANK)
    policy, fitted = fit_adaptive(reranker.last_run.queries, lambda rankings: [1.0] * len(rankings), weights=[1, 2, 3])
    assert sorted(policy.slot_bias) == [4, 5]
    assert len(fitted.curve) == 3
    reranker.rerank(asked[:1], given[:1], toys.BANK)
    with pytest.raises(ValueError, match="nothing to fit"):
        fit_adaptive(reranker.last_run.queries, lambda rankings: [1.0] * len(rankings))


@pytest.mark.parametrize(
    "options", [{"orders": OrderPlan(kind="ascending")}, {"windows": WindowPlan(kind="overlapping", size=3, stride=2)}]
)
def test_a_fit_wants_whole_lists_in_two_orders(toys: ModuleType, options: dict[str, Any]) -> None:
    _, reranker = rerank(toys, toys.Scorer(), **options)
    with pytest.raises(ValueError, match="query 0_B: a threshold is fitted on lists asked whole"):
        fit_adaptive(reranker.last_run.queries, top_one(toys))
