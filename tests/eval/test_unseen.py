from eval.unseen import HoldOut


def test_whole_labels_are_moved_first() -> None:
    # Label 1 lives in groups 0 and 1, label 2 in 2 to 9: a quarter of the queries, all unseen, is exactly label 1... or
    # two strangers of it; only the former hides a label without stripping.
    hold_out = HoldOut({0: [(1,)], 1: [(1,)], **{group: [(2,)] for group in range(2, 8)}})
    assert hold_out.fill(unseen_share=1.0, validation_share=0.25, tolerance=0.0, seed=0) == []
    assert hold_out.validation == {0, 1}


def test_a_label_is_stripped_where_its_groups_do_not_fit() -> None:
    # One of four queries may go; label 1 is in training once more, label 2 twice more, so stripping 1 is cheaper.
    hold_out = HoldOut({0: [(1,), (2,)], 1: [(1,)], 2: [(2,), (2,)], 3: [(3,), (3,)]})
    hold_out.validation = {0}
    hold_out._size = 2
    hold_out._train_count.subtract([1, 2])
    assert hold_out._strip(0.5, 0.0) == [1]


def test_a_query_with_two_labels_is_unseen_only_when_both_are_hidden() -> None:
    hold_out = HoldOut({0: [(1, 2)], 1: [(2,)], 2: [(3,)]})
    assert hold_out._gain({0}) == (1, 0)
    assert hold_out._gain({0, 1}) == (2, 2)
    hold_out._move({0})
    assert hold_out._gain({1}) == (1, 2)  # hides 2, which frees the query that moved before as well


def test_share_zero_takes_nothing_unseen() -> None:
    hold_out = HoldOut({group: [(group // 3,)] for group in range(30)})
    assert hold_out.fill(unseen_share=0.0, validation_share=0.3, tolerance=0.0, seed=2) == []
    assert len(hold_out.validation) == 9
    assert hold_out._unseen == 0


def test_validation_is_never_empty() -> None:
    hold_out = HoldOut({0: [(1,)] * 3, 1: [(1,)] * 2, 2: [(1,)] * 3})
    hold_out.fill(unseen_share=0.0, validation_share=0.1, tolerance=0.0, seed=0)
    assert hold_out.validation == {1}
