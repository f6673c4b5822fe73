"""Cascades: each stage reorders its own stretch of ranks and nothing else."""

import time
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from core.fusion import fuse_with_stage_one
from core.records import Ranking
from rerank.cascade import CascadeReranker, CascadeStage
from rerank.listwise import ListwiseReranker
from rerank.pointwise import PointwiseReranker
from rerank.reranker import DeadlineReranker


class ById:
    """Ranks by id, the lowest or the highest first; writes down what it was given."""

    def __init__(self, *, highest: bool = False) -> None:
        self.sign = 1.0 if highest else -1.0
        self.given: list[list[int]] = []

    def rerank(self, queries: Sequence[Any], candidates: Sequence[Ranking], bank: Any) -> list[Ranking]:
        self.given += [ranking.ids.tolist() for ranking in candidates]
        return [Ranking.from_scores(r.key, r.ids, self.sign * r.ids.astype(float)) for r in candidates]


def stage(first: int, last: int, reranker: Any, **options: Any) -> CascadeStage:
    return CascadeStage(first=first, last=last, reranker=reranker, **options)


def stage_one(toys: ModuleType, ids: Sequence[int]) -> tuple[list[Any], list[Ranking]]:
    asked = toys.queries(1)
    return asked, [Ranking.from_scores(asked[0].key, ids, -np.arange(len(ids), dtype=float))]


def test_each_stage_reorders_what_stands_at_its_ranks(toys: ModuleType) -> None:
    asked, given = stage_one(toys, [109, 108, 107, 106, 105, 104, 103, 102, 101, 100])
    bottom, top = ById(), ById()
    (found,) = CascadeReranker([stage(5, 9, bottom), stage(1, 6, top)]).rerank(asked, given, toys.BANK)
    assert bottom.given == [[105, 104, 103, 102, 101]]
    assert top.given == [[109, 108, 107, 106, 101, 102]]
    assert found.ids.tolist() == [101, 102, 106, 107, 108, 109, 103, 104, 105, 100]
    assert (np.diff(found.scores) < 0).all()


def test_scores_outside_a_stretch_keep_their_distances(toys: ModuleType) -> None:
    asked = toys.queries(1)
    given = [Ranking.from_scores(asked[0].key, [100, 101, 102, 103, 104, 105], [9.0, 8.5, 8.0, 6.0, 3.0, 2.75])]
    (found,) = CascadeReranker([stage(3, 4, ById(highest=True))]).rerank(asked, given, toys.BANK)
    assert found.ids.tolist() == [100, 101, 103, 102, 104, 105]
    assert np.diff(found.scores) == pytest.approx([-0.5, -1.0, -1.0, -1.0, -0.25])


def test_a_stage_below_the_end_of_the_list_has_nothing_to_do(toys: ModuleType) -> None:
    asked, given = stage_one(toys, [102, 101, 100])
    cascade = CascadeReranker([stage(8, 17, ById()), stage(2, 10, ById())])
    (found,) = cascade.rerank(asked, given, toys.BANK)
    assert found.ids.tolist() == [102, 100, 101]
    assert cascade.unreached == ()
    empty = [Ranking.from_scores(asked[0].key, [], [])]
    assert cascade.rerank(asked, empty, toys.BANK) == empty


def test_a_weight_mixes_a_stage_with_the_order_it_was_given(toys: ModuleType) -> None:
    asked, given = stage_one(toys, [102, 101, 100])
    (none,) = CascadeReranker([stage(1, 3, ById(), weight=0.0)]).rerank(asked, given, toys.BANK)
    assert none.ids.tolist() == [102, 101, 100]
    (some,) = CascadeReranker([stage(1, 3, ById(highest=True), weight=0.3)]).rerank(asked, given, toys.BANK)
    assert some.ids.tolist() == [102, 101, 100]


def test_pointwise_then_two_listwise_over_real_stages(toys: ModuleType) -> None:
    asked = toys.queries(4)
    given = toys.rankings(asked, 30)
    cascade = CascadeReranker(
        [
            stage(1, 30, PointwiseReranker(toys.Scorer(), toys.PairPrompter())),
            stage(8, 17, ListwiseReranker(toys.Scorer(lambda _, ids: [-float(id) for id in ids]), toys.ListPrompter())),
            stage(1, 10, ListwiseReranker(toys.Scorer(), toys.ListPrompter())),
        ]
    )
    for question, found in enumerate(cascade.rerank(asked, given, toys.BANK)):
        best = sorted(range(100, 130), key=lambda id, q=question: -toys.merit(q, id))
        middle = sorted(best[7:17])
        head = sorted([*best[:7], *middle[:3]], key=lambda id, q=question: -toys.merit(q, id))
        assert found.ids.tolist() == [*head, *middle[3:], *best[17:]]
    fused = fuse_with_stage_one(given, cascade.rerank(asked, given, toys.BANK), weight=0.5)
    assert [len(ranking) for ranking in fused] == [30] * 4


def test_a_deadline_keeps_what_earlier_stages_did(toys: ModuleType) -> None:
    asked = toys.queries(4)
    given = toys.rankings(asked, 6)
    first, second = toys.Scorer(), toys.Scorer()
    cascade = CascadeReranker(
        [
            stage(1, 6, ListwiseReranker(first, toys.ListPrompter(), batch_queries=1)),
            stage(1, 3, ListwiseReranker(second, toys.ListPrompter(), batch_queries=1)),
        ]
    )
    assert isinstance(cascade, DeadlineReranker)
    found = cascade.rerank(asked, given, toys.BANK, deadline=lambda: len(first.calls) + len(second.calls) >= 5)
    assert [len(ranking) for ranking in found] == [6] * 4
    assert cascade.unreached == ()
    assert cascade.last_run is not None
    assert cascade.last_run.partial == ("1_B", "2_B", "3_B")
    assert cascade.last_run.stage_unreached == ((), ("1_B", "2_B", "3_B"))

    found = cascade.rerank(asked, given, toys.BANK, deadline=lambda: len(first.calls) >= 6)
    assert [len(ranking) for ranking in found] == [6, 6, 0, 0]
    assert cascade.unreached == ("2_B", "3_B")


def test_stages_that_cannot_stop_are_not_begun_after_the_deadline(toys: ModuleType) -> None:
    asked, given = stage_one(toys, [102, 101, 100])
    plain = ById()
    cascade = CascadeReranker([stage(1, 3, plain)])
    assert not isinstance(plain, DeadlineReranker)
    assert [len(r) for r in cascade.rerank(asked, given, toys.BANK, deadline=lambda: True)] == [0]
    assert (plain.given, cascade.unreached) == ([], ("0_B",))
    assert [len(r) for r in cascade.rerank(asked, given, toys.BANK, deadline=lambda: False)] == [3]


@pytest.mark.parametrize("wrong", [{"first": 0}, {"last": 0}, {"weight": 1.5}])
def test_a_stage_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="stage 'x'"):
        CascadeStage(**{"first": 1, "last": 5, "reranker": ById(), "name": "x", **wrong})


def test_a_cascade_has_a_stage() -> None:
    with pytest.raises(ValueError, match="at least one"):
        CascadeReranker([])


def test_the_time_of_each_stage_is_told(toys: ModuleType) -> None:
    class Slow(ById):
        def rerank(self, queries: Sequence[Any], candidates: Sequence[Ranking], bank: Any) -> list[Ranking]:
            time.sleep(0.3)
            return super().rerank(queries, candidates, bank)

    asked, given = stage_one(toys, [102, 101, 100])
    cascade = CascadeReranker([stage(1, 2, ById()), stage(1, 2, Slow())])
    cascade.rerank(asked, given, toys.BANK)
    assert cascade.last_run is not None
    first, second = cascade.last_run.stage_seconds
    assert first < 0.3 <= second
