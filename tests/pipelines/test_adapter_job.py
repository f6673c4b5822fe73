"""Reading a command line about adapters: the table that measures, the engine, and the base in it."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
from adapter_toys import toy_adapter

from core.artifacts import write_manifest
from core.errors import InputError, UserError
from pipelines.adapter_job import AdapterJob, add_adapter_options, read_adapter_job
from pipelines.cli import parser
from pipelines.settings import Settings


class Files(Protocol):
    """What `tiny_files` is."""

    @property
    def train(self) -> Path: ...
    @property
    def misconceptions(self) -> Path: ...


@pytest.fixture
def adapter(tiny_lm: Path, tmp_path: Path) -> Path:
    return toy_adapter(tiny_lm, tmp_path / "adapter")


@pytest.fixture
def read(
    tiny_files: Files, tiny_config: Path, tiny_model: Path, adapter: Path, tmp_path: Path
) -> Callable[..., AdapterJob]:
    def run(*more: object, data: bool = True, **named: Any) -> AdapterJob:
        made = parser("", config_model=Settings)
        add_adapter_options(made)
        given = ["--output", tmp_path / "out", *more]
        if data:
            given += ["--train", tiny_files.train, "--misconceptions", tiny_files.misconceptions]
            given += ["--config", tiny_config, "--retriever", tiny_model]
        options: argparse.Namespace = made.parse_args([str(part) for part in given])
        return read_adapter_job(options, [adapter], **{"needs_base": False, "four_bit": True, "checks": (), **named})

    return run


def test_without_data_nothing_is_measured(read: Callable[..., AdapterJob], tiny_lm: Path) -> None:
    plain = read(data=False)
    assert (plain.base, plain.job, plain.table) == (None, None, None)
    assert plain.adapters[0].adapter.base_name == str(tiny_lm)
    based = read(data=False, needs_base=True)
    assert based.base is not None and based.base.folder == tiny_lm
    with pytest.raises(UserError, match="too cold"):
        read(data=False, check_unmeasured=lambda: fail("too cold"))


def fail(message: str) -> None:
    raise InputError(message)


def test_the_table_has_the_base_and_the_adapter(read: Callable[..., AdapterJob], tiny_lm: Path, adapter: Path) -> None:
    found = read("--kind", "pointwise", "--set", "candidates=40")
    assert found.table is not None and found.job is not None and found.given is not None
    assert (found.table.kind, found.table.model, found.table.adapter) == ("pointwise", str(tiny_lm), str(adapter))
    assert (found.table.engine, found.settings.candidates) == ("transformers", 40)


def test_an_adapter_of_a_4_bit_base_is_measured_on_it(read: Callable[..., AdapterJob], adapter: Path) -> None:
    pytest.importorskip("bitsandbytes")
    write_manifest(adapter, {"kind": "listwise", "training": {"method": "qlora"}})
    found = read()
    assert found.table is not None and found.table.kind == "listwise"
    assert found.settings.engine(found.table.engine).quantization == "bitsandbytes"
    merged = read(four_bit=False)
    assert merged.table is not None and merged.table.engine == "transformers"


def test_a_named_table_gives_prompts_and_engine(read: Callable[..., AdapterJob], tiny_lm: Path) -> None:
    table = {"kind": "pointwise", "model": "/elsewhere", "candidates": 7, "prompt.with_hint": "false"}
    more = [part for key, value in table.items() for part in ("--set", f"rerankers.mine.{key}={value}")]
    found = read("--table", "mine", "--base", tiny_lm, *more)
    assert found.table is not None
    assert (found.table.candidates, found.table.prompt.with_hint, found.table.model) == (7, False, str(tiny_lm))
    with pytest.raises(InputError, match=r"lm_training\.table: expected a .* table of kind pointwise, came 'other'"):
        read("--table", "other", "--kind", "pointwise", *more)


def test_faults_of_everything_are_told_at_once(read: Callable[..., AdapterJob], adapter: Path, tmp_path: Path) -> None:
    (adapter / "adapter_config.json").unlink()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("x", encoding="utf-8")
    for data in (True, False):
        with pytest.raises(InputError) as caught:
            read("--set", "nothing=1", data=data)
        said = "\n".join(caught.value.faults)
        assert "expected a folder with adapter_config.json" in said
        assert "expected a new or empty folder" in said and "nothing: unknown key" in said


def test_the_kind_must_be_known(read: Callable[..., AdapterJob]) -> None:
    with pytest.raises(InputError, match=r"--kind: expected listwise or pointwise; the adapter .* does not tell"):
        read()
