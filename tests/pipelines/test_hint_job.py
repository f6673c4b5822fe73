"""What the pipelines of hints read."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from core.errors import ConfigError, InputError
from pipelines.hint_job import read_hint_job, read_template
from synth.hint_prompt import default_prompt


def options(tmp_path: Path, **given: Any) -> argparse.Namespace:
    plain = {"config": None, "overrides": [], "train": None, "test": None, "hints": [], "output": tmp_path / "out"}
    return argparse.Namespace(**{**plain, **given})


def test_questions_and_hints_are_read_without_a_bank(tmp_path: Path, tiny_files: Any) -> None:
    hints = tmp_path / "hints.csv"
    hints.write_text("Key,Hint\n1_A,h\n")
    given = options(
        tmp_path, train=tiny_files.train, test=tiny_files.test, hints=[hints], overrides=["columns.key=Key"]
    )
    job = read_hint_job(given, needed=("train", "hints"), checks=())
    assert (len(job.train), len(job.test), list(job.hints)) == (60, 20, ["1_A"])
    assert job.settings.columns.key == "Key"


def test_faults_of_options_config_checks_and_files_come_together(tmp_path: Path, tiny_files: Any) -> None:
    def check(_: object) -> None:
        raise InputError(["one", "two"])

    given = options(tmp_path, test=tiny_files.misconceptions, overrides=["candidates=1"])
    with pytest.raises(InputError) as caught:
        read_hint_job(given, needed=("train",), checks=(check,))
    told = "\n".join(caught.value.faults)
    for part in ("--train: expected a path", "candidates", "one\ntwo", "QuestionText"):
        assert part in told


def test_templates_come_from_a_file_or_are_the_built_in_ones(tmp_path: Path) -> None:
    assert read_template("hints.template", None, "json") == default_prompt("json")
    path = tmp_path / "t.txt"
    path.write_text("[user]\n{question} {incorrect}\n")
    assert read_template("hints.template", str(path), "json").user == "{question} {incorrect}"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"hints.template: .*expected UTF-8"):
        read_template("hints.template", str(path), "json")
    with pytest.raises(ConfigError, match=r"hints.template: .*cannot be read"):
        read_template("hints.template", str(tmp_path / "none"), "json")
