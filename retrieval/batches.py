"""What a training epoch reads: texts with or without hints, rows in seeded order, label rows, distinct documents."""

from collections.abc import Sequence

import numpy as np

from core.errors import InputError
from core.records import IntArray
from retrieval.loss import PAD_ID
from retrieval.mine import BankTexts
from retrieval.pairs import TrainingPair

# Each random choice has a stream of its own, so that one never shifts another.
_ORDER_STREAM, _HINT_STREAM = 1, 2


def draw_texts(pairs: Sequence[TrainingPair], *, hint_dropout: float, seed: int, epoch: int) -> list[str]:
    """Choose each pair's text for one epoch: with its hint, or, with probability `hint_dropout`, without.

    A model that always saw a hint is lost without one; one that saw both works with both (issue 2, section 4).

    Args:
        pairs: n pairs; those without a hinted text keep their plain one.
        hint_dropout: Share in [0, 1] of the hints left out.
        seed: Together with `epoch` it fixes the draw.
        epoch: Counted from 0.

    Raises:
        ValueError: The share is outside [0, 1].
    """
    if not 0.0 <= hint_dropout <= 1.0:
        raise ValueError(f"hint_dropout {hint_dropout} is not in [0, 1]")
    draws = np.random.default_rng([seed, epoch, _HINT_STREAM]).random(len(pairs))
    return [
        pair.query_text if pair.hinted_text is None or draw < hint_dropout else pair.hinted_text
        for pair, draw in zip(pairs, draws, strict=True)
    ]


def epoch_batches(rows: int, batch_size: int, *, seed: int, epoch: int, processes: int = 1) -> list[list[int]]:
    """Shuffle the rows of one epoch and cut them into batches.

    On one process the last batch may be short. On several, rows that do not fill one whole batch for each are left
    out of this epoch (other ones in the next), because gathering needs equal shapes.

    Args:
        rows: Number of training rows.
        batch_size: Rows a process and step.
        seed: Together with `epoch` it fixes the order.
        epoch: Counted from 0.
        processes: How many processes train together; process r takes batches r, r + processes, ...

    Raises:
        InputError: There are too few rows for one batch on every process.
    """
    order = np.random.default_rng([seed, epoch, _ORDER_STREAM]).permutation(rows)
    if processes > 1:
        share = batch_size * processes
        if rows < share:
            raise InputError(
                f"{rows} training rows do not fill one batch of {batch_size} on each of {processes} processes. "
                "Use a smaller batch or fewer processes."
            )
        order = order[: rows - rows % share]
    return [[int(row) for row in order[start : start + batch_size]] for start in range(0, len(order), batch_size)]


def label_rows(pairs: Sequence[TrainingPair], negatives: IntArray) -> IntArray:
    """Return what the loss takes as labels, for all rows at once.

    Args:
        pairs: n pairs.
        negatives: int64, shape (n, k), the hard negatives.

    Returns:
        int64, shape (n, 1 + k + others): the positive, the negatives, then the pair's other true labels filled with
        -1 to the largest number of them among all pairs.
    """
    others = max((len(pair.other_labels) for pair in pairs), default=0)
    rows = np.full((len(pairs), 1 + negatives.shape[1] + others), PAD_ID, dtype=np.int64)
    rows[:, 1 : 1 + negatives.shape[1]] = negatives
    for row, pair in zip(rows, pairs, strict=True):
        row[0] = pair.positive_id
        if pair.other_labels:
            row[1 + negatives.shape[1] :][: len(pair.other_labels)] = pair.other_labels
    return rows


def distinct_documents(ids: IntArray, bank: BankTexts) -> tuple[list[str], IntArray]:
    """List each document of a batch once, by id: two ids with one text are two documents.

    Args:
        ids: int64, shape (batch, 1 + k), the positive's and the negatives' ids of each row.
        bank: Their texts.

    Returns:
        The m texts, shorter ones first; and int64, shape (batch, 1 + k), where in them each id's text stands.
    """
    distinct, flat = np.unique(ids, return_inverse=True)
    texts = [bank.texts[at] for at in bank.places(distinct)]
    order = sorted(range(len(texts)), key=lambda at: (len(texts[at]), at))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return [texts[at] for at in order], rank[flat.reshape(ids.shape)]
