import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.records import Ranking
from retrieval.top import top_rankings


@given(st.lists(st.lists(st.integers(-2, 2), min_size=5, max_size=5), min_size=1, max_size=4), st.integers(1, 7))
def test_equals_sorting_each_row_with_python(rows: list[list[int]], top_n: int) -> None:
    ids = np.array([30, 10, 50, 20, 40])
    rankings = top_rankings([f"{i}_A" for i in range(len(rows))], ids, np.array(rows, dtype=np.float32), top_n=top_n)
    for i, row in enumerate(rows):
        pairs = sorted(zip(row, ids.tolist(), strict=True), key=lambda pair: (-pair[0], pair[1]))[:top_n]
        expected = Ranking(
            key=f"{i}_A", ids=np.array([p[1] for p in pairs]), scores=np.array([float(p[0]) for p in pairs])
        )
        assert rankings[i] == expected


def test_shapes_and_top_n_are_checked() -> None:
    with pytest.raises(ValueError, match="expected \\(1, 2\\)"):
        top_rankings(["1_A"], np.array([1, 2]), np.zeros((2, 2)), top_n=1)
    with pytest.raises(ValueError, match="top_n"):
        top_rankings(["1_A"], np.array([1, 2]), np.zeros((1, 2)), top_n=0)
