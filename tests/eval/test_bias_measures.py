from itertools import permutations

import numpy as np
import pytest

from core.order_scores import OrderScores
from core.records import FloatArray, Ranking
from eval.bias import measure_bias
from eval.bias_measures import averages, instability, slot_effects, slot_means, top_changes, truth_slots


def normal(scores: FloatArray) -> FloatArray:
    values: FloatArray = scores - np.log(np.exp(scores).sum())
    return values


def record(
    key: str, ids: list[int], logprobs: list[float] | FloatArray, *, order: int = 0, none: float | None = None
) -> OrderScores:
    return OrderScores(
        key=key,
        order=order,
        ids=np.array(ids),
        logprobs=np.asarray(logprobs, dtype=np.float64),
        none_logprob=none,
        mass=0.5,
    )


def asked(key: str, merit: dict[int, float], effect: list[float], orders: list[list[int]]) -> list[OrderScores]:
    """A scorer whose log-probability is the candidate's merit plus the slot's effect."""
    return [
        record(key, ids, normal(np.array([merit[id] + effect[slot] for slot, id in enumerate(ids)])), order=order)
        for order, ids in enumerate(orders)
    ]


def test_a_scorer_that_sees_slots_alone() -> None:
    """Slots hold 0.6, 0.3, 0.1 whatever stands there: both orders give (sqrt .06, .3, sqrt .06) / total after."""
    logprobs = np.log([0.6, 0.3, 0.1])
    records = [record("1_A", [7, 8, 9], logprobs), record("1_A", [9, 8, 7], logprobs, order=1)]
    slots = slot_means(records, averages(records, "probability"))
    assert slots.before.tolist() == pytest.approx([0.6, 0.3, 0.1])
    assert slots.after.tolist() == pytest.approx([0.35, 0.3, 0.35])
    assert slots.prompts.tolist() == [2, 2, 2]
    assert slots.by_order[1].tolist() == pytest.approx([0.6, 0.3, 0.1])
    assert top_changes(records) == (1, 1)
    outer = np.sqrt(0.06)
    after = slot_means(records, averages(records, "log")).after
    assert after.tolist() == pytest.approx(
        [outer / (2 * outer + 0.3), 0.3 / (2 * outer + 0.3), outer / (2 * outer + 0.3)]
    )


def test_a_scorer_that_sees_contents_alone_has_no_bias() -> None:
    merit = {7: 0.5, 8: -1.0, 9: 0.1}
    records = asked("1_A", merit, [0, 0, 0], [[7, 8, 9], [9, 8, 7]])
    probe = asked("1_A", merit, [0, 0, 0], [[8, 9, 7]])
    found = measure_bias(records, probe=probe, again=records)
    assert found.slots.before.tolist() == pytest.approx(found.slots.after.tolist())
    assert (found.compared, found.changed) == (1, 0)
    assert found.effects is not None and found.instability is not None
    assert found.effects.effects.tolist() == pytest.approx([0, 0, 0])
    assert found.effects.averaged == pytest.approx(0) and found.effects.one_order == pytest.approx(0)
    assert (found.instability.largest, found.instability.flips, found.instability.prompts) == (0, 0, 2)
    assert found.truth == () and found.mass == 0.5 and found.none is None


@pytest.mark.parametrize(
    ("effect", "left"),
    [([1.0, 0.0, -1.0], 0.0), ([1.0, -2.0, 1.0], np.sqrt(2.0))],
    ids=["changes sign with the order: cancelled", "the middle is disliked: stays"],
)
def test_what_two_orders_leave(effect: list[float], left: float) -> None:
    """Probed in all six orders, the mean shift of a slot is its own effect whatever the candidates' merits are."""
    merit = {7: 0.5, 8: -1.0, 9: 0.1}
    records = asked("1_A", merit, effect, [[7, 8, 9], [9, 8, 7]])
    probe = asked("1_A", merit, effect, [list(ids) for ids in permutations([7, 8, 9])])
    found = slot_effects(probe, records, averages(records))
    assert found is not None
    assert found.effects.tolist() == pytest.approx(effect, abs=1e-9)
    assert found.one_order == pytest.approx(np.std(effect))
    assert found.averaged == pytest.approx(left, abs=1e-9)
    assert found.queries == 1 and found.noise > 0


def test_all_cyclic_orders_leave_nothing() -> None:
    effect = [1.0, -2.0, 1.0]
    merit = {7: 0.5, 8: -1.0, 9: 0.1}
    records = asked("1_A", merit, effect, [[7, 8, 9], [8, 9, 7], [9, 7, 8]])
    probe = asked("1_A", merit, effect, [list(ids) for ids in permutations([7, 8, 9])])
    found = slot_effects(probe, records, averages(records))
    assert found is not None and found.averaged == pytest.approx(0, abs=1e-9)
    (mean,) = averages(records).values()
    assert mean.tolist() == pytest.approx(normal(np.array([0.5, -1.0, 0.1])).tolist())


def test_a_probe_of_other_candidates_tells_nothing() -> None:
    records = asked("1_A", {7: 0.0, 8: 1.0}, [0, 0], [[7, 8]])
    assert slot_effects(asked("1_A", {7: 0.0, 9: 1.0}, [0, 0], [[7, 9]]), records, averages(records)) is None
    assert slot_effects([], records, averages(records)) is None


def test_map_by_the_slot_of_the_truth_by_hand() -> None:
    """Truth 8. First order: slot 2, ranked 1st: AP 1; second: slot 1, ranked 2nd: AP 1/2; averaged it is 1st."""
    records = [
        record("1_A", [7, 8], np.log([0.1, 0.9])),
        record("1_A", [8, 7], np.log([0.4, 0.6]), order=1),
        record("2_B", [7, 8], np.log([0.8, 0.2])),
    ]
    found = truth_slots(records, averages(records), {"1_A": (8,), "2_B": (8,), "3_C": (1,)})
    assert [(t.slot, t.prompts, t.before, t.after) for t in found] == [(1, 1, 0.5, 1.0), (2, 2, 0.75, 0.75)]
    assert truth_slots(records, averages(records), {"1_A": (99,)}) == ()


def test_instability_by_hand() -> None:
    first = [record("1_A", [7, 8], np.log([0.6, 0.4])), record("2_A", [7, 8], np.log([0.5, 0.5]))]
    again = [
        record("2_A", [7, 8], np.log([0.4, 0.6])),
        record("1_A", [7, 8], np.log([0.6, 0.4])),
        record("1_A", [8, 7], np.log([0.6, 0.4])),  # another order of the same: no pair
    ]
    found = instability(first, again)
    assert found is not None
    assert (found.prompts, found.flips) == (2, 1)
    assert found.largest == pytest.approx(np.log(0.5 / 0.4))
    assert found.mean == pytest.approx((np.log(0.5 / 0.4) + np.log(0.6 / 0.5)) / 4)
    assert instability(first, []) is None


def test_none_of_these_keeps_its_share() -> None:
    records = [
        record("1_A", [7, 8], np.log([0.5, 0.3]), none=np.log(0.2)),
        record("1_A", [8, 7], np.log([0.2, 0.4]), order=1, none=np.log(0.4)),
    ]
    for space in ("log", "probability"):
        (mean,) = averages(records, space).values()  # type: ignore[arg-type]
        assert np.exp(mean).sum() == pytest.approx(0.7)
    assert measure_bias(records).none == pytest.approx(0.3)


def test_a_query_ranked_by_its_first_order_alone_is_told_as_it_was_ranked() -> None:
    """One prompt of a scorer with a slot effect of (1, 0, -1): what ranked is the merit, without that effect."""
    merit, effect = {7: 0.5, 8: -1.0, 9: 0.1}, [1.0, 0.0, -1.0]
    once = asked("1_A", merit, effect, [[7, 8, 9]])
    twice = asked("2_A", merit, effect, [[7, 8, 9], [9, 8, 7]])
    plain = normal(np.array([0.5, -1.0, 0.1]))
    ranked = {"1_A": Ranking.from_scores("1_A", [7, 8, 9], plain)}
    averaged = averages([*once, *twice], first_only=ranked)
    assert [values.tolist() for values in averaged.values()] == [pytest.approx(plain.tolist())] * 2
    after = slot_means(once, averaged).after
    assert after.tolist() == pytest.approx(np.exp(plain).tolist())
    assert after.tolist() != pytest.approx(slot_means(once, averages(once)).after.tolist())

    probe = [
        record for key in ("1_A", "2_A") for record in asked(key, merit, effect, list(map(list, permutations(merit))))
    ]
    found = measure_bias([*once, *twice], probe=probe, first_only=ranked).effects
    raw = measure_bias([*once, *twice], probe=probe).effects
    assert found is not None and raw is not None
    assert found.averaged == pytest.approx(0, abs=1e-9)  # taken out, or cancelled
    assert raw.averaged == pytest.approx(np.std(effect) / 2)  # as if the first order had ranked with its bias
