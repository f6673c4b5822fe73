"""What a pipeline is asked to do: options, config and input files, all checked before any model loads."""

import argparse
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.artifacts import content_hash
from core.config import load_config
from core.errors import ConfigError, InputError, UserError
from core.fingerprint import fingerprint
from core.inputs import Inputs, check_inputs
from core.models import LocalModel, locate_model
from core.records import Misconception, Query, Question, queries_of
from core.synthetic_table import SyntheticQuestion
from core.tables import Hint, with_hints
from pipelines.adapter_base import adapter_base, check_method, own_base
from pipelines.settings import Settings
from pipelines.texts import TextForms, text_forms

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "data" / "sample"
_MODEL_FILES = ("modules.json", "config.json", "adapter_config.json")
STAGED = "--synthetic: training.stages names its own folders of made questions; give one of the two"
CONFIGS = Path(__file__).resolve().parent / "configs"


@dataclass(frozen=True, kw_only=True)
class Job:
    """A checked task.

    Attributes:
        settings: The config.
        inputs: What the files held.
        output: The folder to write into.
        forms: How texts are written.
        sources: Names of the input files, for the report.
    """

    settings: Settings
    inputs: Inputs
    output: Path
    forms: TextForms
    sources: tuple[str, ...]

    @property
    def bank(self) -> tuple[Misconception, ...]:
        """The bank."""
        return self.inputs.bank

    @property
    def bank_hash(self) -> str:
        """What pins the bank, for manifests: ids, names and explanations, in the order of the file."""
        return content_hash([[entry.id, entry.name, entry.explanation] for entry in self.bank])

    @property
    def train(self) -> tuple[Question, ...]:
        """The training questions; empty where no file was given."""
        return self.inputs.train.questions if self.inputs.train else ()

    @property
    def test(self) -> tuple[Question, ...]:
        """The test questions; empty where no file was given."""
        return self.inputs.test.questions if self.inputs.test else ()

    @property
    def synthetic(self) -> tuple[SyntheticQuestion, ...]:
        """The made questions; empty where no folder was given."""
        return self.inputs.synthetic

    def queries(self, questions: Sequence[Question], *, labelled_only: bool = False) -> list[Query]:
        """Return the questions' queries, with hints where the config uses them and the files have them."""
        plain = queries_of(questions, labelled_only=labelled_only)
        hints: Mapping[str, Hint] = self.inputs.hints if self.settings.text.hint != "off" else {}
        return with_hints(plain, hints)


def add_data_options(parser: argparse.ArgumentParser, *, test: bool = False, synthetic: bool = False) -> None:
    """Add the options that name input files and the output folder."""
    group = parser.add_argument_group("data")
    group.add_argument("--train", type=Path, metavar="T.csv", help="questions with labelled wrong answers")
    group.add_argument("--misconceptions", type=Path, metavar="M.csv", help="the bank")
    if test:
        group.add_argument("--test", type=Path, metavar="X.csv", help="questions to rank the bank for; labels optional")
    group.add_argument("--output", type=Path, metavar="DIR", help="folder to write into; made if missing")
    group.add_argument(
        "--hints", type=Path, action="append", default=[], metavar="H.csv", help="hints; may be given several times"
    )
    group.add_argument(
        "--explanations", type=Path, action="append", default=[], metavar="E.csv", help="explanations of bank entries"
    )
    if synthetic:
        group.add_argument(
            "--synthetic",
            type=Path,
            action="append",
            default=[],
            metavar="FOLDER",
            help="made questions to train on too ([synthetic] says how); may be given several times",
        )


def read_job(
    options: argparse.Namespace,
    *,
    checks: Sequence[Callable[[Settings], object]] = (),
    default_config: Path | None = None,
    adjust: Callable[[Settings], Settings] = lambda settings: settings,
    needs_train: bool = True,
    needs_test: bool = False,
) -> Job:
    """Read the config and all files and raise every fault of all of them at once, before any model loads.

    Args:
        options: The parsed command line.
        checks: Further checks, e.g. that a model is there; each raises a `UserError`.
        default_config: Used where no `--config` is given.
        adjust: Puts command-line options (`--reranker`, …) into the config.
        needs_train: Whether `--train` is needed.
        needs_test: Whether `--test` is needed.

    Raises:
        InputError: Every fault, one a line.
    """
    missing = [
        f"--{name}: expected a path, got none"
        for name in _needed(needs_train, needs_test)
        if getattr(options, name) is None
    ]
    faults = list(missing)
    settings = Settings()
    # A model that is given takes the place of the config's, which then need not be there.
    given = getattr(options, "retriever", None) is not None
    try:
        found: object = load_config(Settings, options.config or default_config, options.overrides)
    except ConfigError as error:
        # What is right in a broken config still says which models to look for.
        faults += error.faults
        found = error.usable
    if isinstance(found, Settings):
        settings = adjust(found)
        faults += _faults_of(settings, (*(() if given else (_check_base,)), _check_also, *checks))
    folders = getattr(options, "synthetic", None) or []
    if folders and settings.training.stages:
        faults.append(STAGED)
    inputs = check_inputs(
        misconceptions=options.misconceptions,
        train=options.train,
        test=getattr(options, "test", None),
        hints=options.hints,
        explanations=options.explanations,
        synthetic=folders,
        output=options.output,
        columns=settings.columns,
        other_faults=faults,
    )
    for warning in inputs.warnings:
        logger.warning("warning: %s", warning)
    set_threads(settings.threads)
    paths = [options.train, options.misconceptions, getattr(options, "test", None), *options.hints]
    sources = tuple(path.name for path in [*paths, *options.explanations, *folders] if path is not None)
    return Job(
        settings=settings, inputs=inputs, output=options.output, forms=text_forms(settings.text), sources=sources
    )


def _faults_of(settings: Settings, checks: Sequence[Callable[[Settings], object]]) -> list[str]:
    faults: list[str] = []
    for check in checks:
        try:
            check(settings)
        except UserError as error:
            faults += error.faults
    return faults


def _needed(train: bool, test: bool) -> list[str]:
    return [*(["train"] if train else []), "misconceptions", *(["test"] if test else []), "output"]


def check_model_folder(output: Path | None) -> None:
    """Refuse a folder with other things in it: a model takes the place of the whole folder.

    Raises:
        InputError: The folder holds files, and they are no model.
    """
    if output is None or not output.is_dir() or any((output / name).is_file() for name in _MODEL_FILES):
        return
    if any(output.iterdir()):
        raise InputError(
            f"--output {output}: expected a new or empty folder or one that holds a model, since the whole folder is "
            "replaced, came one with other files; name another folder"
        )


def check_not_overwritten(option: str, paths: Sequence[Path], output: Path | None, name: str) -> None:
    """Refuse a file whose rows are left out where the run writes its own rows to the same file: they would be lost.

    Args:
        option: The option that names the files, for the message.
        paths: The files.
        output: The folder to write into.
        name: Of the file that is written there.

    Raises:
        InputError: One of the files is that one.
    """
    if output is not None and (output / name).resolve() in {path.resolve() for path in paths}:
        raise InputError(
            f"{option} {output / name}: is the file that this run writes, without the rows that it holds now; leave "
            "the option out (what was answered before is not asked again), or name another --output"
        )


def base_model(settings: Settings) -> LocalModel:
    """Find the encoder that the config names.

    Raises:
        ModelError: It is not there.
    """
    return locate_model(settings.retriever.model, revision=settings.retriever.revision)


def _check_also(settings: Settings) -> None:
    for name in settings.retriever.also:
        adapter_base(locate_model(name).folder, own_base(settings.retriever))


def _check_base(settings: Settings) -> None:
    model = base_model(settings)
    check_length(model, settings)
    check_method(model, settings)


def check_length(model: LocalModel, settings: Settings) -> None:
    """Refuse texts longer than a model has positions for, without loading it: training would fail in its midst.

    Raises:
        ConfigError: `retriever.max_length` is beyond the model's limit.
    """
    base = adapter_base(model.folder, settings.retriever)
    check_positions(model if base is None else base.model, settings.retriever.max_length, "retriever.max_length")


def check_positions(model: LocalModel, length: int, key: str) -> None:
    """Refuse a length in tokens that a model has no positions for.

    Args:
        model: The model; one whose config states no limit passes.
        length: Tokens.
        key: The config's key of that length, for the message.

    Raises:
        ConfigError: The length is beyond the model's limit.
    """
    file = model.folder / "config.json"
    most = json.loads(file.read_text(encoding="utf-8")).get("max_position_embeddings") if file.is_file() else None
    if isinstance(most, int) and length > most:
        raise ConfigError(f"{key}: expected at most {most} tokens for model '{model.name}', came {length}")


def set_threads(threads: int | None) -> None:
    """Have torch use so many CPU threads; None leaves it."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def fingerprints(questions: Sequence[Question]) -> list[str]:
    """Return a short hash of each question's normalised text, sorted: tells whether a model was fitted on a question.

    16 hexadecimal digits, so that two questions of a million collide with probability 3e-8.
    """
    return sorted({fingerprint(question) for question in questions})


def without_hints(queries: Sequence[Query]) -> list[Query]:
    """Return the queries with their hints taken out."""
    return [replace(query, hint=None) for query in queries]
