"""The orders in which one query's candidates are shown, and the average over them that cancels position bias.

The winning teams averaged ascending and descending order; all cyclic orders cancel a pure slot bias exactly.
"""

from collections.abc import Sequence
from hashlib import sha256
from math import fsum
from typing import Literal

import numpy as np

from core.records import FloatArray, IntArray

OrderKind = Literal["ascending", "descending", "both", "cyclic", "random"]
Space = Literal["log", "probability"]
ORDER_KINDS: tuple[OrderKind, ...] = ("ascending", "descending", "both", "cyclic", "random")


def order_permutations(n: int, *, kind: OrderKind, count: int = 2, seed: int = 0, key: str = "") -> list[IntArray]:
    """Return the orders of n candidates; element s of one is the stage-1 place (0 the best) of the candidate in slot s.

    Args:
        n: Candidates, not negative.
        kind: `ascending` (the best stage-1 candidate first), `descending`, `both` (these two, in this order), `cyclic`
            (the ascending order turned by evenly spread shifts, 0 first) or `random`.
        count: How many cyclic (at most n are made) or random ones; the other kinds do not read it. At least 1.
        seed: Of the random orders.
        key: The query's key: with the seed it decides its random orders, so neither batch nor order of queries does.

    Returns:
        One int64 permutation of 0..n-1 an order; random ones are distinct as long as there are enough.

    Raises:
        ValueError: An argument is out of range.
    """
    if n < 0 or count < 1:
        raise ValueError(f"expected n >= 0 candidates and count >= 1 orders; got n = {n}, count = {count}")
    ascending = np.arange(n, dtype=np.int64)
    if kind == "ascending":
        return [ascending]
    if kind == "descending":
        return [ascending[::-1].copy()]
    if kind == "both":
        return [ascending, ascending[::-1].copy()]
    if kind == "cyclic":
        turns = max(1, min(count, n))
        return [np.roll(ascending, -(number * n // turns)) for number in range(turns)]
    if kind == "random":
        return _random_orders(n, count, seed, key)
    raise ValueError(f"order kind is {kind!r}, expected one of {', '.join(ORDER_KINDS)}")


def _random_orders(n: int, count: int, seed: int, key: str) -> list[IntArray]:
    digest = sha256(f"{seed}\0{key}\0{n}".encode()).digest()
    generator = np.random.default_rng(int.from_bytes(digest[:16], "big"))
    made: list[IntArray] = []
    seen: set[bytes] = set()
    tries = 0
    while len(made) < count:
        order = generator.permutation(n).astype(np.int64)
        tries += 1
        if order.tobytes() in seen and tries < 20 * count:
            continue
        seen.add(order.tobytes())
        made.append(order)
    return made


def by_candidate(slot_logprobs: FloatArray, permutation: IntArray) -> FloatArray:
    """Return the scores by stage-1 place instead of by slot.

    Args:
        slot_logprobs: Scores by slot, shape (n,) or longer: further slots ("none of these") stay where they are.
        permutation: Slot -> stage-1 place, shape (n,).

    Returns:
        float64, the shape of `slot_logprobs`.

    Raises:
        ValueError: There are fewer scores than slots, or `permutation` is none.
    """
    scores = np.asarray(slot_logprobs, dtype=np.float64)
    n = len(permutation)
    if scores.ndim != 1 or len(scores) < n or not np.array_equal(np.sort(permutation), np.arange(n)):
        raise ValueError(f"expected a permutation of {len(scores)} or fewer slots; got {np.asarray(permutation)}")
    placed = scores.copy()
    placed[permutation] = scores[:n]
    return placed


def average_orders(logprobs_by_candidate: FloatArray | Sequence[FloatArray], *, space: Space) -> FloatArray:
    """Return the mean over orders of each candidate's log-probability.

    Sums are exact (`math.fsum`), so the result does not depend on the order of the orders, and a scorer that sees only
    slots gets equal scores to the last bit after all cyclic orders.

    Args:
        logprobs_by_candidate: Shape (orders, n), column c the same candidate in every row; at least one row. "None of
            these" may be a column.
        space: `probability`: the mean of probabilities. `log`: the mean of log-probabilities (a geometric mean), then
            shifted so that the total probability is the mean of the rows' totals.

    Returns:
        float64 log-probabilities, shape (n,); one row comes back as it is.

    Raises:
        ValueError: The shape is another, a value is NaN or above 0 beyond rounding, or `space` is unknown.
    """
    rows = np.asarray(logprobs_by_candidate, dtype=np.float64)
    if rows.ndim != 2 or not len(rows):
        raise ValueError(
            f"expected log-probabilities of shape (orders, candidates), one order at least; got {rows.shape}"
        )
    if np.isnan(rows).any() or (rows > 1e-5).any():
        raise ValueError("expected log-probabilities, none above 0 and none NaN")
    if space not in ("log", "probability"):
        raise ValueError(f"space is {space!r}, expected 'log' or 'probability'")
    if len(rows) == 1 or not rows.shape[1]:
        return np.array(rows[0])
    if space == "probability":
        top = rows.max(axis=0)  # taken out first: e to the -800 is nought
        return np.asarray(top + np.log(_column_means(np.exp(rows - top))))
    means = _column_means(rows)
    total = fsum(np.exp(rows).ravel().tolist()) / len(rows)
    return np.asarray(means + (np.log(total) - np.log(fsum(np.exp(means).tolist()))))


def _column_means(rows: FloatArray) -> FloatArray:
    return np.array([fsum(column) / len(column) for column in rows.T.tolist()], dtype=np.float64)
