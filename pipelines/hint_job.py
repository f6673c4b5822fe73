"""What the two pipelines of hints read: config, questions and hints, every fault told at once. No bank is needed."""

import argparse
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.config import load_config
from core.errors import ConfigError, UserError
from core.faults import Faults
from core.hint_table import Hint, scan_hints, unknown_hints
from core.inputs import output_folder_fault
from core.question_table import scan_questions
from core.records import Question, queries_of
from pipelines.hint_settings import Form
from pipelines.job import set_threads
from pipelines.settings import Settings
from synth.hint_prompt import HintPrompt, default_prompt, parse_template

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class HintJob:
    """A checked task.

    Attributes:
        settings: The config.
        train: The training questions; empty where no file was given.
        test: The test questions; empty where no file was given.
        hints: Hints by query key; empty where no file was given.
        output: The folder to write into.
    """

    settings: Settings
    train: tuple[Question, ...]
    test: tuple[Question, ...]
    hints: dict[str, Hint]
    output: Path


def read_hint_job(
    options: argparse.Namespace,
    *,
    needed: Sequence[str],
    checks: Sequence[Callable[[Settings], object]],
    adjust: Callable[[Settings], Settings] = lambda settings: settings,
) -> HintJob:
    """Read config and files and raise every fault of all of them at once, before any model loads.

    Args:
        options: The parsed command line, with `config`, `overrides`, `train`, `test`, `hints` and `output`.
        needed: Which of these must be given, in words of the command line.
        checks: Further checks of the config; each raises a `UserError`.
        adjust: Puts command-line options into the config.

    Raises:
        InputError: Every fault, one a line.
    """
    faults = Faults()
    for name in needed:
        if not getattr(options, name):
            faults.add_message(f"--{name}: expected a path, got none")
    settings = Settings()
    try:
        found: object = load_config(Settings, options.config, options.overrides)
    except ConfigError as error:
        for fault in error.faults:
            faults.add_message(fault)
        found = error.usable
    if isinstance(found, Settings):
        settings = adjust(found)
        for check in checks:
            try:
                check(settings)
            except UserError as error:
                for fault in error.faults:
                    faults.add_message(fault)
    unwritable = None if options.output is None else output_folder_fault(options.output)
    if unwritable is not None:
        faults.add_message(unwritable)
    tables = [
        path and scan_questions(path, faults, columns=settings.columns, require_labels=False)
        for path in (options.train, options.test)
    ]
    hints = scan_hints(options.hints, faults, columns=settings.columns)
    faults.raise_if_any()
    set_threads(settings.threads)
    train, test = (table.questions if table else () for table in tables)
    warnings = [warning for table in tables if table for warning in table.warnings]
    for warning in [*warnings, *unknown_hints(queries_of([*train, *test]), hints)]:
        logger.warning("warning: %s", warning)
    return HintJob(settings=settings, train=train, test=test, hints=hints, output=options.output)


def read_template(where: str, path: str | None, form: Form) -> HintPrompt:
    """Return the template of a config: the file's, or the built-in one.

    Args:
        where: The key of the config, for messages.
        path: The file; None for the built-in one.
        form: Which built-in one.

    Raises:
        ConfigError: The file cannot be read, or is no template.
    """
    if path is None:
        return default_prompt(form)
    try:
        return parse_template(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{where}: {path}: cannot be read ({error.strerror or error}): expected a template"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where}: {path}: expected UTF-8 ({error})") from error
    except ConfigError as error:
        raise ConfigError([f"{where}: {path}: {fault}" for fault in error.faults]) from error
