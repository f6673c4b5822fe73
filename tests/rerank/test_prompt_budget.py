"""Cutting in the middle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from rerank.prompt_budget import cut_middle, require_room


def test_cuts_by_eye() -> None:
    assert cut_middle([1, 2, 3, 4, 5, 6], keep=6, marker=[0]) == ([1, 2, 3, 4, 5, 6], 0)
    assert cut_middle([1, 2, 3, 4, 5, 6], keep=5, marker=[0]) == ([1, 2, 0, 5, 6], 2)
    assert cut_middle([1, 2, 3, 4, 5, 6], keep=4, marker=[0]) == ([1, 2, 0, 6], 3)
    assert cut_middle([1, 2, 3], keep=1, marker=[0]) == ([1], 2)
    assert cut_middle([1, 2, 3], keep=0, marker=[0]) == ([], 3)


@given(length=st.integers(0, 60), keep=st.integers(0, 70), gap=st.integers(0, 4))
def test_what_stays_and_what_was_cut_add_up(length: int, keep: int, gap: int) -> None:
    tokens, marker = list(range(length)), [-1] * gap
    kept, cut = cut_middle(tokens, keep=keep, marker=marker)
    own = [token for token in kept if token >= 0]
    assert len(kept) <= keep or not length
    assert len(own) + cut == length
    assert own == sorted(own)
    front = len([place for place, token in enumerate(own) if token == place])
    assert own[front:] == tokens[len(tokens) - (len(own) - front) :]
    assert cut == 0 or len(kept) == keep


def test_a_negative_room_is_refused() -> None:
    with pytest.raises(ValueError, match="not be negative"):
        cut_middle([1], keep=-1, marker=[])


def test_what_no_cut_makes_fit_is_refused_with_the_longest_and_what_to_set() -> None:
    require_room({"1_A": 100, "2_B": 99}, max_tokens=100, shown=5)
    with pytest.raises(InputError, match=r"query 2_B: 5 candidates.*130 tokens.*in 2 of 3 queries.*max_tokens to 130"):
        require_room({"1_A": 101, "2_B": 130, "3_C": 100}, max_tokens=100, shown=5)
