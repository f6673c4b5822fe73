"""Windows over more candidates than one prompt holds: where they lie, and how their scores become one a candidate.

Sliding windows go from the bottom of the list to its top and carry the best of each window into the next (RankGPT, Sun
et al., EMNLP 2023); overlapping windows stand still and their scores are averaged (fifth team). A window's
log-probabilities are relative to what else stood in it, so before they are averaged they are shifted until the
candidates that two windows share agree.
"""

from collections.abc import Sequence

import numpy as np

from core.records import FloatArray, IntArray


def sliding_windows(n: int, *, size: int, stride: int) -> list[range]:
    """Return one pass of windows over places 0..n-1 from the bottom up; the last begins at place 0.

    All windows are `size` long (n where n is less), so the topmost two may overlap by more than `size - stride`.

    Args:
        n: Candidates, not negative.
        size: Candidates a window, at least 1.
        stride: How far each window lies above the one before, 1 to `size`.

    Returns:
        The windows in the order they are asked; none where n is 0. Every place is in one at least.

    Raises:
        ValueError: An argument is out of range; a larger stride would leave candidates without a score.
    """
    return [range(n - window.stop, n - window.start) for window in overlapping_windows(n, size=size, stride=stride)]


def overlapping_windows(n: int, *, size: int, stride: int) -> list[range]:
    """Return windows over places 0..n-1 from the top down; the last ends at place n-1.

    Args and errors are those of `sliding_windows`.
    """
    if n < 0 or size < 1 or not 1 <= stride <= size:
        raise ValueError(
            f"expected n >= 0 candidates, a window size >= 1 and a stride from 1 to the size; got n = {n}, "
            f"size = {size}, stride = {stride}"
        )
    if n == 0:
        return []
    last = max(0, n - size)
    starts = [*range(0, last, stride), last]
    return [range(start, min(start + size, n)) for start in starts]


def slide(order: IntArray, window: range, scores: FloatArray) -> IntArray:
    """Return the order with one window's stretch sorted by falling score; equal scores keep their order.

    Args:
        order: Candidate places, best first, shape (n,).
        window: The stretch of `order` that was asked.
        scores: A score for each of the stretch, in its order, shape (len(window),).

    Raises:
        ValueError: Scores and window differ in length, or the window leaves the list.
    """
    if len(scores) != len(window) or window.start < 0 or window.stop > len(order):
        raise ValueError(f"{len(scores)} scores for window {window} of {len(order)} candidates; expected one each")
    moved = np.array(order, dtype=np.int64)
    stretch = moved[window.start : window.stop]
    moved[window.start : window.stop] = stretch[np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")]
    return moved


def merge_windows(
    members: Sequence[Sequence[int] | IntArray | range],
    scores: Sequence[FloatArray],
    n: int,
    *,
    anchors: Sequence[float] | None = None,
) -> FloatArray:
    """Return one score a candidate from the scores of windows, each candidate's shifted scores averaged.

    1. The first window's scores stand as they are.
    2. Each further window is shifted by the mean difference on the candidates that have a score already; where it
       shares none, it is shifted by nothing.
    3. A candidate's score is the mean over the windows it stood in.

    If scores were a property of the candidate alone (up to each window's normalisation) the result is exact up to one
    constant.

    Args:
        members: For each window the candidates (places 0..n-1, distinct) in it, in the order of its scores.
        scores: For each window a log-probability a member.
        n: Candidates.
        anchors: For each window the log-probability of "none of these" in it; the same thing in all windows, so scores
            are taken relative to it instead of being shifted.

    Returns:
        float64, shape (n,), scores of no particular total; take a log-softmax for log-probabilities.

    Raises:
        ValueError: Lengths differ, a place is out of range, twice in a window or in no window.
    """
    if len(members) != len(scores) or (anchors is not None and len(anchors) != len(scores)):
        raise ValueError(f"{len(members)} windows, {len(scores)} lists of scores; expected one (and one anchor) each")
    total, count = np.zeros(n), np.zeros(n)
    for number, (window, values) in enumerate(zip(members, scores, strict=True)):
        places, own = np.asarray(window, dtype=np.int64), np.asarray(values, dtype=np.float64)
        if places.shape != own.shape or len(np.unique(places)) != len(places):
            raise ValueError(f"window {number}: {len(own)} scores for the candidates {places.tolist()}")
        if len(places) and not (places.min() >= 0 and places.max() < n):
            raise ValueError(f"window {number}: candidates {places.tolist()} are not all in 0..{n - 1}")
        own = own + (_shift(total, count, places, own) if anchors is None else -float(anchors[number]))
        total[places] += own
        count[places] += 1
    if (count == 0).any():
        raise ValueError(f"candidates {np.flatnonzero(count == 0)[:5].tolist()} stood in no window")
    return total / count


def _shift(total: FloatArray, count: FloatArray, places: IntArray, own: FloatArray) -> float:
    shared = count[places] > 0
    if not shared.any():
        return 0.0
    known = places[shared]
    return float(np.mean(total[known] / count[known] - own[shared]))
