"""The bias of a listwise reranker as numbers: by slot, between orders, and between two scorings of one prompt.

A language model that is asked for the label of the best candidate prefers some labels wherever the candidates stand
(40 % of SmolLM2's probability sits on the first letter, zero-shot). Averaging over orders cancels what changes sign
when the order is turned round, and no more: a preference for the middle stays. What is left is measured with a probe:
some queries are scored once more with their candidates in a random order, which shows what each slot adds by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.order_scores import OrderScores
from core.records import FloatArray, Ranking
from eval.bias_measures import (
    Average,
    Instability,
    SlotEffects,
    SlotMeans,
    TruthSlot,
    averages,
    instability,
    slot_effects,
    slot_means,
    top_changes,
    truth_slots,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Bias:
    """All of it; parts that could not be measured are None.

    Attributes:
        queries: Queries with order scores.
        slots: Mean probability by slot.
        compared: Queries (or windows) asked in two orders or more.
        changed: How many of those have another best candidate in some order.
        truth: MAP by the slot of the truth; empty without labels.
        effects: What slots add by themselves, and what is left of it.
        instability: Of the scores themselves.
        mass: Mean probability of all labels together in the vocabulary; None where the engine does not say.
        none: Mean probability of "none of these"; None without such a label.
    """

    queries: int
    slots: SlotMeans
    compared: int
    changed: int
    truth: tuple[TruthSlot, ...]
    effects: SlotEffects | None
    instability: Instability | None
    mass: float | None
    none: float | None

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers for metrics.json, rounded to 6 decimals."""
        effects, moved = self.effects, self.instability
        return {
            "queries": self.queries,
            "mean_probability_by_slot": {"before": _plain(self.slots.before), "after": _plain(self.slots.after)},
            "queries_in_several_orders": self.compared,
            "top1_changes_between_orders": round(self.changed / self.compared, 6) if self.compared else None,
            "map_by_slot_of_truth": [
                {"slot": t.slot, "prompts": t.prompts, "before": round(t.before, 6), "after": round(t.after, 6)}
                for t in self.truth
            ],
            "slot_effects": effects
            and {
                "nats": _plain(effects.effects),
                "standard_errors": _plain(effects.errors),
                "spread_in_one_order": round(effects.one_order, 6),
                "spread_left_after_averaging": round(effects.averaged, 6),
                "noise": round(effects.noise, 6),
                "queries": effects.queries,
            },
            "instability": moved
            and {
                "prompts": moved.prompts,
                "largest": round(moved.largest, 6),
                "mean": round(moved.mean, 6),
                "top1_flips": moved.flips,
            },
            "label_mass": None if self.mass is None else round(self.mass, 6),
            "none_of_these": None if self.none is None else round(self.none, 6),
        }


def measure_bias(
    records: Sequence[OrderScores],
    *,
    average: Average = "log",
    labels: Mapping[str, Sequence[int]] | None = None,
    probe: Sequence[OrderScores] = (),
    again: Sequence[OrderScores] = (),
    first_only: Mapping[str, Ranking] | None = None,
) -> Bias:
    """Measure everything that some order scores show.

    Args:
        records: What the reranker read, at least one prompt.
        average: How it averages orders.
        labels: True ids by query key, where known.
        probe: Some of these queries, each with its candidates in a random order.
        again: Some of these prompts, scored once more in other company.
        first_only: What ranked the queries that were ranked by their first order alone, its slot bias taken out.

    Raises:
        ValueError: There is no record.
    """
    if not records:
        raise ValueError("expected the scores of at least one prompt")
    averaged = averages(records, average, first_only=first_only)
    compared, changed = top_changes(records)
    masses = [record.mass for record in records if record.mass is not None]
    nones = [np.exp(record.none_logprob) for record in records if record.none_logprob is not None]
    return Bias(
        queries=len({record.key for record in records}),
        slots=slot_means(records, averaged),
        compared=compared,
        changed=changed,
        truth=truth_slots(records, averaged, labels or {}),
        effects=slot_effects(probe, records, averaged, first_only=frozenset(first_only or ())),
        instability=instability(records, again),
        mass=float(np.mean(masses)) if masses else None,
        none=float(np.mean(nones)) if nones else None,
    )


def _plain(values: FloatArray) -> list[float]:
    return [round(float(value), 6) for value in values]
