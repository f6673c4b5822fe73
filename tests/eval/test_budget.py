import numpy as np
import pytest

from core.errors import InputError
from core.records import Ranking
from eval.budget import loss_budget


def ranked(key: str, ids: list[int]) -> Ranking:
    return Ranking(key=key, ids=np.array(ids), scores=-np.arange(len(ids), dtype=float))


def test_budget_by_hand() -> None:
    candidates = [ranked("1_A", [1, 2, 3, 4]), ranked("2_A", [1, 2, 3, 4]), ranked("3_A", [1, 2, 3, 4])]
    final = [ranked("2_A", [4, 3]), ranked("1_A", [2, 1, 3, 4]), ranked("3_A", [1, 2, 3, 4])]
    labels = {"1_A": (2,), "2_A": (3, 9), "3_A": (7,)}
    found = loss_budget(candidates, final, labels)
    assert found.depth == 4
    assert found.recall == pytest.approx((1 + 0.5 + 0) / 3)
    assert found.cap == pytest.approx((1 + 0.5 + 0) / 3)  # one of 2_A's two labels can be first
    assert found.reached == pytest.approx((1 + 1 / 4 + 0) / 3)  # 2_A: label at rank 2, (1/2) / 2
    assert found.retriever == pytest.approx((1 / 2 + 1 / 6 + 0) / 3)
    assert found.lost_by_retriever + found.lost_by_reranker + found.reached == pytest.approx(1.0)
    assert found.to_json()["cap"] == 0.5


def test_more_labels_than_k_are_capped_like_the_measure() -> None:
    candidates, labels = [ranked("1_A", [5, 1, 2, 3])], {"1_A": (1, 2, 3)}
    found = loss_budget(candidates, candidates, labels, k=2)
    assert found.cap == 1.0  # both places can hold a label
    assert found.reached == pytest.approx(0.25)


def test_a_stranger_in_the_final_ranking_is_refused() -> None:
    with pytest.raises(InputError, match="query 1_A: the final ranking holds 9"):
        loss_budget([ranked("1_A", [1, 2])], [ranked("1_A", [1, 9])], {"1_A": (1,)})
