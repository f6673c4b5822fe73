"""What `synthesize.py` is asked to do: options, config, files and models checked before any cost; rows to write."""

import argparse
import logging
from collections.abc import Callable, Sequence

from core.errors import InputError
from core.models import LocalModel, locate_model
from core.records import Question
from pipelines.cli import check_all
from pipelines.job import Job, check_length, read_job
from pipelines.settings import Settings
from pipelines.synthesis_checks import check_sympy
from pipelines.writing import check_writer, with_options
from synth.slots import Slot, real_examples, slots_of

logger = logging.getLogger(__name__)


def read_synthesis_job(options: argparse.Namespace, retrievers: list[LocalModel]) -> Job:
    """Read config and files; all faults at once, before any model loads.

    Args:
        options: The parsed command line.
        retrievers: Takes stage 1's encoder, found here.

    Raises:
        InputError: Every fault, one a line.
    """

    def adjust(settings: Settings) -> Settings:
        made = settings.synthesis
        changed = made.model_copy(update={"writer": with_options(made.writer, options)})
        return settings.model_copy(update={"synthesis": changed})

    def check_retriever(settings: Settings) -> None:
        retriever = settings.retriever
        retrievers.append(locate_model(options.retriever or retriever.model, revision=retriever.revision))
        check_length(retrievers[0], settings)

    def check_writers(settings: Settings) -> None:
        if not options.show_prompt:  # no model is needed to see a prompt
            check_all(_writer_checks(settings))

    return read_job(
        options,
        checks=(check_retriever, check_writers, lambda _: _check_options(options)),
        adjust=adjust,
        needs_train=False,
    )


def _writer_checks(settings: Settings) -> list[Callable[[], object]]:
    made = settings.synthesis
    checks: list[Callable[[], object]] = [
        lambda: check_sympy(made),
        lambda: check_writer("synthesis.writer", made.writer, settings),
    ]
    judge = made.judge.writer
    if judge is not None:
        checks.append(lambda: check_writer("synthesis.judge.writer", judge, settings))
    return checks


def _check_options(options: argparse.Namespace) -> None:
    faults = []
    if options.limit is not None and options.limit < 1:
        faults.append(f"--limit {options.limit}: expected at least 1")
    if options.only is not None and not all(part.strip().isdigit() for part in options.only.split(",")):
        faults.append(f"--only {options.only}: expected ids of misconceptions parted by commas, e.g. 12,345")
    if options.confusions is not None and not options.confusions.is_file():
        faults.append(f"--confusions {options.confusions}: there is no such file")
    if options.confusions is not None and options.train is None:
        faults.append("--confusions needs --train: the rankings are of its questions")
    if faults:
        raise InputError(faults)


def wanted_slots(job: Job, options: argparse.Namespace, shown: Sequence[Question]) -> list[Slot]:
    """Return the rows to write, as config and command line say.

    Args:
        job: The job.
        options: The parsed command line.
        shown: The training questions without those held out: what these alone label is unseen, as it is for a model
            that is measured on them.

    Raises:
        InputError: An id is not in the bank, or nothing is to be written.
    """
    settings = job.settings.synthesis
    only = None if options.only is None else {int(part) for part in options.only.split(",")}
    if only is not None and (unknown := sorted(only - {entry.id for entry in job.bank})):
        raise InputError(f"--only: not in the bank: {', '.join(map(str, unknown))}")
    slots = slots_of(
        job.bank,
        real_examples(shown),
        at_least=settings.at_least,
        at_most=settings.at_most,
        attempts=settings.attempts,
        only_unseen=settings.labels == "unseen",
        only=only,
        limit=options.limit,
    )
    if not slots:
        raise InputError(
            "nothing to write: every misconception that was asked for has a real example; set synthesis.labels=all"
        )
    logger.info("%d rows for %d misconceptions", len(slots), len({slot.misconception_id for slot in slots}))
    return slots
