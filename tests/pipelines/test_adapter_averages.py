"""Shares of adapters, and what an average is made from."""

import argparse
from pathlib import Path

import pytest
from adapter_toys import toy_adapter, toy_base

from core.errors import ConfigError
from pipelines.adapter_averages import Averages, AverageScores, numbers, shares_of
from pipelines.adapter_job import AdapterJob
from pipelines.settings import Settings
from pipelines.stages import Stages
from pipelines.trained_adapters import open_adapters


@pytest.fixture
def averages(tmp_path: Path) -> Averages:
    base = toy_base(tmp_path / "base")
    adapters = open_adapters([toy_adapter(base, tmp_path / name, seed=seed) for seed, name in enumerate("abc")])
    options = argparse.Namespace(method="concatenate", rank=None, max_lora_rank=512, into=None, dtype="auto")
    task = AdapterJob(adapters=tuple(adapters), base=None, job=None, settings=Settings(), given=None, table=None)
    return Averages(task, options, Stages(folder=tmp_path / "work"))


def test_shares_by_hand(averages: Averages) -> None:
    assert shares_of(averages, "equal", AverageScores()) == pytest.approx([1 / 3] * 3)
    assert shares_of(averages, "3,1,4", AverageScores()) == [0.375, 0.125, 0.5]
    assert numbers("0.5, 2") == [0.5, 2.0]
    with pytest.raises(ConfigError, match="a number for each adapter"):
        numbers("1,,2")


def test_an_average_depends_on_its_members_and_shares(averages: Averages, tmp_path: Path) -> None:
    two = averages.made_from([0.5, 0.0, 0.5])
    assert [(name, share) for name, _, share in two["adapters"]] == [
        (str(tmp_path / "a"), 0.5), (str(tmp_path / "c"), 0.5),
    ]  # fmt: skip
    assert two != averages.made_from([0.4, 0.0, 0.6]) and two["model"] == str(tmp_path / "base")
    assert averages.candidate([0.5, 0.0, 0.5]).name == "average-0x0.500-2x0.500"
    assert averages.single(1).make() == tmp_path / "b"


def test_what_was_measured_is_written_and_not_made_twice(
    averages: Averages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = averages.candidate([0.5, 0.5, 0.0]).make()
    monkeypatch.setattr("pipelines.adapter_averages.average_adapters", lambda *given, **named: 1 / 0)
    averages.write([0.5, 0.5, 0.0], tmp_path / "out")
    weights = "adapter_model.safetensors"
    assert (tmp_path / "out" / weights).samefile(ready / weights)
    with pytest.raises(ZeroDivisionError):
        averages.write([0.25, 0.75, 0.0], tmp_path / "out")  # another average
    averages.remove()
    assert not ready.exists() and (tmp_path / "out" / weights).is_file()
