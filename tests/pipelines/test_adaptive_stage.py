import numpy as np
import pytest

from core.order_scores import OrderScores
from core.records import FloatArray, Query, Question, Ranking
from pipelines.adaptive_stage import (
    first_order_by_halves,
    first_order_rankings,
    fitted_adaptive,
    fitted_by_halves,
    policies_of,
)
from pipelines.plan import Plan
from pipelines.reranker_settings import AdaptiveSettings, RerankerSettings
from pipelines.stage_two import StageTwoWeights
from rerank.adaptive import AdaptivePolicy

CHOSEN = RerankerSettings(
    kind="listwise", model="models/x", candidates=3, adaptive=AdaptiveSettings(mode="fitted", tolerance=0.0)
)
ALONE = StageTwoWeights(weight=1.0, prior=0.0, prior_gain=None)
EFFECT = np.array([1.0, 0.0, -1.0])


def query(number: int) -> Query:
    labels: tuple[tuple[int, ...], ...] = ((), (1,), (), ())
    question = Question(id=number, text=f"q{number}", answers=("1", "2", "3", "4"), correct="A", labels=labels)  # type: ignore[arg-type]
    return Query(question=question, letter="B")


def normal(scores: FloatArray) -> FloatArray:
    values: FloatArray = scores - np.log(np.exp(scores).sum())
    return values


def scored(one: Query, merits: list[float]) -> tuple[Ranking, list[OrderScores]]:
    """Merits of 1, 2, 3; the first slot is favoured by a nat, the last one disliked as much."""
    ids = np.array([1, 2, 3])
    orders = [
        OrderScores(
            key=one.key,
            order=number,
            ids=ids[turn],
            logprobs=normal(np.array(merits)[turn] + EFFECT),
            none_logprob=None,
            mass=None,
        )
        for number, turn in enumerate(([0, 1, 2], [2, 1, 0]))
    ]
    return Ranking.from_scores(one.key, ids, normal(np.array(merits))), orders


def test_the_slot_bias_is_found_and_sure_queries_skip() -> None:
    queries = [query(number) for number in range(4)]
    candidates = [Ranking.from_scores(one.key, [2, 3, 1], [3.0, 2.0, 1.0]) for one in queries]
    made = [
        scored(one, merits) for one, merits in zip(queries, [[4, 0, 0], [3, 0, 0], [2, 0, 0], [1, 0, 0]], strict=True)
    ]
    found = fitted_adaptive(
        CHOSEN, queries, candidates, [ranking for ranking, _ in made], [r for _, orders in made for r in orders], ALONE
    )
    policy = AdaptivePolicy.from_json(found["policy"])
    assert policy.slot_bias[3].tolist() == pytest.approx(EFFECT.tolist(), abs=1e-9)
    assert found["skip_share"] == 1.0 and found["map_all_orders"] == found["map_at_share"] == 1.0
    assert [row[0] for row in found["curve"]] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert policy.is_sure(policy.debias(made[0][1][0].logprobs))


def test_what_all_orders_win_is_kept() -> None:
    """The first order is wrong about the last query (noise on the truth): skipping it would cost half a precision."""
    queries = [query(number) for number in range(2)]
    candidates = [Ranking.from_scores(one.key, [2, 3, 1], [3.0, 2.0, 1.0]) for one in queries]
    sure, wrong = scored(queries[0], [4, 0, 0]), scored(queries[1], [1, 0, 0])
    first = wrong[1][0]
    misled = OrderScores(
        key=first.key,
        order=0,
        ids=first.ids,
        logprobs=normal(first.logprobs + np.array([-2.0, 0.0, 0.0])),
        none_logprob=None,
        mass=None,
    )
    orders = [*sure[1], *scored(queries[0], [4, 0, 0])[1][:0], misled, wrong[1][1]]
    found = fitted_adaptive(CHOSEN, queries, candidates, [sure[0], wrong[0]], orders, ALONE)
    assert found["skip_share"] == 0.5
    assert found["map_first_order"] < found["map_all_orders"] == found["map_at_share"] == 1.0


def test_without_any_prompt_nothing_is_skipped() -> None:
    one = query(1)
    alone = Ranking.from_scores(one.key, [1], [0.0])
    found = fitted_adaptive(CHOSEN, [one], [alone], [alone], [], ALONE)
    assert found["curve"] == [] and not AdaptivePolicy.from_json(found["policy"]).slot_bias


def halved(queries: list[Query]) -> Plan:
    n = len(queries)
    half = tuple(row % 2 for row in range(n))
    return Plan(fit=(), validation=(), queries=tuple(queries), unseen=(False,) * n, half=half)


def test_each_half_has_a_policy_of_its_own_and_is_ranked_by_the_others() -> None:
    queries = [query(number) for number in range(4)]
    candidates = [Ranking.from_scores(one.key, [2, 3, 1], [3.0, 2.0, 1.0]) for one in queries]
    merits = [[4, 0, 0], [1, 0, 0], [3, 0, 0], [0.5, 0, 0]]  # half 0 is sure, half 1 less
    made = [scored(one, values) for one, values in zip(queries, merits, strict=True)]
    orders = [record for _, records in made for record in records]
    weights = {None: ALONE, 0: ALONE, 1: ALONE}
    found = fitted_by_halves(CHOSEN, halved(queries), candidates, [one for one, _ in made], orders, weights)
    assert [set(half) & {"policy", "curve"} for half in found["halves"]] == [{"policy"}] * 2
    policies = policies_of(found)
    assert [policies[half].threshold for half in (None, 0, 1)] == pytest.approx([0.5, 3.0, 0.5])
    once = first_order_by_halves(halved(queries), policies, orders)
    # Half 0 by half 1's threshold: both are sure; half 1 by half 0's: none is.
    assert sorted(once) == [queries[0].key, queries[2].key]
    assert sorted(first_order_rankings(policies[None], orders)) == sorted(one.key for one in queries)
    for ranking, _ in made[::2]:
        assert once[ranking.key].ids.tolist()[0] == 1
        assert once[ranking.key].scores.tolist() == pytest.approx(ranking.scores.tolist())  # the slot bias is out


def test_none_of_these_keeps_its_share_in_a_first_order() -> None:
    policy = AdaptivePolicy(threshold=0.0, slot_bias={2: np.array([0.5, -0.5])})
    record = OrderScores(
        key="1_B", order=0, ids=np.array([7, 8]), logprobs=np.log([0.5, 0.3]), none_logprob=np.log(0.2), mass=None
    )
    (ranking,) = first_order_rankings(policy, [record]).values()
    assert np.exp(ranking.scores).sum() == pytest.approx(0.8)
    assert first_order_rankings(AdaptivePolicy(threshold=9.0, slot_bias=policy.slot_bias), [record]) == {}
