"""How sure a mean is: the cluster bootstrap, and the paired randomisation test between two runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.records import FloatArray, IntArray

Groups = Sequence[str] | Sequence[int] | IntArray
Values = Sequence[float] | FloatArray

_CELLS = 2_000_000
"""Random numbers held at once (16 MB as float64): bounds memory however many rows or resamples are asked for."""


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """What a paired comparison of two runs, a and b, found.

    Attributes:
        difference: Mean of a minus mean of b.
        low: Lower end of the 95 % bootstrap interval of the difference, clustered by group.
        high: Upper end of it.
        p: Two-sided p-value of the randomisation test, in (0, 1].
    """

    difference: float
    low: float
    high: float
    p: float


def bootstrap_interval(
    values: Values, groups: Groups, *, seed: int, resamples: int, level: float = 0.95
) -> tuple[float, float]:
    """Return the percentile interval of a mean under a bootstrap that draws whole groups.

    The answers of one question rise and fall together, so questions are drawn, not answers (the cluster bootstrap;
    Field and Welsh 2007). With one group only there is no spread to see and the interval is a point.

    Args:
        values: Shape (n,), finite, n >= 1.
        groups: Shape (n,): the group of each value, e.g. its question.
        seed: Seed of the draws.
        resamples: How many resamples, at least 1.
        level: Share of the resampled means inside the interval, in (0, 1).

    Returns:
        (low, high).

    Raises:
        ValueError: A shape or range does not hold.
    """
    low, high = bootstrap_intervals(
        np.asarray(values, dtype=np.float64)[:, None], groups, seed=seed, resamples=resamples, level=level
    )[0]
    return float(low), float(high)


def bootstrap_intervals(
    values: FloatArray, groups: Groups, *, seed: int, resamples: int, level: float = 0.95
) -> FloatArray:
    """Return the intervals of several means over the same rows, from the same draws (see `bootstrap_interval`).

    Args:
        values: float64, shape (n, m): m measures of n rows.
        groups: Shape (n,).
        seed: Seed of the draws.
        resamples: How many resamples, at least 1.
        level: In (0, 1).

    Returns:
        float64, shape (m, 2): low and high of each measure.

    Raises:
        ValueError: A shape or range does not hold.
    """
    if resamples < 1 or not 0.0 < level < 1.0:
        raise ValueError(f"expected resamples >= 1 and 0 < level < 1, got {resamples} and {level}")
    sums, counts = _group_sums(values, groups)
    rng = np.random.default_rng(seed)
    means = []
    for rows in _chunks(resamples, len(counts)):
        draws = rng.integers(len(counts), size=(rows, len(counts)))
        flat = (draws + np.arange(rows)[:, None] * len(counts)).ravel()
        weights = np.bincount(flat, minlength=draws.size).reshape(draws.shape).astype(np.float64)
        means.append((weights @ sums) / (weights @ counts)[:, None])
    tail = (1.0 - level) / 2.0
    interval: FloatArray = np.quantile(np.concatenate(means), [tail, 1.0 - tail], axis=0).T
    return interval


def paired_randomisation_test(
    a: Values, b: Values, groups: Groups, *, seed: int, permutations: int = 10_000
) -> PairedTest:
    """Test whether two runs over the same queries differ by more than chance, two-sided.

    Under the null hypothesis the two runs' names may be swapped within any group, which flips the sign of that
    group's summed difference. p = (count + 1) / (permutations + 1), where count is how many random swaps give a mean
    at least as far from zero as the one observed (Smucker, Allan and Carterette 2007; the + 1 counts the observed
    assignment, so that p is never 0). Groups are swapped whole because their rows are not independent.

    Args:
        a: Shape (n,): the measure of each query in the first run.
        b: Shape (n,): the same queries, in the same order, in the second run.
        groups: Shape (n,): the group of each query, e.g. its question.
        seed: Seed of the swaps and of the interval's draws.
        permutations: How many random swaps, at least 1.

    Raises:
        ValueError: A shape or range does not hold.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"expected two flat arrays of one length, got shapes {first.shape} and {second.shape}")
    if permutations < 1:
        raise ValueError(f"expected permutations >= 1, got {permutations}")
    differences = first - second
    sums = _group_sums(differences[:, None], groups)[0][:, 0]
    # Sums that are equal on paper may differ in their last bits: a swap that ties with what was observed must count.
    threshold = abs(float(sums.sum())) - 1e-9 * float(np.abs(sums).sum())
    rng = np.random.default_rng(seed)
    count = 0
    for rows in _chunks(permutations, len(sums)):
        signs = rng.integers(2, size=(rows, len(sums)), dtype=np.int8) * 2.0 - 1.0
        count += int(np.count_nonzero(np.abs(signs @ sums) >= threshold))
    low, high = bootstrap_interval(differences, groups, seed=seed, resamples=permutations)
    return PairedTest(difference=float(differences.mean()), low=low, high=high, p=(count + 1) / (permutations + 1))


def _group_sums(values: FloatArray, groups: Groups) -> tuple[FloatArray, FloatArray]:
    """Return the summed values, shape (g, m), and the number of rows, shape (g,), of each group."""
    names: npt.NDArray[np.generic] = np.asarray(groups)
    if values.ndim != 2 or names.shape != values.shape[:1] or not len(values):
        raise ValueError(f"expected one group per value and at least one value, got {values.shape} and {names.shape}")
    if not np.isfinite(values).all():
        raise ValueError("expected finite values")
    inverse = np.unique(names, return_inverse=True)[1]
    counts = np.bincount(inverse).astype(np.float64)
    sums: FloatArray = np.stack(
        [np.bincount(inverse, weights=column).astype(np.float64) for column in values.T], axis=1
    )
    return sums, counts


def _chunks(total: int, width: int) -> Iterator[int]:
    """Yield numbers of rows that add up to `total`, none holding more than `_CELLS` cells of `width`."""
    step = max(1, _CELLS // width)
    for start in range(0, total, step):
        yield min(step, total - start)
