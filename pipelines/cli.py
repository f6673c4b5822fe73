"""What every command line of this project has in common: options, messages, exit statuses."""

import argparse
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel

from core.config import describe
from core.disk import full_disk_told
from core.errors import InputError, RefusedError, UserError

INTERRUPTED_STATUS = 130
"""128 + SIGINT, as shells have it."""
_ROOMS = ("core", "retrieval", "rerank", "synth", "eval", "pipelines", "__main__")
_QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",  # the tokenizers warn at every fork otherwise
    "TRANSFORMERS_VERBOSITY": "error",
    "VLLM_LOGGING_LEVEL": "WARNING",
}


def parser(
    description: str, epilog: str = "", *, config_model: type[BaseModel] | None = None
) -> argparse.ArgumentParser:
    """Return a parser with the options that all pipelines share: `--config`, `--set`, `--help-config`, `-v`.

    Args:
        description: What the pipeline does, shown as it is written.
        epilog: Examples, shown as they are written.
        config_model: The pipeline's config; None leaves the three config options out.

    Returns:
        A parser whose result has `config` (Path or None), `overrides` (list of str) and `verbose` (int).
    """
    made = argparse.ArgumentParser(
        description=description, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    made.add_argument(
        "-v", "--verbose", action="count", default=0, help="tell more; twice: the libraries' messages too"
    )
    if config_model is not None:
        group = made.add_argument_group("config")
        group.add_argument("--config", type=Path, metavar="FILE", help="a TOML file")
        group.add_argument(
            "--set",
            dest="overrides",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="set one value of the config, e.g. training.epochs=3; may be repeated",
        )
        group.add_argument(
            "--help-config",
            action=_ListConfig,
            config_model=config_model,
            help="list every key of the config with its default and what it is for, and exit",
        )
    return made


class _ListConfig(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, config_model: type[BaseModel], help: str) -> None:
        super().__init__(option_strings, dest=argparse.SUPPRESS, default=argparse.SUPPRESS, nargs=0, help=help)
        self._config_model = config_model

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        sys.stdout.write(describe(self._config_model) + "\n")
        parser.exit()


def parse_arguments(made: argparse.ArgumentParser, arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line (or `arguments`) and set up logging as `-v` asks; exit with 2 on a wrong option."""
    parsed = made.parse_args(arguments)
    set_up_logging(parsed.verbose)
    return parsed


def set_up_logging(verbose: int = 0) -> None:
    """Send this project's messages to stderr and keep those of libraries back.

    Args:
        verbose: 0: what was done; 1: details; 2: the libraries' messages and warnings as well.
    """
    logging.basicConfig(format="%(message)s", level=logging.DEBUG if verbose > 1 else logging.WARNING, force=True)
    for room in _ROOMS:
        logging.getLogger(room).setLevel(logging.DEBUG if verbose else logging.INFO)
    if verbose < 2:
        warnings.simplefilter("ignore")
        # bitsandbytes tells at every import which optional CPU kernel it did not find.
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)


def check_all(checks: Iterable[Callable[[], object]]) -> None:
    """Run checks that do not depend on one another and tell the faults of all of them together.

    Args:
        checks: Each raises a `UserError` where something is wrong.

    Raises:
        InputError: With the faults of every check that raised.
    """
    faults: list[str] = []
    for check in checks:
        try:
            check()
        except UserError as error:
            faults += error.faults or [str(error)]
    if faults:
        raise InputError(faults)


def run_main(
    main: Callable[[], None], *, go_on: str = "Run the same command again to go on from the last finished stage."
) -> int:
    """Run a pipeline's `main` and return its exit status; what a user can mend ends in a message, not in a traceback.

    Use it as `sys.exit(run_main(main))`.

    Args:
        main: The pipeline.
        go_on: What to tell a user who interrupted it.

    Returns:
        0 when it went well, 2 after a `UserError` (its faults on stderr, one a line), 3 after a `RefusedError` (why, on
        stderr), 130 after Ctrl-C.
    """
    try:
        with full_disk_told():
            main()
    except UserError as error:
        faults = error.faults or (str(error),)
        stopped = f"Stopped by {'a fault' if len(faults) == 1 else 'these faults'}"
        told = "Refused" if isinstance(error, RefusedError) else stopped
        sys.stderr.write(f"{told}:\n" + "".join(f"  {fault}\n" for fault in faults))
        return error.status
    except KeyboardInterrupt:
        sys.stderr.write(f"\nInterrupted. {go_on}\n")
        return INTERRUPTED_STATUS
    return 0
