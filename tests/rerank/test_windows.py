"""Windows over long lists of candidates."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.fusion import log_softmax
from core.records import FloatArray
from rerank.windows import merge_windows, overlapping_windows, slide, sliding_windows


@st.composite
def layouts(draw: st.DrawFn) -> tuple[int, int, int]:
    n, size = draw(st.integers(0, 120)), draw(st.integers(1, 60))
    return n, size, draw(st.integers(1, size))


def test_windows_by_eye() -> None:
    assert sliding_windows(7, size=4, stride=2) == [range(3, 7), range(1, 5), range(0, 4)]
    assert overlapping_windows(7, size=4, stride=2) == [range(0, 4), range(2, 6), range(3, 7)]
    assert sliding_windows(8, size=4, stride=2) == [range(4, 8), range(2, 6), range(0, 4)]
    assert sliding_windows(3, size=4, stride=2) == overlapping_windows(3, size=4, stride=2) == [range(0, 3)]
    assert sliding_windows(0, size=4, stride=2) == overlapping_windows(0, size=4, stride=2) == []


@given(layout=layouts())
def test_every_candidate_is_scored_in_every_pass(layout: tuple[int, int, int]) -> None:
    n, size, stride = layout
    for windows in (sliding_windows(n, size=size, stride=stride), overlapping_windows(n, size=size, stride=stride)):
        times = Counter(place for window in windows for place in window)
        assert sorted(times) == list(range(n))
        assert all(len(window) == min(size, n) for window in windows)
        assert len({window.start for window in windows}) == len(windows)
    assert [window.start for window in sliding_windows(n, size=size, stride=stride)] == sorted(
        {window.start for window in sliding_windows(n, size=size, stride=stride)}, reverse=True
    )
    assert [window.start for window in overlapping_windows(n, size=size, stride=stride)] == sorted(
        {window.start for window in overlapping_windows(n, size=size, stride=stride)}
    )


@pytest.mark.parametrize("values", [(-1, 2, 1), (5, 0, 1), (5, 2, 3), (5, 2, 0)])
def test_windows_that_would_leave_a_gap_are_refused(values: tuple[int, int, int]) -> None:
    n, size, stride = values
    with pytest.raises(ValueError, match="stride from 1 to the size"):
        sliding_windows(n, size=size, stride=stride)


def slid(merit: FloatArray, size: int, stride: int, passes: int = 1) -> tuple[list[int], FloatArray]:
    """Run sliding windows with a scorer that sees only content; return the last order and the merged scores."""
    order = np.arange(len(merit), dtype=np.int64)
    members, scores = [], []
    for _ in range(passes):
        for window in sliding_windows(len(merit), size=size, stride=stride):
            shown = order[window.start : window.stop].copy()
            read = log_softmax(merit[shown])
            members.append(shown)
            scores.append(read)
            order = slide(order, window, read)
    return order.tolist(), merge_windows(members, scores, len(merit))


def test_a_good_candidate_at_the_bottom_climbs_to_the_top_in_one_pass() -> None:
    merit = np.zeros(20)
    merit[19] = 5.0
    order, _ = slid(merit, size=4, stride=2)
    assert order[0] == 19


@given(data=st.data(), layout=layouts(), passes=st.integers(1, 3))
def test_a_scorer_of_content_alone_is_recovered_from_windows(
    data: st.DataObject, layout: tuple[int, int, int], passes: int
) -> None:
    n, size, stride = layout
    n, stride = min(n, 40), min(stride, size - 1)
    if n == 0 or stride == 0:
        return
    merit = np.array(data.draw(st.lists(st.floats(-20, 20), min_size=n, max_size=n)))
    _, merged = slid(merit, size, stride, passes)
    np.testing.assert_allclose(log_softmax(merged), log_softmax(merit), atol=1e-8)
    windows = overlapping_windows(n, size=size, stride=stride)
    still = merge_windows(windows, [log_softmax(merit[list(window)]) for window in windows], n)
    np.testing.assert_allclose(log_softmax(still), log_softmax(merit), atol=1e-8)


def test_windows_are_merged_by_hand() -> None:
    # the second window is shifted by the mean difference on candidate 1: -1 - (-3) = 2
    merged = merge_windows([[0, 1], [1, 2]], [np.array([-0.5, -1.0]), np.array([-3.0, -0.1])], 3)
    np.testing.assert_allclose(merged, [-0.5, -1.0, 1.9])
    # two that share two candidates: shifted by 0.5, then each shared one is the mean of both readings
    merged = merge_windows([range(0, 2), range(0, 2)], [np.array([-1.0, -2.0]), np.array([-2.0, -2.0])], 2)
    np.testing.assert_allclose(merged, [-1.25, -1.75])
    # nothing shared: nothing to shift by
    np.testing.assert_allclose(merge_windows([[0], [1]], [np.array([-1.0]), np.array([-2.0])], 2), [-1.0, -2.0])


def test_none_of_these_anchors_windows_that_share_nothing() -> None:
    merit, none = np.array([4.0, 1.0, 0.5, 0.0]), 2.0
    scores, anchors = [], []
    for places in ([0, 1], [2, 3]):
        read = log_softmax(np.array([*merit[places], none]))
        scores.append(read[:2])
        anchors.append(float(read[2]))
    np.testing.assert_allclose(merge_windows([[0, 1], [2, 3]], scores, 4, anchors=anchors), merit - none)


def test_equal_scores_keep_their_order() -> None:
    assert slide(np.array([5, 6, 7, 8]), range(1, 4), np.array([-1.0, -0.5, -1.0])).tolist() == [5, 7, 6, 8]


@pytest.mark.parametrize(
    ("members", "scores", "message"),
    [
        ([[0, 1]], [], "1 windows, 0 lists"),
        ([[0, 1]], [np.zeros(1)], "window 0: 1 scores"),
        ([[0, 0]], [np.zeros(2)], "window 0: 2 scores"),
        ([[0, 3]], [np.zeros(2)], r"not all in 0\.\.2"),
        ([[0, 2]], [np.zeros(2)], r"candidates \[1\] stood in no window"),
    ],
)
def test_windows_that_do_not_fit_are_refused(members: list[list[int]], scores: list[FloatArray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        merge_windows(members, scores, 3)
    with pytest.raises(ValueError, match="expected one each"):
        slide(np.arange(3), range(0, 2), np.zeros(3))
