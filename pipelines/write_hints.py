"""Write hints: why would a student give this wrong answer? Never shown the label."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from core.errors import InputError
from core.models import locate_model
from core.records import Query, queries_of
from pipelines.cli import parse_arguments, parser, run_main
from pipelines.hint_job import HintJob, read_hint_job, read_template
from pipelines.hint_run import FILE, hint_parts, is_served, write_parts
from pipelines.job import check_not_overwritten
from pipelines.reasoners import Reasoner, read_reasoners
from pipelines.settings import Settings
from pipelines.writing import add_writer_options, check_writer, with_options
from synth.hint_prompt import HintPrompt

logger = logging.getLogger(__name__)

DESCRIPTION = """\
Ask a language model why a student would give each wrong answer, and write DIR/hints.csv, the file that the other
pipelines read with --hints. The model is shown the question and its answers, never a label, a bank or a known hint:
the same file may serve training and test rows. --show-template prints the template of the prompt; edit it and name it
with --template. --show-prompt prints the prompt of the first wrong answer.

Which model: --model and --engine (vLLM in process, a vLLM server, any OpenAI-compatible endpoint, transformers), or
--reasoner, a model of train_reasoner.py, or several of them: each question is then asked of one that did not learn
from it, in the form and with the template that it was taught.

Every request is kept in DIR/requests.jsonl as soon as it is answered. A run that was killed goes on and asks nothing
twice. Answers that are refusals, cut short, too long or not in the form asked for are rejected and counted; their rows
are absent from the CSV and asked again, warmer, by a second attempt and by the next run of the same command. Each row
of the CSV names its model and its request."""

EPILOG = """\
examples:
  python pipelines/write_hints.py --train train.csv --test test.csv --output runs/hints --model models/qwen --engine gpu
  python pipelines/write_hints.py --train train.csv --reasoner models/reasoner --output runs/hints
  python pipelines/end_to_end.py ... --hints runs/hints/hints.csv"""


def main(arguments: list[str] | None = None) -> None:
    """Run the job that the command line asks for."""
    options = parse_arguments(_parser(), arguments)
    reasoners: list[Reasoner] = []
    prompts: list[HintPrompt] = []

    def check(settings: Settings) -> None:
        prompts.append(read_template("hints.template", settings.hints.template, settings.hints.form))

    def check_model(settings: Settings) -> None:
        reasoners.extend(read_reasoners(options.reasoner))
        if not (options.show_template or options.show_prompt):
            _check_models(reasoners, settings, options)

    def check_known(_: Settings) -> None:
        if not (options.show_template or options.show_prompt):
            check_not_overwritten("--hints", options.hints, options.output, FILE)

    needed = [] if options.train or options.test or options.show_template else ["train"]
    needed += [] if options.show_template or options.show_prompt else ["output"]
    job = read_hint_job(
        options,
        needed=needed,
        checks=(check, check_model, check_known),
        adjust=lambda settings: _adjusted(settings, options),
    )
    prompt = reasoners[0].prompt if reasoners else prompts[0]
    if options.show_template:
        sys.stdout.write(prompt.to_text())
        return
    queries = _queries(job, options)
    if options.show_prompt:
        for message in prompt.messages(queries[0]):
            sys.stdout.write(f"--- {message.role}\n{message.text}\n")
        return
    parts = hint_parts(job.settings, prompt, queries, reasoners, skip_learnt=options.skip_learnt)
    sys.stdout.write(write_parts(job, parts))


def _parser() -> argparse.ArgumentParser:
    made = parser(DESCRIPTION, EPILOG, config_model=Settings)
    data = made.add_argument_group("data")
    data.add_argument("--train", type=Path, metavar="T.csv", help="questions whose labelled wrong answers want hints")
    data.add_argument("--all-answers", action="store_true", help="with --train: unlabelled wrong answers too")
    data.add_argument("--test", type=Path, metavar="X.csv", help="questions whose wrong answers all want hints")
    data.add_argument(
        "--hints", type=Path, action="append", default=[], metavar="H.csv", help="wrong answers in it are left out"
    )
    data.add_argument("--limit", type=int, metavar="N", help="the first N wrong answers alone, to try it out")
    data.add_argument("--output", type=Path, metavar="DIR", help="folder to write into; made if missing")
    add_writer_options(made)
    made.add_argument(
        "--reasoner",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="of train_reasoner.py; may be repeated",
    )
    made.add_argument(
        "--skip-learnt", action="store_true", help="leave out questions that every reasoner learnt from, and count them"
    )
    prompt = made.add_argument_group("the prompt")
    prompt.add_argument("--template", metavar="FILE", help="what to ask; default: the config's")
    prompt.add_argument("--show-template", action="store_true", help="print the template, to be edited, and exit")
    prompt.add_argument("--show-prompt", action="store_true", help="print the first wrong answer's prompt and exit")
    return made


def _adjusted(settings: Settings, options: argparse.Namespace) -> Settings:
    hints = settings.hints.model_copy(update={"writer": with_options(settings.hints.writer, options)})
    if options.template:
        hints = hints.model_copy(update={"template": options.template})
    return settings.model_copy(update={"hints": hints})


def _check_models(reasoners: Sequence[Reasoner], settings: Settings, options: argparse.Namespace) -> None:
    """Check all models, before any cost."""
    chosen = settings.hints.writer
    if options.limit is not None and options.limit < 1:
        raise InputError(f"--limit {options.limit}: expected at least 1")
    if not reasoners:
        check_writer("hints.writer", chosen, settings)
        return
    given = [
        *(["--model"] if options.model else []),
        *(["--template or hints.template"] if settings.hints.template else []),
        *(["hints.writer.adapter"] if chosen.adapter else []),
    ]
    if given:
        raise InputError(f"--reasoner brings its model and its template: leave {' and '.join(given)} out")
    if is_served(chosen, settings) and len(reasoners) > 1:
        raise InputError(
            f"--reasoner: engine '{chosen.engine}' is a server, which serves one model by one name: give one reasoner"
        )
    for reasoner in reasoners:
        writer = reasoner.writer(chosen, served=is_served(chosen, settings))
        located = locate_model(reasoner.base, revision=writer.revision)
        if reasoner.adapter and located.revision != reasoner.base_revision:
            raise InputError(
                f"--reasoner {reasoner.folder}: was trained over '{reasoner.base}' of revision "
                f"{reasoner.base_revision}, found {located.revision} there"
            )
        check_writer(f"--reasoner {reasoner.folder}", writer, settings)


def _queries(job: HintJob, options: argparse.Namespace) -> list[Query]:
    """Return the wrong answers that want a hint, those of a question next to each other."""
    wanted = {query.key: query for query in queries_of(job.train, labelled_only=not options.all_answers)}
    for query in queries_of(job.test):
        if query.key in wanted and query.question.text != wanted[query.key].question.text:
            raise InputError(f"{query.key} is one question in --train and another in --test: run them apart")
        wanted.setdefault(query.key, query)
    left = [query for key, query in wanted.items() if key not in job.hints]
    if len(left) < len(wanted):
        logger.info("%d of %d wrong answers have a hint already and are left out", len(wanted) - len(left), len(wanted))
    if not left:
        raise InputError("no wrong answer wants a hint: none has a label (--all-answers asks for all), or all have one")
    return left[: options.limit]


if __name__ == "__main__":
    sys.exit(run_main(main, go_on="Run the same command again to go on: nothing is asked twice."))
