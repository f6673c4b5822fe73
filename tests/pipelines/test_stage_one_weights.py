from collections.abc import Callable

import numpy as np
import pytest
from labelled_runs import labelled, run

from core.records import Query, Question, Ranking
from pipelines.job import Job
from pipelines.plan import precision_metric
from pipelines.stage_one_weights import (
    DENSE_ONLY,
    StageOneRuns,
    StageOneWeights,
    expected_share,
    fit_stage_one,
    fuse,
    unseen_rows,
)

TinyJob = Callable[..., Job]


def weights(neighbours: float = 0.0, lexical: float = 0.0, threshold: float = 0.5) -> StageOneWeights:
    return StageOneWeights(threshold=threshold, neighbours=neighbours, lexical=lexical)


def test_at_weight_0_fusion_is_the_dense_ranking() -> None:
    runs = StageOneRuns(dense=run([3, 1, 2]), neighbours={0.5: run([2, 1, 3])}, lexical=run([1, 3, 2]))
    for method in ("scores", "reciprocal_rank"):
        assert fuse(runs, weights(), method=method, top=2) == [runs.dense[0].top(2)]
    assert fuse(runs, DENSE_ONLY, method="scores", top=3) == runs.dense


def test_scores_add_up_by_hand() -> None:
    runs = StageOneRuns(dense=run([3, 1, 2]), neighbours={0.5: run([2, 1, 3])}, lexical=run([1, 3, 2]))
    (found,) = fuse(runs, weights(neighbours=0.5, lexical=2.0), method="scores", top=3)
    # 1: 0.9 + 0.5 · 0.9 + 2 · 1.0; 2: 0.8 + 0.5 · 1.0 + 2 · 0.8; 3: 1.0 + 0.5 · 0.8 + 2 · 0.9
    assert found.ids.tolist() == [1, 3, 2]
    assert found.scores.tolist() == pytest.approx([3.35, 3.2, 2.9])


def test_the_threshold_chooses_the_run() -> None:
    runs = StageOneRuns(dense=run([3, 1]), neighbours={0.3: run([3, 1]), 0.7: run([1, 3])}, lexical=None)
    assert fuse(runs, weights(5.0, threshold=0.3), method="scores", top=2)[0].ids.tolist() == [3, 1]
    assert fuse(runs, weights(5.0, threshold=0.7), method="scores", top=2)[0].ids.tolist() == [1, 3]


def test_ranks_of_entries_without_a_voter_do_not_count() -> None:
    """Below nought the neighbour run stands in the order of its ids, which must not lift the low ones."""
    silent = [Ranking(key="0_B", ids=np.array([9, 0, 1, 2]), scores=np.array([1.0, 0.0, 0.0, 0.0]))]
    runs = StageOneRuns(dense=run([2, 1, 0, 9]), neighbours={0.5: silent}, lexical=None)
    (found,) = fuse(runs, weights(1.0), method="reciprocal_rank", top=4)
    assert found.ids.tolist() == [9, 2, 1, 0]
    assert found.scores.tolist() == pytest.approx([1 / 64 + 1 / 61, 1 / 61, 1 / 62, 1 / 63])


def test_ranks_of_the_dense_retriever_count_below_a_cosine_of_nought_too() -> None:
    dense = [Ranking.from_scores("0_B", [1, 2, 3], [0.5, -0.1, -0.2])]
    neighbours = {0.5: [Ranking.from_scores("0_B", [3, 1, 2], [0.4, 0.0, 0.0])]}
    runs = StageOneRuns(dense=dense, neighbours=neighbours, lexical=None)
    (found,) = fuse(runs, weights(neighbours=1.0), method="reciprocal_rank", top=3)
    assert found.ids.tolist() == [3, 1, 2]  # 1/63 + 1/61, 1/61, 1/62: nobody is lost


def test_the_better_weight_is_picked(tiny_job: TinyJob) -> None:
    job = tiny_job("neighbours.weights=[0.0,0.5,4.0]", "neighbours.thresholds=[0.5]")
    queries = labelled(1, 2, 3, 4)
    metric = precision_metric(queries)
    wrong = run([9, 1], [9, 2], [9, 3], [9, 4])
    right = run([1, 9], [2, 9], [3, 9], [4, 9])
    seen = [False] * 4
    helps = StageOneRuns(dense=wrong, neighbours={0.5: right}, lexical=None)
    assert fit_stage_one(job, helps, range(4), seen, metric).neighbours == 4.0
    harms = StageOneRuns(dense=right, neighbours={0.5: wrong}, lexical=None)
    assert fit_stage_one(job, harms, range(4), seen, metric).neighbours == 0.0
    same = StageOneRuns(dense=right, neighbours={0.5: right}, lexical=right)
    assert fit_stage_one(job, same, range(4), seen, metric).neighbours == 0.0, "no gain, no neighbours"
    absent = StageOneRuns(dense=wrong, neighbours={}, lexical=None)
    assert fit_stage_one(job, absent, range(4), seen, metric).neighbours == 0.0


def test_only_the_rows_asked_for_count(tiny_job: TinyJob) -> None:
    job = tiny_job("neighbours.weights=[0.0,4.0]", "neighbours.thresholds=[0.5]")
    metric = precision_metric(labelled(1, 2, 3, 4))
    runs = StageOneRuns(
        dense=run([9, 1], [9, 2], [3, 9], [4, 9]), neighbours={0.5: run([1, 9], [2, 9], [9, 3], [9, 4])}, lexical=None
    )
    assert fit_stage_one(job, runs, [0, 1], [False] * 4, metric).neighbours == 4.0
    assert fit_stage_one(job, runs, [2, 3], [False] * 4, metric).neighbours == 0.0


def test_weights_are_fitted_for_the_share_of_unseen_labels_that_is_expected(tiny_job: TinyJob) -> None:
    """Neighbours help the two seen queries and harm the one unseen."""
    runs = StageOneRuns(dense=run([9, 1], [9, 2], [3, 9]), neighbours={0.5: run([1, 9], [2, 9], [9, 3])}, lexical=None)
    metric, unseen = precision_metric(labelled(1, 2, 3)), [False, False, True]
    grid = ("neighbours.weights=[0.0,4.0]", "neighbours.thresholds=[0.5]")
    for share, expected in (("null", 4.0), ("0.1", 4.0), ("0.9", 0.0)):
        job = tiny_job(*grid, f"fusion.unseen_share={share}")
        assert fit_stage_one(job, runs, range(3), unseen, metric).neighbours == expected, share


def test_the_share_that_is_fitted_for(tiny_job: TinyJob) -> None:
    asked, own = tiny_job("fusion.unseen_share=0.6"), tiny_job()
    assert expected_share(asked, [True, False, False, False]) == 0.6
    assert expected_share(own, [True, False, False, False]) == 0.25
    assert expected_share(asked, [True, True]) == 1.0, "where there is one kind only"
    assert expected_share(asked, [False]) == 0.0
    assert expected_share(own, []) == 0.0


def test_a_query_is_unseen_where_none_of_its_labels_is_shown() -> None:
    train = [query.question for query in labelled(5, 6)]
    assert unseen_rows(labelled(5, 7, 6), train) == [False, True, False]
    both = Question(id=9, text="q", answers=("1", "2", "3", "4"), correct="A", labels=((), (7, 5), (), ()))
    assert unseen_rows([Query(question=both, letter="B")], train) == [False]
