"""The measures behind the bias report, each a pure function of order scores (`eval.bias` puts them together)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.order_scores import OrderScores
from core.records import FloatArray, IntArray, Ranking
from eval.metrics import average_precisions

Average = Literal["log", "probability"]
_Group = tuple[str, int, tuple[int, ...]]


@dataclass(frozen=True, kw_only=True, eq=False)
class SlotMeans:
    """Mean label probability by slot, over all prompts that have the slot.

    Attributes:
        prompts: Prompts that have the slot, int64, shape (slots,).
        before: Mean probability of the label in the slot, as each prompt gave it, float64, shape (slots,).
        after: Mean probability, averaged over its query's orders (or as the first one gave it without its slot bias,
            where that ranked), of the candidate that stood in the slot; a slot that adds nothing has `after` equal to
            `before`.
        by_order: `before` of each order alone, shape (slots,); NaN where the order has no such slot.
    """

    prompts: IntArray
    before: FloatArray
    after: FloatArray
    by_order: Mapping[int, FloatArray]


@dataclass(frozen=True, kw_only=True, eq=False)
class SlotEffects:
    """What a slot adds to a candidate's log-probability by itself, from queries scored in a random order.

    Attributes:
        effects: Nats, mean 0 over the slots, float64, shape (slots,).
        errors: Their standard errors, shape (slots,).
        one_order: Spread (standard deviation over the candidates) of the slot effects in one order, nats.
        averaged: The same after averaging over each query's orders: the bias that is left. Not below the noise, which
            is about `noise`.
        noise: The spread that `averaged` would show without any bias: the effects' mean standard error, divided by the
            root of the number of orders.
        queries: Queries in the probe.
    """

    effects: FloatArray
    errors: FloatArray
    one_order: float
    averaged: float
    noise: float
    queries: int


@dataclass(frozen=True, kw_only=True)
class TruthSlot:
    """MAP@25 of the prompts in which the (first) true candidate stood in one slot.

    Attributes:
        slot: From 1.
        prompts: How many.
        before: MAP@25 of the prompts' own order, in [0, 1].
        after: MAP@25 of the same queries averaged over their orders.
    """

    slot: int
    prompts: int
    before: float
    after: float


@dataclass(frozen=True, kw_only=True)
class Instability:
    """How far scores move when the same prompts are scored in other company.

    Attributes:
        prompts: Prompts scored twice.
        largest: Largest difference of a label's log-probability, nats.
        mean: Mean absolute difference, nats.
        flips: Prompts whose best label changed.
    """

    prompts: int
    largest: float
    mean: float
    flips: int


def averages(
    records: Iterable[OrderScores], average: Average = "log", *, first_only: Mapping[str, Ranking] | None = None
) -> dict[_Group, FloatArray]:
    """Return the log-probabilities averaged over the orders of the same candidates, as the reranker averages them.

    Args:
        records: The scores by slot.
        average: How the reranker averages orders.
        first_only: What ranked the queries that the reranker ranked by their first order alone, its slot bias taken
            out: their log-probabilities are these.

    Returns:
        By query, window and (sorted) candidates: float64, shape (n,), in rising order of id. Their total probability is
        the mean of the orders' totals: below 1 where "none of these" has a share.
    """
    found: dict[_Group, FloatArray] = {}
    for group, members in _groups(records).items():
        ranked = (first_only or {}).get(group[0])
        if ranked is not None and tuple(sorted(ranked.ids.tolist())) == group[2]:
            found[group] = ranked.scores[np.argsort(ranked.ids, kind="stable")]
            continue
        rows = np.stack([_by_id(record) for record in members])
        if average == "log":
            mean = rows.mean(axis=0)
            total = np.exp(rows).sum(axis=1).mean()
            mean = mean + np.log(total) - np.log(np.exp(mean).sum())
        else:
            top = rows.max(axis=0)
            mean = top + np.log(np.exp(rows - top).mean(axis=0))
        found[group] = mean
    return found


def slot_means(records: Sequence[OrderScores], averaged: Mapping[_Group, FloatArray]) -> SlotMeans:
    """Return mean label probabilities by slot; see `SlotMeans`."""
    slots = max(len(record.ids) for record in records)
    orders = sorted({record.order for record in records})
    before, after = np.zeros((len(orders), slots)), np.zeros(slots)
    counts = np.zeros((len(orders), slots), dtype=np.int64)
    for record in records:
        row, n = orders.index(record.order), len(record.ids)
        before[row, :n] += np.exp(record.logprobs)
        after[:n] += np.exp(_in_slots(record, averaged[_group(record)]))
        counts[row, :n] += 1
    total = counts.sum(axis=0)
    with np.errstate(invalid="ignore"):
        by_order = before / counts
    return SlotMeans(
        prompts=total,
        before=before.sum(axis=0) / total,
        after=after / total,
        by_order={order: by_order[row] for row, order in enumerate(orders)},
    )


def top_changes(records: Iterable[OrderScores]) -> tuple[int, int]:
    """Return how many queries (or windows) were asked in two orders or more, and how many of them disagree on the best.

    The better of two equal candidates is the one with the lower id.
    """
    compared = changed = 0
    for group in _groups(records).values():
        if len(group) > 1:
            compared += 1
            changed += len({_best(record) for record in group}) > 1
    return compared, changed


def truth_slots(
    records: Sequence[OrderScores], averaged: Mapping[_Group, FloatArray], labels: Mapping[str, Sequence[int]]
) -> tuple[TruthSlot, ...]:
    """Return MAP@25 by the slot in which the truth stood; prompts without a true candidate are left out."""
    rows: dict[int, list[tuple[float, float]]] = {}
    for record in records:
        true = labels.get(record.key, ())
        places = np.flatnonzero(np.isin(record.ids, np.asarray(true, dtype=np.int64)))
        if len(places):
            both = (record.logprobs, _in_slots(record, averaged[_group(record)]))
            values = [_precision(record, scores, true) for scores in both]
            rows.setdefault(int(places[0]) + 1, []).append((values[0], values[1]))
    found = []
    for slot in sorted(rows):
        before, after = np.array(rows[slot]).mean(axis=0).tolist()
        found.append(TruthSlot(slot=slot, prompts=len(rows[slot]), before=before, after=after))
    return tuple(found)


def slot_effects(
    probe: Sequence[OrderScores],
    records: Sequence[OrderScores],
    averaged: Mapping[_Group, FloatArray],
    *,
    first_only: Collection[str] = (),
) -> SlotEffects | None:
    """Return what slots add by themselves; None where no probe belongs to the records.

    In a random order every candidate is as likely in every slot, so the mean of (log-probability there − averaged
    log-probability of the same candidate) over prompts is the slot's own effect, up to a constant. What is left of it
    is told for what ranked: queries of `first_only` have the effect of their first order less what was taken out of it.
    """
    kept = [record for record in probe if _group(record) in averaged]
    if not kept:
        return None
    slots = max(len(record.ids) for record in kept)
    shifts = np.full((len(kept), slots), np.nan)
    for row, record in enumerate(kept):
        shift = record.logprobs - _in_slots(record, averaged[_group(record)])
        shifts[row, : len(shift)] = shift - shift.mean()
    counts = np.isfinite(shifts).sum(axis=0)
    effects = np.nanmean(shifts, axis=0)
    deviations = np.nansum((shifts - effects) ** 2, axis=0) / np.maximum(counts - 1, 1)
    errors = np.sqrt(deviations / counts)
    effects = effects - effects.mean()
    groups = [group for group in _groups(records).values() if len(group[0].ids) <= slots]
    single = [float(effects[: len(group[0].ids)].std()) for group in groups]
    left = [_spread_left(group, effects, averaged, group[0].key in first_only) for group in groups]
    orders = float(np.mean([len(group) for group in groups]))
    return SlotEffects(
        effects=effects,
        errors=errors,
        one_order=float(np.mean(single)),
        averaged=float(np.mean(left)),
        noise=float(errors.mean() / np.sqrt(orders)),
        queries=len({record.key for record in kept}),
    )


def _spread_left(
    group: Sequence[OrderScores], effects: FloatArray, averaged: Mapping[_Group, FloatArray], first_only: bool
) -> float:
    """Return the standard deviation over candidates of their slots' mean effect in the orders that ranked them."""
    if first_only:
        first = group[0]
        removed = first.logprobs - _in_slots(first, averaged[_group(first)])
        return float((effects[: len(first.ids)] - removed).std())
    rows = [effects[: len(record.ids)][np.argsort(record.ids, kind="stable")] for record in group]
    return float(np.stack(rows).mean(axis=0).std())


def instability(records: Iterable[OrderScores], again: Sequence[OrderScores]) -> Instability | None:
    """Compare prompts scored twice; None where no prompt was."""
    first = {(record.key, record.order, record.window, tuple(record.ids.tolist())): record for record in records}
    pairs = [
        (first[key], record)
        for record in again
        if (key := (record.key, record.order, record.window, tuple(record.ids.tolist()))) in first
    ]
    if not pairs:
        return None
    differences = np.concatenate([np.abs(a.logprobs - b.logprobs) for a, b in pairs])
    return Instability(
        prompts=len(pairs),
        largest=float(differences.max()),
        mean=float(differences.mean()),
        flips=sum(_best(a) != _best(b) for a, b in pairs),
    )


def _group(record: OrderScores) -> _Group:
    return record.key, record.window, tuple(sorted(record.ids.tolist()))


def _groups(records: Iterable[OrderScores]) -> dict[_Group, list[OrderScores]]:
    """Return the prompts that hold the same candidates of the same query, in the order in which they came."""
    found: dict[_Group, list[OrderScores]] = {}
    for record in records:
        found.setdefault(_group(record), []).append(record)
    return found


def _by_id(record: OrderScores) -> FloatArray:
    by_id: FloatArray = record.logprobs[np.argsort(record.ids, kind="stable")]
    return by_id


def _in_slots(record: OrderScores, by_id: FloatArray) -> FloatArray:
    """Put values that stand in rising order of id into the record's slots."""
    slots = np.empty(len(by_id), dtype=np.float64)
    slots[np.argsort(record.ids, kind="stable")] = by_id
    return slots


def _best(record: OrderScores) -> int:
    return int(record.ids[np.lexsort((record.ids, -record.logprobs))[0]])


def _precision(record: OrderScores, scores: FloatArray, true: Sequence[int]) -> float:
    ranking = Ranking.from_scores(record.key, record.ids, scores)
    return float(average_precisions([ranking], {record.key: true})[0])
