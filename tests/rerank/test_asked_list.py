"""One list through its orders, by hand."""

from types import ModuleType

import numpy as np
import pytest

from core.language_model import LabelScores
from rerank.adaptive import AdaptivePolicy
from rerank.asked_list import AskedList, ask_lists
from rerank.listwise_plans import OrderPlan

PLAN = OrderPlan()


def made(toys: ModuleType, *, none_label: bool = False, start: int = 0) -> AskedList:
    (query,) = toys.queries(1)
    return AskedList.of(query, toys.BANK[3:6], start, prompter=toys.ListPrompter(none_label=none_label), plan=PLAN)


def scores(*probabilities: float) -> LabelScores:
    return LabelScores(logprobs=np.log(np.array(probabilities)).astype(np.float32), mass=0.5)


def test_slots_become_places(toys: ModuleType) -> None:
    asked = made(toys, start=4)
    assert asked.ids.tolist() == [103, 104, 105]
    assert [prompt.candidate_ids for prompt in asked.prompts] == [(103, 104, 105), (105, 104, 103)]
    asked.add(scores(0.5, 0.3, 0.2))
    asked.add(scores(0.6, 0.3, 0.1))  # of 105, 104, 103
    first, second = asked.asked
    assert (first.order, second.order, second.window, second.mass) == (0, 1, 4, 0.5)
    assert second.ids.tolist() == [105, 104, 103]
    mean, none = asked.average(OrderPlan(space="probability"))
    assert np.exp(mean) == pytest.approx([0.3, 0.3, 0.4], abs=1e-6)
    assert none is None
    logs, _ = asked.average(PLAN)
    roots = np.sqrt([0.5 * 0.1, 0.3 * 0.3, 0.2 * 0.6])
    assert np.exp(logs) == pytest.approx(roots / roots.sum(), abs=1e-6)
    assert (asked.waiting, asked.prompt_tokens) == ([], 10)


def test_none_of_these_is_averaged_too(toys: ModuleType) -> None:
    asked = made(toys, none_label=True)
    asked.add(scores(0.4, 0.3, 0.2, 0.1))
    asked.add(scores(0.1, 0.1, 0.5, 0.3))
    mean, none = asked.average(OrderPlan(space="probability"))
    assert np.exp(mean) == pytest.approx([0.45, 0.2, 0.15], abs=1e-6)
    assert none is not None and np.exp(none) == pytest.approx(0.2, abs=1e-6)
    assert asked.asked[0].none_logprob == pytest.approx(np.log(0.1))


def test_another_prompt_than_asked_for_is_refused(toys: ModuleType) -> None:
    asked = made(toys)
    asked.prompts.reverse()
    with pytest.raises(ValueError, match="query 0_B: the prompt of order 0 shows other candidates"):
        asked.add(scores(0.5, 0.3, 0.2))


@pytest.mark.parametrize(("skip", "wanted"), [(None, [[0, 1], [1]]), (True, [[0, 1]]), (False, [[0, 1], [0, 1]])])
def test_the_policy_or_its_stand_in_decides_per_list(
    toys: ModuleType, skip: bool | None, wanted: list[list[int]]
) -> None:
    lists = [made(toys), made(toys)]
    policy = AdaptivePolicy(threshold=1.0, slot_bias={3: np.array([0.5, 0.0, -0.5])})
    answers = [scores(0.98, 0.01, 0.01), scores(0.5, 0.3, 0.2)]
    job = ask_lists(lists, plan=PLAN, policy=policy, skip=skip)
    rounds = []
    prompts = next(job)
    while True:
        # The same prompts stand in both lists; tell them apart by identity.
        owners = [next(n for n, asked in enumerate(lists) if any(p is b for b in asked.prompts)) for p in prompts]
        rounds.append(owners)
        try:
            prompts = job.send([answers[owner] for owner in owners])
        except StopIteration as end:
            found = end.value
            break
    assert rounds == wanted
    assert [bool(asked.waiting) for asked in lists] == [0 not in wanted[-1] or len(wanted) == 1, len(wanted) == 1]
    if skip is None:
        level = np.array([0.98, 0.01, 0.01]) * np.exp([-0.5, 0.0, 0.5])
        assert np.exp(found[0][0]) == pytest.approx(level / level.sum(), abs=1e-5)
