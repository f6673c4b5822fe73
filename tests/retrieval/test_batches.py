import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from retrieval.batches import distinct_documents, draw_texts, epoch_batches, label_rows
from retrieval.mine import BankTexts
from retrieval.pairs import TrainingPair

PAIRS = [
    TrainingPair(query_key=f"{i}_A", query_text=f"plain {i}", positive_id=i, hinted_text=f"hint {i}")
    for i in range(400)
]


def test_hints_are_left_out_at_the_asked_share_and_drawn_anew_each_epoch() -> None:
    first = draw_texts(PAIRS, hint_dropout=0.25, seed=1, epoch=0)
    without = np.array([text.startswith("plain") for text in first])
    assert 0.17 < without.mean() < 0.33  # 0.25 with four standard deviations of 0.02
    assert all(text.endswith(f" {row}") for row, text in enumerate(first))
    assert first == draw_texts(PAIRS, hint_dropout=0.25, seed=1, epoch=0)
    assert first != draw_texts(PAIRS, hint_dropout=0.25, seed=1, epoch=1)


def test_no_dropout_keeps_every_hint_and_full_dropout_none() -> None:
    bare = TrainingPair(query_key="1_A", query_text="bare", positive_id=1)
    assert draw_texts([PAIRS[0], bare], hint_dropout=0.0, seed=0, epoch=0) == ["hint 0", "bare"]
    assert draw_texts([PAIRS[0], bare], hint_dropout=1.0, seed=0, epoch=0) == ["plain 0", "bare"]
    with pytest.raises(ValueError, match="hint_dropout"):
        draw_texts([bare], hint_dropout=1.5, seed=0, epoch=0)


@given(rows=st.integers(1, 60), batch=st.integers(1, 20), seed=st.integers(0, 99), epoch=st.integers(0, 9))
def test_one_process_sees_every_row_once(rows: int, batch: int, seed: int, epoch: int) -> None:
    batches = epoch_batches(rows, batch, seed=seed, epoch=epoch)
    assert sorted(row for group in batches for row in group) == list(range(rows))
    assert all(len(group) == batch for group in batches[:-1])
    assert batches == epoch_batches(rows, batch, seed=seed, epoch=epoch)


def test_epochs_differ_in_order() -> None:
    assert epoch_batches(50, 10, seed=0, epoch=0) != epoch_batches(50, 10, seed=0, epoch=1)


def test_several_processes_get_equal_whole_batches() -> None:
    batches = epoch_batches(23, 4, seed=0, epoch=0, processes=2)
    assert [len(group) for group in batches] == [4, 4, 4, 4]
    assert len({row for group in batches for row in group}) == 16
    with pytest.raises(InputError, match="2 processes"):
        epoch_batches(7, 4, seed=0, epoch=0, processes=2)


def test_label_rows_hold_positive_negatives_and_padded_others() -> None:
    pairs = [
        TrainingPair(query_key="1_A", query_text="t", positive_id=5, other_labels=(8, 9)),
        TrainingPair(query_key="2_A", query_text="t", positive_id=6, other_labels=(7,)),
        TrainingPair(query_key="3_A", query_text="t", positive_id=4),
    ]
    rows = label_rows(pairs, np.array([[1, 2], [3, 1], [2, 3]]))
    assert rows.tolist() == [[5, 1, 2, 8, 9], [6, 3, 1, 7, -1], [4, 2, 3, -1, -1]]
    assert rows.dtype == np.int64
    assert label_rows(pairs[2:], np.empty((1, 0), dtype=np.int64)).tolist() == [[4]]


def test_distinct_documents_by_hand() -> None:
    bank = BankTexts.of({2: "adds", 4: "doubles", 6: "adds", 8: "squares", 9: "id"})
    texts, places = distinct_documents(np.array([[4, 2], [6, 2], [8, 4], [4, 6]]), bank)
    assert texts == ["adds", "adds", "doubles", "squares"]  # 2 and 6 have one text and stay two; by length, then id
    assert places.tolist() == [[2, 0], [1, 0], [3, 2], [2, 1]]
    assert places.dtype == np.int64
    assert distinct_documents(np.array([[9]]), bank)[0] == ["id"]
