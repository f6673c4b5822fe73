import tomllib
from pathlib import Path

import pytest

from core.errors import ConfigError, InputError
from pipelines import lm_training_table
from pipelines.lm_training_settings import LmTrainingSettings
from pipelines.lm_training_table import (
    NF4_ENGINE,
    adjusted_for_language_model,
    check_lm_training,
    language_model_table,
    list_sizes,
    table_text,
)
from pipelines.reranker_settings import RerankerSettings
from pipelines.settings import Settings

TABLES = {
    "small": {"kind": "listwise", "model": "x", "adapter": "old", "candidates": 10, "prompt": {"none_label": True}},
    "pairs": {"kind": "pointwise", "model": "y"},
}


def settings(**training: object) -> Settings:
    return Settings.model_validate({"rerankers": TABLES, "lm_training": training})


def test_without_a_table_the_base_is_trained_with_the_default_prompts() -> None:
    chosen = language_model_table("pointwise", settings(base="owner/name", base_revision="a" * 40))
    assert (chosen.kind, chosen.model, chosen.revision) == ("pointwise", "owner/name", "a" * 40)
    assert chosen.prompt == RerankerSettings(kind="pointwise", model="z").prompt


def test_a_table_gives_model_and_prompts_but_not_its_old_adapter() -> None:
    chosen = language_model_table("listwise", settings(table="small"))
    assert (chosen.model, chosen.adapter, chosen.candidates, chosen.prompt.none_label) == ("x", None, 10, True)


@pytest.mark.parametrize("table", ["pairs", "gone"])
def test_a_table_of_another_kind_is_refused(table: str) -> None:
    with pytest.raises(ConfigError, match=f"table of kind listwise, came '{table}'; there is small"):
        language_model_table("listwise", settings(table=table))


def test_the_command_lines_base_takes_the_place_of_the_tables_model() -> None:
    for training in ({"table": "small"}, {}):
        changed = adjusted_for_language_model(settings(**training), "other")
        assert language_model_table("listwise", changed).model == "other"
    assert adjusted_for_language_model(settings(), None) == settings()


def test_an_adapter_on_a_four_bit_base_is_measured_on_that_base() -> None:
    changed = adjusted_for_language_model(settings(method="qlora"), None)
    chosen = language_model_table("listwise", changed)
    assert changed.engine(chosen.engine).quantization == "bitsandbytes"
    assert language_model_table("listwise", settings(method="lora")).engine == "transformers"


def test_faults_are_told_at_once_and_before_any_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lm_training_table, "find_spec", lambda name: None)
    wrong = settings(
        base=str(tmp_path / "gone"), method="qlora", none_share=0.2, teacher=str(tmp_path / "none.parquet")
    )
    with pytest.raises(InputError) as caught:
        check_lm_training("listwise", wrong)
    said = str(caught.value)
    assert "no such folder" in said
    assert "needs the package peft" in said and "needs the package bitsandbytes" in said
    assert "none_share: needs kind listwise and a table with prompt.none_label" in said
    assert "none.parquet: there is no such file" in said


@pytest.mark.parametrize(
    ("training", "kind", "capacity", "expected"),
    [
        ({}, "listwise", 52, ((3, 52), 52)),
        ({}, "listwise", 9, ((3, 9), 25)),
        ({}, "pointwise", None, ((3, 8), 25)),
        ({"largest_list": 12, "window": 40}, "listwise", 52, ((3, 12), 40)),
        ({"smallest_list": 10}, "pointwise", None, ((10, 10), 25)),
    ],
)
def test_list_sizes(training: dict[str, int], kind: str, capacity: int | None, expected: object) -> None:
    assert list_sizes(LmTrainingSettings(**training), kind, capacity) == expected  # type: ignore[arg-type]


def test_the_lines_for_a_config_can_be_read_back() -> None:
    chosen = RerankerSettings(kind="listwise", model="m", adapter="models/a", engine=NF4_ENGINE)
    read = tomllib.loads(table_text(chosen))
    assert read["rerankers"]["NAME"] == {"kind": "listwise", "model": "m", "adapter": "models/a", "engine": NF4_ENGINE}
    assert Settings.model_validate(read).engine(NF4_ENGINE).quantization == "bitsandbytes"
    plain = tomllib.loads(table_text(RerankerSettings(kind="pointwise", model="m")))
    assert plain == {"rerankers": {"NAME": {"kind": "pointwise", "model": "m"}}}
