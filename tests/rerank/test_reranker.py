"""The protocol costs nothing to import, and another room can meet it without knowing this one."""

import subprocess
import sys
from collections.abc import Sequence

from core.records import Misconception, Query, Ranking
from rerank.identity import IdentityReranker
from rerank.reranker import DeadlineReranker, Reranker

HEAVY = ("torch", "transformers", "sentence_transformers", "faiss", "matplotlib", "polars", "datasets")


def test_importing_the_room_loads_nothing_heavy() -> None:
    code = (
        "import sys, rerank.reranker, rerank.identity, rerank.cross_encoder, rerank.train_cross_encoder\n"
        "import rerank.listwise, rerank.pointwise, rerank.cascade\n"
        f"sys.exit(','.join(name for name in {HEAVY!r} if name in sys.modules) or 0)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert found.stdout == ""


def test_a_class_of_anybody_is_a_reranker(
    queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> None:
    class Backwards:
        def rerank(
            self, queries: Sequence[Query], candidates: Sequence[Ranking], bank: Sequence[Misconception]
        ) -> list[Ranking]:
            return [Ranking.from_scores(r.key, r.ids, range(len(r))) for r in candidates]

    reranker: Reranker = Backwards()
    out = reranker.rerank(queries, candidates, bank)
    assert out[0].ids.tolist() == candidates[0].ids.tolist()[::-1]


def test_only_a_reranker_that_says_what_it_left_out_can_be_given_a_deadline() -> None:
    class Stops(IdentityReranker):
        unreached = ("1_A",)

    assert isinstance(Stops(), DeadlineReranker)
    assert not isinstance(IdentityReranker(), DeadlineReranker)
