import errno
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import Field

from core.config import StrictModel, load_config
from core.errors import ConfigError, InputError, ModelError
from pipelines.cli import check_all, parse_arguments, parser, run_main, set_up_logging


class Config(StrictModel):
    epochs: int = Field(default=3, ge=1, description="Rounds.")


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with warnings.catch_warnings():
        yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_options_reach_the_config(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("epochs = 4\n")
    made = parser("What it does.", config_model=Config)
    parsed = parse_arguments(made, ["--config", str(path), "--set", "epochs=5", "--set", "epochs=6", "-v"])
    assert (parsed.config, parsed.overrides, parsed.verbose) == (path, ["epochs=5", "epochs=6"], 1)
    assert load_config(Config, parsed.config, parsed.overrides).epochs == 6
    assert parse_arguments(made, []).overrides == []


def test_overrides_of_one_run_do_not_reach_the_next() -> None:
    made = parser("x", config_model=Config)
    parse_arguments(made, ["--set", "epochs=5"])
    assert parse_arguments(made, []).overrides == []


def test_help_config_lists_the_keys(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(parser("x", config_model=Config), ["--help-config"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == "epochs = 3\n    int, >= 1. Rounds.\n"


def test_help_keeps_lines_and_a_pipeline_without_config_has_no_config_options(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(parser("One.\nTwo.", "Examples:\n  a b"), ["--help"])
    told = capsys.readouterr().out
    assert "One.\nTwo." in told
    assert "Examples:\n  a b" in told
    assert "--config" not in told


def test_a_wrong_option_has_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(parser("x", config_model=Config), ["--confg", "x"])
    assert caught.value.code == 2


def test_status_of_a_good_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(lambda: None) == 0
    assert capsys.readouterr().err == ""


def test_faults_are_one_message_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise InputError(["first", "second"])

    assert run_main(main) == 2
    assert capsys.readouterr().err == "Stopped by these faults:\n  first\n  second\n"


def test_an_interrupt_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise KeyboardInterrupt

    assert run_main(main, go_on="Once more.") == 130
    assert capsys.readouterr().err == "\nInterrupted. Once more.\n"


def test_a_full_disk_is_a_fault_of_the_users(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    assert run_main(main) == 2
    assert "the disk is full; nothing half-written" in capsys.readouterr().err


def test_other_errors_keep_their_traceback() -> None:
    def main() -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        run_main(main)


def test_checks_are_told_together() -> None:
    def config() -> None:
        raise ConfigError(["a", "b"])

    def model() -> None:
        raise ModelError("c")

    with pytest.raises(InputError) as caught:
        check_all([config, lambda: 3, model])
    assert caught.value.faults == ("a", "b", "c")
    check_all([lambda: None])


def test_a_pipeline_as_a_process() -> None:
    code = (
        "import sys\nfrom core.errors import InputError\nfrom pipelines.cli import run_main\n"
        "def main(): raise InputError('no such file')\nsys.exit(run_main(main))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "Stopped by a fault:\n  no such file\n")


@pytest.mark.parametrize(
    ("verbose", "ours", "theirs"),
    [(0, logging.INFO, logging.WARNING), (1, logging.DEBUG, logging.WARNING), (2, logging.DEBUG, logging.DEBUG)],
)
def test_libraries_are_quieter_than_this_project(verbose: int, ours: int, theirs: int) -> None:
    set_up_logging(verbose)
    assert logging.getLogger("retrieval.encoder").getEffectiveLevel() == ours
    assert logging.getLogger("transformers_like.x").getEffectiveLevel() == theirs
