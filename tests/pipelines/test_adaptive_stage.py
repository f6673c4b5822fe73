import numpy as np
import pytest

from core.order_scores import OrderScores
from core.records import FloatArray, Query, Question, Ranking
from pipelines.adaptive_stage import fitted_adaptive
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
