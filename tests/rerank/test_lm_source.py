from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.errors import InputError
from core.records import Misconception, Query, Ranking
from rerank.lm_source import TaskSource
from rerank.training_groups import FoldProvenance


def source(
    prompts: Any, queries: list[Query], candidates: list[Ranking], bank: list[Misconception], **changed: Any
) -> TaskSource:
    settings: dict[str, Any] = {
        "kind": "listwise", "sizes": (3, 6), "window": 8, "spread": 2.0, "none_share": 0.0, "hint_dropout": 0.0,
        "teacher": None, "teacher_weight": 0.5, "teacher_temperature": 1.0, "seed": 0,
    }  # fmt: skip
    by_id = {entry.id: entry for entry in bank}
    return TaskSource(queries=queries, candidates=candidates, by_id=by_id, prompter=prompts, **{**settings, **changed})


def test_every_list_holds_its_truth_in_fresh_sizes_and_orders_each_epoch(
    toy_prompts: Any, queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> None:
    made = source(toy_prompts, queries, candidates, bank)
    first, second = made.lists(0), made.lists(1)
    assert len(first) == len(queries)
    assert first != second and made.lists(0) == first
    assert {len(shown.ids) for shown in first} == {3, 4, 5, 6}
    for shown in first:
        task = made.task(shown, queries)
        assert task.targets[shown.ids.index(queries[shown.query_index].labels[0])] == 1.0
    assert (made.cut, made.taught) == (0, 0)


def test_a_pointwise_source_makes_a_prompt_a_candidate(
    toy_prompts: Any, queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> None:
    made = source(toy_prompts, queries, candidates, bank, kind="pointwise")
    shown = made.lists(0)[0]
    assert len(made.task(shown, queries).prompts) == len(shown.ids)
    assert made.length(shown) > source(toy_prompts, queries, candidates, bank).length(shown)


def test_hints_are_dropped_from_what_is_shown(
    toy_prompts: Any, queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> None:
    whole = source(toy_prompts, queries, candidates, bank)
    none = source(toy_prompts, queries, candidates, bank, hint_dropout=1.0)
    shown = next(shown for shown in whole.lists(0) if queries[shown.query_index].hint)
    long, short = whole.task(shown, whole.shown(0)), none.task(shown, none.shown(0))
    assert len(long.prompts[0]) == len(short.prompts[0]) + 2  # the words of the hint


def test_a_teacher_moves_the_targets_and_is_counted(
    toy_prompts: Any, queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> None:
    ids = [entry.id for entry in bank]
    teacher = [Ranking.from_scores(query.key, ids, np.zeros(len(ids))) for query in queries]
    teacher[1] = teacher[1].top(2)  # lacks most candidates
    made = source(toy_prompts, queries, candidates, bank, teacher=teacher, sizes=(4, 4))
    first, second = (made.task(shown, queries) for shown in made.lists(0)[:2])
    assert sorted(first.targets) == pytest.approx([0.125, 0.125, 0.125, 0.625])
    assert sorted(second.targets) == [0.0, 0.0, 0.0, 1.0]
    assert made.taught == 1


def test_cut_prompts_are_counted(
    toy_prompts: Any, queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> None:
    class Cutting:
        capacity = 20

        def build(self, query: Query, shown: list[Misconception]) -> Any:
            return replace(toy_prompts.build(query, shown), cut_tokens=4)

    made = source(Cutting(), queries, candidates, bank)
    for shown in made.lists(0)[:3]:
        made.task(shown, queries)
    assert made.cut == 3


def test_rankings_of_a_model_fitted_on_the_same_questions_are_an_error(
    toy_prompts: Any, queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> None:
    keys = frozenset(query.key for query in queries)
    leaky = [FoldProvenance(model="r", ranked=keys, fitted_on=frozenset({5}))]
    with pytest.raises(InputError, match="5_B: its candidates come from r, which was fitted on question group 5"):
        source(toy_prompts, queries, candidates, bank).lists(0, provenance=leaky)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"window": 5}, "window 5: expected at least the largest list, 6"),
        ({"sizes": (3, 21), "window": 30}, "lists of 21 were asked for, but a prompt holds at most 20"),
        ({"kind": "pointwise", "none_share": 0.1}, "none_share is for listwise prompts"),
        ({"teacher": []}, "teacher: expected one ranking per query"),
    ],
)
def test_what_does_not_fit_is_refused(
    toy_prompts: Any,
    queries: list[Query],
    candidates: list[Ranking],
    bank: list[Misconception],
    changed: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        source(toy_prompts, queries, candidates, bank, **changed)


def test_lists_and_tasks_bear_their_querys_weight(
    toy_prompts: Any, queries: list[Query], candidates: list[Ranking], bank: list[Misconception]
) -> None:
    weights = [0.5 if place % 2 else 1.0 for place in range(len(queries))]
    for kind in ("listwise", "pointwise"):
        made = source(toy_prompts, queries, candidates, bank, kind=kind, weights=weights)
        for shown in made.lists(0):
            assert shown.weight == weights[shown.query_index] == made.task(shown, queries).weight
