"""What `merge_adapter.py` and `average_adapters.py` are asked to do, checked before anything is loaded or written."""

import argparse
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from core.adapter_merge import INTO, MERGED_DTYPES
from core.config import load_config
from core.errors import ConfigError, InputError, ModelError, UserError
from core.inputs import output_folder_fault
from core.models import LocalModel, locate_model, vouched
from pipelines.cli import check_all
from pipelines.job import Job, add_data_options, check_length, check_model_folder, read_job
from pipelines.lm_reranker import check_language_model
from pipelines.lm_training_table import adjusted_for_language_model, language_model_table
from pipelines.reranker_settings import LANGUAGE_MODELS, RerankerSettings
from pipelines.settings import Settings
from pipelines.trained_adapters import TrainedAdapter, base_of, carried, method_of, open_adapters

logger = logging.getLogger(__name__)

Check = Callable[[Sequence[TrainedAdapter], LocalModel | None], object]
"""A check of the adapters on their base (None: it was not looked for); raises a `UserError`."""


@dataclass(frozen=True, kw_only=True)
class AdapterJob:
    """A checked task.

    Attributes:
        adapters: The adapters, in their order.
        base: Their base; None where it is not read.
        job: The job that measures; None without validation data.
        settings: The config.
        given: The retriever of stage 1, where one is named.
        table: The reranker by which adapters are measured, with the base as model and the first adapter; None for
            retrievers, and without validation data.
    """

    adapters: tuple[TrainedAdapter, ...]
    base: LocalModel | None
    job: Job | None
    settings: Settings
    given: LocalModel | None
    table: RerankerSettings | None


def add_adapter_options(made: argparse.ArgumentParser) -> None:
    """Add the options of both pipelines, those of the data among them."""
    made.add_argument("--base", metavar="MODEL", help="the base: bundled:NAME, a folder, a hub id; default: its own")
    made.add_argument(
        "--base-revision",
        metavar="COMMIT",
        help="beside a hub id: the 40-digit commit; beside a folder: you vouch that it is a copy of that commit",
    )
    made.add_argument(
        "--into", choices=INTO, help="merge into the stored weights, or what their 4-bit form (NF4) holds"
    )
    made.add_argument(
        "--dtype",
        choices=MERGED_DTYPES,
        default="auto",
        help="of merged weights; give what the adapter was trained with (default: auto, the base's own)",
    )
    add_data_options(made)
    made.add_argument("--kind", choices=LANGUAGE_MODELS, help="of a reranker's adapter; default: as its manifest says")
    made.add_argument("--table", metavar="NAME", help="measure by this [rerankers.NAME] table: its prompts and engine")
    made.add_argument("--retriever", metavar="MODEL", help="stage 1, used as it is; default: trained by the config")
    made.add_argument("--work", type=Path, metavar="DIR", help="where stages are kept (default: OUTPUT.work)")


def read_adapter_job(
    options: argparse.Namespace,
    folders: Sequence[Path],
    *,
    needs_base: bool,
    four_bit: bool,
    checks: Sequence[Check],
    check_unmeasured: Callable[[], object] = lambda: None,
) -> AdapterJob:
    """Read all that a run needs and raise every fault at once; nothing is loaded or written.

    Args:
        options: The command line.
        folders: The adapters.
        needs_base: Whether the base is read where nothing is measured.
        four_bit: Whether adapters of a 4-bit base are measured on that base.
        checks: Further checks.
        check_unmeasured: A check of a run without validation data.

    Raises:
        InputError: Every fault, one a line.
    """
    reading = _Reading(options, folders, needs_base=needs_base, four_bit=four_bit, checks=checks)
    if reading.is_measured:
        job: Job | None = read_job(
            options,
            checks=(lambda _: reading.check_adapters(), reading.check_scoring, lambda _: reading.check_folders()),
            adjust=reading.adjusted,
        )
        settings = job.settings if job else Settings()
    else:
        job = None
        check_all(
            [
                reading.check_config,
                check_unmeasured,
                reading.check_output,
                reading.check_folders,
                reading.check_adapters,
            ]
        )
        settings = reading.settings
    return AdapterJob(
        adapters=tuple(reading.adapters),
        base=reading.base,
        job=job,
        settings=settings,
        given=reading.given,
        table=reading.table,
    )


class _Reading:
    """The checks of one command line; what each finds is kept for the next."""

    def __init__(
        self,
        options: argparse.Namespace,
        folders: Sequence[Path],
        *,
        needs_base: bool,
        four_bit: bool,
        checks: Sequence[Check],
    ) -> None:
        self._options, self._folders, self._four_bit, self._checks = options, folders, four_bit, checks
        self.is_measured = bool(options.train or options.misconceptions)
        self._needs_base = needs_base or self.is_measured or options.base is not None
        self.settings = Settings()
        self.base: LocalModel | None = None
        self.given: LocalModel | None = None
        self.table: RerankerSettings | None = None
        self.adapters: list[TrainedAdapter] = []
        self._unread: tuple[str, ...] = ()
        try:
            self.adapters = open_adapters(folders)
        except UserError as error:  # told with all other faults
            self._unread = error.faults

    def check_config(self) -> None:
        self.settings = load_config(Settings, self._options.config, self._options.overrides)

    def check_adapters(self) -> None:
        if self._unread:
            check_all([self._tell_unread, self._find_named_base])
        if not self._folders:
            raise InputError("expected an adapter's folder, got none; see --help")
        if self._needs_base:
            self.base = base_of(self.adapters, self._options.base, self._options.base_revision)
        check_all([partial(carried, self.adapters), *(partial(one, self.adapters, self.base) for one in self._checks)])

    def _tell_unread(self) -> None:
        raise ModelError(self._unread)

    def _find_named_base(self) -> None:
        if self._options.base is not None:
            found = locate_model(self._options.base, revision=self._options.base_revision)
            vouched(found, self._options.base_revision)

    def check_output(self) -> None:
        output = self._options.output
        if fault := "expected a path, got none" if output is None else output_folder_fault(output):
            raise InputError(f"--output: {fault}")

    def check_folders(self) -> None:
        check_model_folder(self._options.output)
        if self._options.work is not None and (fault := output_folder_fault(self._options.work)):
            raise InputError(f"--work: {fault}")

    def check_scoring(self, settings: Settings) -> None:
        for one in self.adapters:
            if "fitted_on" not in one.manifest:
                logger.warning(
                    "warning: %s does not tell which questions it was trained on; if held-out ones are among them, its "
                    "numbers are too good",
                    one.model.name,
                )
        if self._options.retriever is not None:
            self.given = locate_model(self._options.retriever, revision=settings.retriever.revision)
            check_length(self.given, settings)
        if self.adapters and self.base is not None and not self.adapters[0].adapter.is_encoder:
            self.table = self._scoring_table(settings)
            check_language_model(f"{self.table.kind}:{self.table.model}", self.table, settings)

    def adjusted(self, settings: Settings) -> Settings:
        """Return the settings by which is measured: table and base of the command line take their places."""
        told = method_of(self.adapters, settings.lm_training.method)
        changes: dict[str, object] = {"method": told if self._four_bit else "lora"}
        if self._options.table is not None:
            changes["table"] = self._options.table
        base = self._options.base or (self.adapters[0].adapter.base_name if self.adapters else None)
        settings = settings.model_copy(update={"lm_training": settings.lm_training.model_copy(update=changes)})
        if self._options.base and self.adapters and self.adapters[0].adapter.is_encoder:
            # Retrievers' adapters are measured on the base that is named, too.
            own = settings.retriever.model_copy(update={"base": self._options.base})
            return settings.model_copy(update={"retriever": own})
        return adjusted_for_language_model(settings, base or None)

    def _scoring_table(self, settings: Settings) -> RerankerSettings:
        """Return the table that rerankers' adapters are measured by."""
        first = self.adapters[0]
        named = settings.rerankers.get(settings.lm_training.table or "")
        kind = self._options.kind or (named.kind if named else first.manifest.get("kind"))
        if kind not in LANGUAGE_MODELS:
            raise ConfigError(
                f"--kind: expected listwise or pointwise; the adapter {first.model.name} does not tell its kind"
            )
        chosen = language_model_table(kind, settings)
        assert self.base is not None  # looked for before
        commit = self.base.copy_of if self.base.revision.startswith("sha256:") else self.base.revision
        return chosen.model_copy(update={"model": self.base.name, "revision": commit, "adapter": first.model.name})
