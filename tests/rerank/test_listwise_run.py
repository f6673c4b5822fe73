"""What a run adds up to."""

import numpy as np

from core.order_scores import OrderScores
from rerank.listwise_run import ListwiseRun, QueryScores


def query(key: str, orders: int, *, cut: int, none: float | None) -> QueryScores:
    ids = np.array([4, 9])
    read = [
        OrderScores(key=key, order=n, ids=ids, logprobs=np.log([0.5, 0.5]), none_logprob=none, mass=None)
        for n in range(orders)
    ]
    return QueryScores(
        key=key,
        ids=ids,
        logprobs=np.log([0.5, 0.5]),
        none_logprob=none,
        orders=tuple(read),
        skipped=2 - orders,
        prompt_tokens=100 * orders,
        cut_tokens=cut,
    )


def test_sums_over_queries() -> None:
    run = ListwiseRun(
        queries=(query("1_A", 2, cut=0, none=-1.5), query("2_B", 1, cut=7, none=None)), unreached=("3_C",), seconds=1.0
    )
    assert (run.prompts, run.prompt_tokens, run.skipped, run.cut_queries) == (3, 300, 1, 1)
    assert [(scores.key, scores.order) for scores in run.orders] == [("1_A", 0), ("1_A", 1), ("2_B", 0)]
    assert run.none_logprobs(["2_B", "1_A", "3_C"]) == [None, -1.5, None]
