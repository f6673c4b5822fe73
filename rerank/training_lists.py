"""Candidate lists to train a language model on: sizes vary, the order is random, the truth may be withheld."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.records import FloatArray, Ranking
from rerank.training_groups import CandidateGroup


@dataclass(frozen=True, kw_only=True)
class TrainingList:
    """One list of candidates as it is shown.

    Attributes:
        query_index: Place of the query in the list the groups were made from.
        ids: The candidates, distinct, in the order they are shown.
        truth: The label among them; None where it was withheld ("none of these" is right).
        weight: What its loss is multiplied by.
    """

    query_index: int
    ids: tuple[int, ...]
    truth: int | None
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.truth is not None and self.truth not in self.ids:
            raise ValueError(f"list of query {self.query_index}: the truth {self.truth} is not among {self.ids}")


def training_lists(
    groups: Sequence[CandidateGroup],
    *,
    sizes: tuple[int, int] = (3, 52),
    spread: float = 2.0,
    none_share: float = 0.0,
    seed: int = 0,
    epoch: int = 0,
) -> list[TrainingList]:
    """Cut groups to lists of varying size in random order (the 2nd team's 3 to 25, shuffled, of the competition).

    A list of n takes the truth and n - 1 of the first `spread * (n - 1)` wrong candidates, so that short lists are as
    hard as those that a reranker is given.

    Args:
        groups: From `training_groups`, with as many wrong candidates as there are to draw from, in stage-1 order.
        sizes: Smallest and largest list, truth included; each size between them is as likely. A group with fewer
            candidates gives what it has.
        spread: At least 1, which takes the best wrong candidates always; more gives each epoch other ones.
        none_share: Share of the lists whose truth is withheld, its place taken by one more wrong candidate; 0 to 1.
        seed: Of sizes, draws and orders.
        epoch: Gives each epoch its own.

    Returns:
        A list for each group, in the same order; it depends on the seed, the epoch and its place alone.

    Raises:
        ValueError: A number is out of range.
    """
    smallest, largest = sizes
    if not 2 <= smallest <= largest or not spread >= 1 or not 0 <= none_share <= 1:
        raise ValueError(
            f"expected 2 <= smallest <= largest size, spread >= 1, none_share from 0 to 1; "
            f"got {sizes}, {spread}, {none_share}"
        )
    made = []
    for place, group in enumerate(groups):
        rng = np.random.default_rng([seed, epoch, place, 1])  # the 1: not the numbers that drew the group
        truth = group.ids[group.label_index]
        wrong = [id for id in group.ids if id != truth]
        size = int(rng.integers(smallest, largest + 1))
        withheld = bool(rng.random() < none_share) and len(wrong) > 1
        wanted = min(size if withheld else size - 1, len(wrong))
        near = wrong[: math.ceil(spread * wanted)]
        drawn = [near[at] for at in rng.choice(len(near), size=wanted, replace=False)]
        shown = drawn if withheld else [truth, *drawn]
        ids = tuple(shown[at] for at in rng.permutation(len(shown)))
        held = None if withheld else truth
        made.append(TrainingList(query_index=group.query_index, ids=ids, truth=held, weight=group.weight))
    return made


def soft_targets(
    shown: TrainingList, *, teacher: Ranking | None = None, weight: float = 0.0, temperature: float = 1.0
) -> tuple[FloatArray, bool]:
    """Return what the probabilities of a list should be: the truth's 1, mixed with a teacher's opinion.

    Args:
        shown: The list.
        teacher: The teacher's scores of the query's candidates (log-probabilities); None where there is none.
        weight: The teacher's share, 0 to 1.
        temperature: The teacher's scores are divided by it, then softmax over the list (Hinton et al. 2015).

    Returns:
        float64, shape (candidates,), in the order of `shown.ids`; sums to 1, or all 0 where the truth was withheld.
        And whether the teacher was used: a teacher that lacks one of the candidates is not.

    Raises:
        ValueError: A number is out of range.
    """
    if not 0 <= weight <= 1 or not temperature > 0:
        raise ValueError(f"expected weight from 0 to 1 and temperature > 0; got {weight}, {temperature}")
    hard = np.array([id == shown.truth for id in shown.ids], dtype=np.float64)
    if teacher is None or weight == 0.0 or shown.truth is None:
        return hard, False
    scores = dict(zip(teacher.ids.tolist(), teacher.scores.tolist(), strict=True))
    if not scores.keys() >= set(shown.ids):
        return hard, False
    logits = np.array([scores[id] for id in shown.ids]) / temperature
    soft = np.exp(logits - logits.max())
    return (1.0 - weight) * hard + weight * soft / soft.sum(), True
