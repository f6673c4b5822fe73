import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.records import Ranking
from retrieval.negatives import DroppedCounts, mine_negatives, near_duplicate_labels

# ranks:      1     2     3     4     5     6     7     8
IDS = [30, 10, 50, 20, 60, 40, 70, 80]
SCORES = [0.9, 0.8, 0.75, 0.7, 0.6, 0.5, 0.4, 0.3]


def ranking(key: str = "1_A") -> Ranking:
    return Ranking.from_scores(key, IDS, SCORES)


def test_the_window_counts_ranks_from_one_and_drops_labels() -> None:
    mined = mine_negatives([ranking()], [[20]], per_query=3, rank_window=(2, 5), seed=0)
    # ranks 2 to 5 are 10, 50, 20, 60; 20 is the label; exactly three remain, in rank order
    assert mined.ids.tolist() == [[10, 50, 60]]
    assert mined.ids.dtype == np.int64
    assert mined.dropped == DroppedCounts(outside_window=4, same_label=1)


def test_every_true_label_is_dropped() -> None:
    mined = mine_negatives([ranking()], [[10, 20, 30]], per_query=5, rank_window=(1, 8), seed=0)
    assert mined.ids.tolist() == [[50, 60, 40, 70, 80]]
    assert mined.dropped.same_label == 3


def test_absolute_margin_is_against_the_positive() -> None:
    # positive 20 has 0.7: with 0.1, all above 0.6 go (30, 10, 50); 60 at exactly 0.6 stays
    mined = mine_negatives([ranking()], [[20]], per_query=4, rank_window=(1, 8), absolute_margin=0.1 - 1e-12, seed=0)
    assert mined.ids.tolist() == [[60, 40, 70, 80]]
    assert mined.dropped == DroppedCounts(same_label=1, absolute_margin=3)


def test_relative_margin_is_a_share_of_the_positive_score() -> None:
    # 0.7 - 0.4 * 0.7 = 0.42: 30, 10, 50, 60, 40 go; 70 and 80 stay
    mined = mine_negatives([ranking()], [[20]], per_query=2, rank_window=(1, 8), relative_margin=0.4, seed=0)
    assert mined.ids.tolist() == [[70, 80]]
    assert mined.dropped == DroppedCounts(same_label=1, relative_margin=5)


def test_a_negative_positive_score_still_lowers_the_bar() -> None:
    low = Ranking.from_scores("1_A", [1, 2, 3], [-0.5, -0.52, -0.6])
    # -0.5 - 0.1 * 0.5 = -0.55: only 3 is below it (times 0.9 would have let both in)
    mined = mine_negatives([low], [[1]], per_query=1, rank_window=(1, 3), relative_margin=0.1, seed=0)
    assert mined.ids.tolist() == [[3]]


def test_given_positive_scores_win_over_the_ranking() -> None:
    mined = mine_negatives(
        [ranking()], [[20]], per_query=1, rank_window=(1, 8), absolute_margin=0.0, positive_scores=[0.35], seed=0
    )
    assert mined.ids.tolist() == [[80]]


def test_a_positive_outside_the_ranking_scores_at_most_its_last() -> None:
    mined = mine_negatives([ranking()], [[99]], per_query=1, rank_window=(1, 8), absolute_margin=0.0, seed=0)
    assert mined.ids.tolist() == [[80]]
    assert mined.dropped.absolute_margin == 7


def test_near_duplicates_of_a_label_are_dropped_and_never_pad() -> None:
    mined = mine_negatives(
        [ranking()], [[20]], per_query=5, rank_window=(1, 4), near_duplicates={20: {10, 60}, 30: {50}}, seed=3
    )
    assert mined.dropped == DroppedCounts(outside_window=4, same_label=1, near_duplicate=1, padded=3)
    assert mined.ids[0, :2].tolist() == [30, 50]
    assert set(mined.ids[0, 2:].tolist()) == {40, 70, 80}


def test_skip_top_passes_over_the_best_survivors() -> None:
    mined = mine_negatives([ranking()], [[30]], per_query=2, rank_window=(1, 5), skip_top=2, seed=0)
    assert mined.ids.tolist() == [[20, 60]]  # survivors 10, 50, 20, 60
    assert mined.dropped.skip_top == 2


def test_padding_comes_from_the_bank_and_takes_margin_victims_last() -> None:
    bank = [*IDS, 90, 91]
    mined = mine_negatives(
        [ranking()], [[20]], per_query=7, rank_window=(1, 5), absolute_margin=0.0, bank_ids=bank, seed=1
    )
    # survivors: 60; victims: 30, 10, 50; untouched elsewhere: 40, 70, 80, 90, 91
    assert mined.ids[0, 0] == 60
    assert set(mined.ids[0, 1:6].tolist()) == {40, 70, 80, 90, 91}
    assert mined.ids[0, 6] in {30, 10, 50}
    assert mined.dropped.padded == 6


def test_a_bank_that_is_too_small_stops() -> None:
    with pytest.raises(InputError, match=r"only 7 entries .* larger bank"):
        mine_negatives([ranking()], [[20]], per_query=8, seed=0)


@pytest.mark.parametrize(
    "wrong", [{"rank_window": (0, 5)}, {"rank_window": (5, 4)}, {"skip_top": -1}, {"absolute_margin": -0.1}]
)
def test_arguments_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        mine_negatives([ranking()], [[20]], per_query=1, seed=0, **wrong)  # type: ignore[arg-type]


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="1 rankings"):
        mine_negatives([ranking()], [], per_query=1, seed=0)


@given(seed=st.integers(0, 2**31), per_query=st.integers(0, 6), labels=st.sets(st.sampled_from(IDS), max_size=2))
def test_rows_hold_distinct_wrong_answers_and_the_seed_fixes_them(seed: int, per_query: int, labels: set[int]) -> None:
    rows = [ranking(), ranking("2_B")]
    mined = mine_negatives(rows, [labels, labels], per_query=per_query, rank_window=(2, 6), seed=seed)
    for row in mined.ids:
        assert len(set(row.tolist())) == per_query
        assert not set(row.tolist()) & labels
    again = mine_negatives(rows, [labels, labels], per_query=per_query, rank_window=(2, 6), seed=seed)
    assert (again.ids == mined.ids).all()


def test_draws_are_spread_over_the_window() -> None:
    rows = [ranking(f"{i}_A") for i in range(300)]
    mined = mine_negatives(rows, [[20]] * 300, per_query=1, rank_window=(1, 8), seed=5)
    counts = np.array([(mined.ids == id).sum() for id in IDS if id != 20])
    assert counts.min() > 20  # 300 / 7 = 43 each; a draw of the top alone would leave zeros


def test_near_duplicates_by_cosine() -> None:
    names = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0], [1.0, 0.1]])
    assert near_duplicate_labels(names, [7, 3, 5, 9], threshold=0.99, block=2) == {7: {3, 9}, 3: {7, 9}, 9: {7, 3}}
    assert near_duplicate_labels(names, [7, 3, 5, 9], threshold=1.0) == {7: {3}, 3: {7}}
    with pytest.raises(ValueError, match="threshold"):
        near_duplicate_labels(names, [7, 3, 5, 9], threshold=0.0)


def test_counts_are_told_in_words_and_nought_is_left_out() -> None:
    assert str(DroppedCounts(same_label=3, padded=1)) == "same_label 3, padded 1"
    assert str(DroppedCounts()) == "none"
