"""Hard negatives: rankings in, ids of wrong but likely misconceptions out. A pure function; no model is involved."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Self

import numpy as np
import numpy.typing as npt

from core.errors import InputError
from core.records import FloatArray, IntArray, Ranking


@dataclass(frozen=True, kw_only=True)
class DroppedCounts:
    """How many candidates each guard kept away, summed over rows.

    A candidate is counted once, at the first guard that drops it, in the order of the fields. `padded` counts
    negatives that had to be drawn at random because too few candidates passed.
    """

    outside_window: int = 0
    same_label: int = 0
    near_duplicate: int = 0
    absolute_margin: int = 0
    relative_margin: int = 0
    skip_top: int = 0
    padded: int = 0

    def __add__(self, other: Self) -> Self:
        return type(self)(**{item.name: getattr(self, item.name) + getattr(other, item.name) for item in fields(self)})

    def __str__(self) -> str:
        """Return the counts that are not 0, e.g. `same_label 804, near_duplicate 26`, or `none`."""
        counts = {item.name: getattr(self, item.name) for item in fields(self)}
        return ", ".join(f"{name} {count}" for name, count in counts.items() if count) or "none"


@dataclass(frozen=True, kw_only=True, eq=False)
class MinedNegatives:
    """The negatives of each row.

    Attributes:
        ids: int64, shape (n, per_query), misconception ids, distinct within a row, never a label of the row.
        dropped: What the guards dropped.
    """

    ids: IntArray = field(repr=False)
    dropped: DroppedCounts


@dataclass(frozen=True, kw_only=True)
class _Guards:
    """The settings of one call, checked."""

    per_query: int
    rank_window: tuple[int, int]
    skip_top: int
    absolute_margin: float | None
    relative_margin: float | None

    def __post_init__(self) -> None:
        first, last = self.rank_window
        if not 1 <= first <= last:
            raise ValueError(f"rank_window {self.rank_window}: expected 1 <= first <= last (ranks start at 1)")
        if self.per_query < 0 or self.skip_top < 0:
            raise ValueError(f"per_query {self.per_query} and skip_top {self.skip_top} must not be negative")
        for name in ("absolute_margin", "relative_margin"):
            margin = getattr(self, name)
            if margin is not None and margin < 0:
                raise ValueError(f"{name} {margin} is negative")


def mine_negatives(
    rankings: Sequence[Ranking],
    positives: Sequence[Collection[int]],
    *,
    per_query: int,
    rank_window: tuple[int, int] = (1, 50),
    skip_top: int = 0,
    absolute_margin: float | None = None,
    relative_margin: float | None = None,
    near_duplicates: Mapping[int, Collection[int]] | None = None,
    seed: int,
    positive_scores: Sequence[float] | FloatArray | None = None,
    bank_ids: Sequence[int] | IntArray | None = None,
) -> MinedNegatives:
    """Draw hard negatives for every row from the model's own ranking.

    Of each ranking, the candidates at the ranks of the window stay if they are not a label of the row, not nearly the
    same as one, and do not score too close to the positive; the best `skip_top` of those are skipped; of the rest
    `per_query` are drawn evenly at random. If fewer remain, the row is filled at random from everything else that
    passes the two label guards, candidates that a margin dropped last of all.

    The margins are those of NV-Retriever (Moreira et al., 2024: TopK-MarginPos and TopK-PercPos), in the form of
    sentence-transformers' `mine_hard_negatives`. With a positive score p, a candidate with score s is dropped when

    - `absolute_margin` m: s > p - m;
    - `relative_margin` m: s > p - m * abs(p) (m = 0.05 is the paper's "95 % of the positive score").

    Args:
        rankings: n rankings of the bank or of its top, one a row.
        positives: For each row all its true labels.
        per_query: How many negatives a row gets.
        rank_window: First and last rank that may be drawn, counted from 1 over the ranking as it is.
        skip_top: How many of the best surviving candidates to pass over.
        absolute_margin: See above; None switches it off.
        relative_margin: See above; None switches it off.
        near_duplicates: Id to the ids that mean nearly the same (see `near_duplicate_labels`).
        seed: Rows are drawn from generators of (seed, row), so a row does not depend on the others' guards.
        positive_scores: Shape (n,), the score of each row's positive. None looks it up: the row's best label in the
            ranking, or, where none is in it, the ranking's last score, which is an upper bound.
        bank_ids: Where the fill comes from; None takes the ids of the row's ranking.

    Raises:
        ValueError: The shapes differ, or an argument is out of range.
        InputError: The bank has too few entries that are no label of a row.
    """
    guards = _Guards(
        per_query=per_query,
        rank_window=rank_window,
        skip_top=skip_top,
        absolute_margin=absolute_margin,
        relative_margin=relative_margin,
    )
    if len(rankings) != len(positives) or (positive_scores is not None and len(positive_scores) != len(rankings)):
        raise ValueError(f"{len(rankings)} rankings, but {len(positives)} rows of labels or another number of scores")
    bank = None if bank_ids is None else np.unique(np.asarray(bank_ids, dtype=np.int64))
    mined = np.empty((len(rankings), per_query), dtype=np.int64)
    dropped = DroppedCounts()
    for row, (ranking, labels) in enumerate(zip(rankings, positives, strict=True)):
        forbidden = np.array(sorted(labels), dtype=np.int64)
        similar = sorted({twin for label in labels for twin in (near_duplicates or {}).get(label, ())} - set(labels))
        score = _positive_score(ranking, forbidden) if positive_scores is None else float(positive_scores[row])
        kept, suspects, counts = _survivors(ranking, forbidden, np.array(similar, dtype=np.int64), score, guards)
        rng = np.random.default_rng([seed, row])
        drawn = kept if len(kept) <= per_query else kept[np.sort(rng.choice(len(kept), per_query, replace=False))]
        missing = per_query - len(drawn)
        if missing:
            pool = np.unique(ranking.ids) if bank is None else bank
            pool = pool[~np.isin(pool, np.concatenate([forbidden, np.array(similar, dtype=np.int64), drawn]))]
            if len(pool) < missing:
                raise InputError(
                    f"row {row} ({ranking.key}): {per_query} negatives were asked for, but only "
                    f"{len(pool) + len(drawn)} entries are neither its label nor a near duplicate of it. "
                    "Ask for fewer negatives, or use a larger bank."
                )
            pool = rng.permutation(pool)
            pool = pool[np.argsort(np.isin(pool, suspects), kind="stable")]
            drawn = np.concatenate([drawn, pool[:missing]])
        mined[row] = drawn
        dropped = dropped + counts + DroppedCounts(padded=missing)
    return MinedNegatives(ids=mined, dropped=dropped)


def _positive_score(ranking: Ranking, labels: IntArray) -> float:
    found = np.flatnonzero(np.isin(ranking.ids, labels))
    if len(found):
        return float(ranking.scores[found[0]])
    return float(ranking.scores[-1]) if len(ranking) else 0.0


def _survivors(
    ranking: Ranking, labels: IntArray, similar: IntArray, positive_score: float, guards: _Guards
) -> tuple[IntArray, IntArray, DroppedCounts]:
    """Return the ids that pass every guard in rank order, those a margin dropped, and the counts."""
    first, last = guards.rank_window
    ids, scores = ranking.ids[first - 1 : last], ranking.scores[first - 1 : last]
    alive = np.ones(len(ids), dtype=np.bool_)

    def drop(wrong: npt.NDArray[np.bool_]) -> int:
        count = int((alive & wrong).sum())
        alive[wrong] = False
        return count

    same = drop(np.isin(ids, labels))
    near = drop(np.isin(ids, similar))
    before = alive.copy()
    absolute = relative = 0
    if guards.absolute_margin is not None:
        absolute = drop(scores > positive_score - guards.absolute_margin)
    if guards.relative_margin is not None:
        relative = drop(scores > positive_score - guards.relative_margin * abs(positive_score))
    suspects = ids[before & ~alive]
    kept = ids[alive]
    counts = DroppedCounts(
        outside_window=len(ranking) - len(ids),
        same_label=same,
        near_duplicate=near,
        absolute_margin=absolute,
        relative_margin=relative,
        skip_top=min(guards.skip_top, len(kept)),
    )
    return kept[guards.skip_top :], suspects, counts


def near_duplicate_labels(
    embeddings: npt.NDArray[np.floating], ids: Sequence[int] | IntArray, *, threshold: float, block: int = 1024
) -> dict[int, set[int]]:
    """Find misconceptions whose names mean nearly the same: as negatives of one another they would teach a falsehood.

    Args:
        embeddings: Shape (m, d), one name a row; normalised here.
        ids: The m ids, distinct.
        threshold: Cosine in (0, 1] from which two names are near duplicates.
        block: Rows compared at once, which bounds the memory to block x m values.

    Returns:
        Id to the ids of its near duplicates, symmetric; ids without any are left out.

    Raises:
        ValueError: Shapes differ, or the threshold is outside (0, 1].
    """
    id_array = np.asarray(ids, dtype=np.int64)
    if embeddings.ndim != 2 or len(embeddings) != len(id_array):
        raise ValueError(f"{len(id_array)} ids, but embeddings of shape {embeddings.shape}")
    if not 0.0 < threshold <= 1.0:
        raise ValueError(f"threshold {threshold} is not in (0, 1]")
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    unit = (embeddings / np.where(norms > 0, norms, 1.0)).astype(np.float32)
    pairs: dict[int, set[int]] = {}
    for start in range(0, len(unit), block):
        # 1e-6: two equal names differ from cosine 1 by float noise.
        close = unit[start : start + block] @ unit.T >= threshold - 1e-6
        for left, right in zip(*np.nonzero(close), strict=True):
            if left + start != right:
                pairs.setdefault(int(id_array[left + start]), set()).add(int(id_array[right]))
    return pairs
