from typing import get_args

import pytest

from core.config import load_config
from core.errors import ConfigError
from pipelines.reranker_settings import MOST_LABELS, PromptSettings, RerankerSettings
from pipelines.settings import Settings
from rerank.labels import ALPHABETS
from rerank.orders import OrderKind
from rerank.prompt_template import QUESTION_FIELDS, QuestionField


def table(**values: object) -> list[str]:
    given = {"kind": "listwise", "model": "models/x", **values}
    return [f"rerankers.mine.{key.replace('__', '.')}={value}" for key, value in given.items()]


def read(**values: object) -> RerankerSettings:
    return load_config(Settings, None, table(**values)).rerankers["mine"]


def test_a_listwise_table_needs_a_model_alone() -> None:
    chosen = read()
    assert (chosen.orders, chosen.candidates, chosen.engine, chosen.order_total) == ("both", 25, "transformers", 2)
    assert chosen.reads_language_model


@pytest.mark.parametrize(
    ("values", "orders"),
    [
        ({"orders": "ascending"}, 1),
        ({"orders": "random"}, 2),
        ({"orders": "random", "order_count": 5}, 5),
        ({"orders": "cyclic"}, 25),
        ({"kind": "pointwise"}, 1),
    ],
)
def test_how_many_orders(values: dict[str, object], orders: int) -> None:
    assert read(**values).order_total == orders


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"candidates": 53}, "53 candidates, but there are 52 labels"),
        ({"candidates": 52, "prompt__none_label": "true"}, "52 candidates, but there are 51 labels"),
        ({"candidates": 11, "prompt__alphabet": "digits"}, "there are 10 labels"),
        ({"candidates": 50, "describe": "true"}, "60 candidates"),
        ({"windows__kind": "sliding", "windows__size": 10, "windows__stride": 11}, "leave gaps"),
        ({"windows__kind": "sliding", "windows__size": 60, "candidates": 100}, "windows.size 60"),
        ({"windows__kind": "overlapping", "windows__passes": 2}, "sliding windows only"),
        ({"order_count": 3}, "order_count is not read"),
        ({"adaptive__mode": "fitted", "orders": "ascending"}, "needs more than one order"),
        ({"adaptive__mode": "fitted", "windows__kind": "sliding"}, "do not go together"),
        ({"kind": "pointwise", "orders": "ascending"}, "'orders' is not read by a reranker of kind 'pointwise'"),
        ({"kind": "pointwise", "prompt__none_label": "true"}, "none_label is not read"),
        ({"max_length": 99}, "'max_length' is not read by a reranker of kind 'listwise'"),
        ({"batch_size": 9}, "'batch_size' is not read by a reranker of kind 'listwise'"),
        ({"kind": "cross-encoder", "batch_queries": 9}, "'batch_queries' is not read by a reranker of kind 'cross"),
        ({"kind": "cross-encoder", "fit_temperature": "false"}, "'fit_temperature' is not read by"),
        ({"kind": "cross-encoder", "describe_extra": 3}, "'describe_extra' is not read by"),
        ({"kind": "pointwise", "bias_sample": 3}, "'bias_sample' is not read by a reranker of kind 'pointwise'"),
        ({"orders": "cyclic", "order_count": 63}, "order_count"),
        ({"engine": "vlm"}, "no table .engines.vlm."),
        ({"prompt__fields": '["question"]'}, "'incorrect' among them"),
        ({"adaptive__mode": "sometimes"}, "adaptive.mode"),
    ],
)
def test_what_cannot_work_is_refused_before_any_cost(values: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read(**values)


def test_several_faults_of_a_table_are_told_together() -> None:
    with pytest.raises(ConfigError) as caught:
        read(candidates=99, order_count=3, max_length=20)
    for words in ("99 candidates", "order_count", "max_length"):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        {"candidates": 52},
        {"candidates": 62, "prompt__alphabet": "letters+digits"},
        {"candidates": 200, "windows__kind": "sliding", "windows__passes": 3},
        {"adaptive__mode": "share", "adaptive__skip_share": 0.0},
        {"kind": "pointwise", "candidates": 500},
    ],
)
def test_what_stands_at_the_edge_is_taken(values: dict[str, object]) -> None:
    load_config(Settings, None, ["candidates=500", *table(**values)])


def test_more_candidates_than_stage_one_keeps_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"rerankers.mine.candidates is 101, but stage 1 keeps 100"):
        read(kind="pointwise", candidates=101)


@pytest.mark.parametrize(
    ("part", "last", "words"),
    [
        ({}, 26, "a stage reorders ranks to 26, but candidates is 25"),
        ({"adaptive__mode": "fitted"}, 10, "rerankers.mine.adaptive: nothing is fitted for a stage of a cascade"),
        ({"describe": "true"}, 10, "rerankers.mine.describe is not read"),
    ],
)
def test_what_a_cascade_would_quietly_leave_out_is_refused(part: dict[str, object], last: int, words: str) -> None:
    stages = f'[{{reranker = "mine", first = 1, last = {last}}}]'
    with pytest.raises(ConfigError, match=words):
        load_config(Settings, None, [*table(**part), "rerankers.all.kind=cascade", f"rerankers.all.stages={stages}"])


def test_a_cascade_names_tables_that_are_none() -> None:
    stages = '[{reranker = "mine", first = 1, last = 10}, {reranker = "gone", first = 8, last = 17}]'
    with pytest.raises(ConfigError, match=r"no table \[rerankers.gone\]"):
        load_config(Settings, None, [*table(), "rerankers.all.kind=cascade", f"rerankers.all.stages={stages}"])
    with pytest.raises(ConfigError, match=r"no table \[rerankers.all\] that is no cascade"):
        own = '[{reranker = "all", first = 1, last = 10}]'
        load_config(Settings, None, ["rerankers.all.kind=cascade", f"rerankers.all.stages={own}"])
    with pytest.raises(ConfigError, match="needs stages"):
        load_config(Settings, None, ["rerankers.all.kind=cascade"])
    with pytest.raises(ConfigError, match="last above first"):
        turned = '[{reranker = "mine", first = 10, last = 5}]'
        load_config(Settings, None, [*table(), "rerankers.all.kind=cascade", f"rerankers.all.stages={turned}"])


def test_literals_of_the_config_are_those_of_the_parts() -> None:
    """A new alphabet, order or field is added in one place."""
    fields = PromptSettings.model_fields
    assert set(get_args(fields["alphabet"].annotation)) == set(ALPHABETS)
    assert RerankerSettings.model_fields["orders"].annotation is OrderKind
    assert fields["fields"].annotation == tuple[QuestionField, ...] and fields["fields"].default == QUESTION_FIELDS
    assert max(map(len, ALPHABETS.values())) == MOST_LABELS
    for name, alphabet in ALPHABETS.items():
        read(candidates=len(alphabet), prompt__alphabet=name)
        with pytest.raises(ConfigError, match=f"there are {len(alphabet)} labels"):
            read(candidates=len(alphabet) + 1, prompt__alphabet=name)
