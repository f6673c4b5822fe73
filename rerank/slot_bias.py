"""How much the slot of a candidate moves its score, whatever stands there; taking it away; how sure a ranking is."""

from collections.abc import Sequence

import numpy as np

from core.records import FloatArray, IntArray


def slot_bias(slot_logprobs: FloatArray | Sequence[FloatArray]) -> FloatArray:
    """Return the mean log-probability of each slot as a deviation from its prompt's mean.

    Where stage-1 places follow slots (ascending order), good candidates stand in the first slots, and this holds their
    merit as well as the bias; `slot_bias_of_orders` tells the two apart where queries were asked in several orders.

    Args:
        slot_logprobs: Log-probabilities by slot, shape (prompts, n), one prompt at least, all of the same n.

    Returns:
        float64, shape (n,), in nats, its mean nought; positive where a slot is favoured.

    Raises:
        ValueError: The shape is another or a value is not finite.
    """
    rows = _rows(slot_logprobs)
    centred: FloatArray = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(centred.mean(axis=0), dtype=np.float64)


def slot_bias_of_orders(
    queries: Sequence[tuple[Sequence[FloatArray], Sequence[IntArray]]],
) -> FloatArray:
    """Return each slot's bias with the candidates' own merit taken out, by least squares.

    Model: log-probability = merit of (query, candidate) + bias of the slot + a constant of the prompt + noise. Merits
    and constants are swept out of both sides (each candidate stands once in every order, so means do it), and the bias
    of least length that explains the rest is returned. Ascending and descending order alone cannot tell a bias that is
    alike at both ends of the list; cyclic and random orders tell all of it.

    Args:
        queries: For each query the log-probabilities by slot of its orders and the permutations (slot -> candidate);
            all of the same number n of candidates. Queries of a single order say nothing and are left out.

    Returns:
        float64, shape (n,), in nats, its mean nought.

    Raises:
        ValueError: No query has two orders, or shapes differ.
    """
    normal: FloatArray | None = None
    right: FloatArray | None = None
    for logprobs, permutations in queries:
        rows, order = _rows(logprobs), np.asarray(permutations, dtype=np.int64)
        if rows.shape != order.shape or (normal is not None and len(normal) != rows.shape[1]):
            raise ValueError(f"expected scores and permutations of one shape for all queries; got {rows.shape}")
        if len(rows) < 2:
            continue
        slots = np.broadcast_to(np.eye(rows.shape[1]), (*rows.shape, rows.shape[1]))
        swept = _swept(slots, order).reshape(-1, rows.shape[1])
        values = _swept(rows[:, :, None], order).reshape(-1)
        normal = swept.T @ swept + (0.0 if normal is None else normal)
        right = swept.T @ values + (0.0 if right is None else right)
    if normal is None or right is None:
        raise ValueError("a slot's bias is told from queries that were asked in two orders or more; got none")
    bias = np.asarray(np.linalg.pinv(normal, rcond=1e-9, hermitian=True) @ right, dtype=np.float64)
    return np.asarray(bias - bias.mean(), dtype=np.float64)


def _swept(values: FloatArray, permutations: IntArray) -> FloatArray:
    """Take the means of orders and of candidates out of values of shape (orders, slots, k)."""
    by_candidate = np.empty_like(values, dtype=np.float64)
    for row, order in enumerate(permutations):
        by_candidate[row, order] = values[row]
    by_candidate = by_candidate - by_candidate.mean(axis=0, keepdims=True)
    return np.asarray(by_candidate - by_candidate.mean(axis=1, keepdims=True), dtype=np.float64)


def remove_slot_bias(slot_logprobs: FloatArray, bias: FloatArray) -> FloatArray:
    """Return one prompt's log-probabilities without the bias of the slots, with the total probability they had.

    Args:
        slot_logprobs: Log-probabilities by slot, shape (n,).
        bias: Shape (n,), see `slot_bias`.

    Raises:
        ValueError: Shapes differ.
    """
    scores, shift = np.asarray(slot_logprobs, dtype=np.float64), np.asarray(bias, dtype=np.float64)
    if scores.shape != shift.shape or scores.ndim != 1:
        raise ValueError(f"{scores.shape} scores and a bias of {shift.shape}; expected one number a slot in both")
    if not len(scores):
        return scores.copy()
    levelled = scores - shift
    shifted: FloatArray = levelled + (np.logaddexp.reduce(scores) - np.logaddexp.reduce(levelled))
    return shifted


def margin(logprobs: FloatArray) -> float:
    """Return how far the best stands above the second best, in nats; infinite where there is no second."""
    if len(logprobs) < 2:
        return float("inf")
    second, best = np.partition(np.asarray(logprobs, dtype=np.float64), -2)[-2:]
    return float(best - second)


def _rows(slot_logprobs: FloatArray | Sequence[FloatArray]) -> FloatArray:
    if len({len(row) for row in slot_logprobs}) > 1:
        raise ValueError("prompts of several numbers of slots; take each number's bias by itself")
    rows = np.asarray(slot_logprobs, dtype=np.float64)
    if rows.ndim != 2 or not rows.size or not np.isfinite(rows).all():
        raise ValueError(f"expected finite log-probabilities of shape (prompts, slots), some of each; got {rows.shape}")
    return rows
