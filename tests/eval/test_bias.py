import numpy as np
import pytest

from core.order_scores import OrderScores
from eval.bias import measure_bias


def record(key: str, ids: list[int], probabilities: list[float], *, order: int = 0) -> OrderScores:
    return OrderScores(
        key=key, order=order, ids=np.array(ids), logprobs=np.log(probabilities), none_logprob=None, mass=0.5
    )


def test_everything_is_measured_and_told_as_plain_numbers() -> None:
    records = [record("1_A", [7, 8, 9], [0.6, 0.3, 0.1]), record("1_A", [9, 8, 7], [0.6, 0.3, 0.1], order=1)]
    probe = [record("1_A", [8, 7, 9], [0.6, 0.3, 0.1])]
    found = measure_bias(records, average="probability", labels={"1_A": (9,)}, probe=probe, again=records[:1])
    numbers = found.to_json()
    assert numbers["mean_probability_by_slot"] == {"before": [0.6, 0.3, 0.1], "after": [0.35, 0.3, 0.35]}
    assert (numbers["queries"], numbers["queries_in_several_orders"]) == (1, 1)
    assert numbers["top1_changes_between_orders"] == 1.0
    assert numbers["instability"] == {"prompts": 1, "largest": 0.0, "mean": 0.0, "top1_flips": 0}
    # Truth in slot 1 of the second order, ranked first there; averaged it ties with 7, which has the lower id.
    assert numbers["map_by_slot_of_truth"][0] == {"slot": 1, "prompts": 1, "before": 1.0, "after": 0.5}
    assert numbers["slot_effects"]["queries"] == 1 and len(numbers["slot_effects"]["nats"]) == 3
    assert (numbers["label_mass"], numbers["none_of_these"]) == (0.5, None)


def test_lists_of_several_lengths_and_single_orders() -> None:
    records = [record("1_A", [7, 8, 9], [0.5, 0.3, 0.2]), record("2_A", [7, 8], [0.5, 0.5])]
    found = measure_bias(records)
    assert found.slots.prompts.tolist() == [2, 2, 1]
    assert found.slots.before.tolist() == pytest.approx([0.5, 0.4, 0.2])
    assert (found.compared, found.changed) == (0, 0)
    numbers = found.to_json()
    assert numbers["top1_changes_between_orders"] is None and numbers["instability"] is None


def test_without_any_prompt_there_is_nothing_to_measure() -> None:
    with pytest.raises(ValueError, match="at least one prompt"):
        measure_bias([])
