"""Let a language model explain the bank's entries: the CSV file that `--explanations` reads."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from core.artifacts import write_json
from core.errors import InputError
from core.records import Misconception
from core.tables import read_explanations, write_explanations
from pipelines.cli import parse_arguments, parser, run_main
from pipelines.engine_pool import EnginePool
from pipelines.explaining_settings import ExplainingSettings
from pipelines.job import Job, base_model, check_not_overwritten, read_job
from pipelines.loading import load_encoder
from pipelines.settings import Settings
from pipelines.writing import AskingBar, add_writer_options, check_writer, open_writer, with_options
from synth.asking import Asker
from synth.clusters import similar_entries
from synth.explaining import Explaining
from synth.ledger import Asked, Ledger
from synth.replies import ReplyError

DESCRIPTION = """\
Let a language model explain the entries of a bank: what each misconception is, and when it shows.

The explanations go to --output DIR as explanations.csv (MisconceptionId, Explanation, Source), which end_to_end.py and
the other pipelines read with --explanations; stage 1 embeds them and stage 2 can show them. Source names the model and
the line of ledger.jsonl in which the request stands: model, revision, prompt hash, seed, tokens, seconds, answer.

A run that was killed goes on and never asks twice for a finished entry. Requests that failed are counted, their entries
are absent from the file, and the same command asks for them again. Entries that --explanations has already are left
out. Nothing but names of entries is shown to the model: no question, no answer. --show-prompt shows the prompt; change
it with explaining.instruction and explaining.template in the config."""

FILE = "explanations.csv"
EPILOG = """\
examples:
  python pipelines/explain_misconceptions.py --misconceptions bank.csv --output runs/explained --show-prompt
  python pipelines/explain_misconceptions.py --misconceptions bank.csv --output runs/explained \\
      --engine mine --set engines.mine.kind=endpoint --set engines.mine.base_url=http://127.0.0.1:8000/v1
  python pipelines/end_to_end.py --explanations runs/explained/explanations.csv ..."""


@dataclass(kw_only=True)
class Outcome:
    """What became of the entries.

    Attributes:
        texts: The explanation of each id.
        sources: Where it comes from.
        rejected: Answers that could not be used, by reason; an entry may have several before it succeeds.
        left: Entries without an explanation, and the last reason.
        asked: All requests that served these entries, in this run or before.
    """

    texts: dict[int, str] = field(default_factory=dict)
    sources: dict[int, str] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)
    left: dict[int, str] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)


def main(arguments: list[str] | None = None) -> None:
    """Run the job that the command line asks for."""
    options = _options(arguments)
    started = time.perf_counter()

    def check_model(settings: Settings) -> None:
        if not options.show_prompt:
            check_writer("explaining.writer", with_options(settings.explaining.writer, options), settings)

    def check_limit(settings: Settings) -> None:
        if options.limit is not None and options.limit < 1:
            raise InputError(f"--limit: expected at least 1, got {options.limit}")

    def check_known(_: Settings) -> None:
        check_not_overwritten("--explanations", options.explanations, options.output, FILE)

    known = options.explanations
    job = read_job(options, checks=(check_model, check_limit, check_known), needs_train=False)
    entries = _wanted(job, known, options)
    explaining = _explaining(job, job.settings.explaining)
    if options.show_prompt:
        for message in explaining.messages(entries[0]):
            sys.stdout.write(f"--- {message.role} ---\n{message.text}\n")
        return
    chosen = with_options(job.settings.explaining.writer, options)
    pool = EnginePool()
    path = job.output / FILE
    try:
        with Ledger(job.output / "ledger.jsonl") as ledger, closing(AskingBar()) as bar:
            asker = open_writer(chosen, job.settings, pool).asker(ledger, progress=bar)
            try:
                explain(explaining, asker, entries, attempts=job.settings.explaining.attempts)
            finally:  # a dead server stops the run; what was explained before, by whichever run, is worth a file
                outcome = collect(explaining, asker, entries)
                if outcome.texts:
                    explained = _explained(entries, outcome.texts)
                    write_explanations(path, explained, sources=outcome.sources, columns=job.settings.columns)
    finally:
        pool.close()
    seconds = time.perf_counter() - started
    write_json(job.output / "explaining.json", summary(entries, outcome, seconds))
    sys.stdout.write(report(entries, outcome, asker, seconds))
    if not outcome.texts:
        raise InputError(
            f"not one of {len(entries)} entries could be explained ({_counted(outcome.rejected)}): use a larger "
            f"instruct model, or look at the answers in {job.output / 'ledger.jsonl'}"
        )
    sys.stdout.write("Written:\n" + "".join(f"  {job.output / name}\n" for name in (path.name, "explaining.json")))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    made = parser(DESCRIPTION, EPILOG, config_model=Settings)
    group = made.add_argument_group("data")
    group.add_argument("--misconceptions", type=Path, metavar="M.csv", help="the bank")
    group.add_argument(
        "--explanations", type=Path, action="append", default=[], metavar="E.csv", help="entries in these are left out"
    )
    group.add_argument("--output", type=Path, metavar="DIR", help="folder to write into; made if missing")
    made.add_argument("--limit", type=int, metavar="N", help="explain only the first N entries that have none")
    made.add_argument("--show-prompt", action="store_true", help="show the prompt of the first entry and stop")
    add_writer_options(made)
    options = parse_arguments(made, arguments)
    options.train, options.hints = None, []
    return options


def explain(explaining: Explaining, asker: Asker, entries: Sequence[Misconception], *, attempts: int) -> None:
    """Ask for each entry, again with another seed where the answer cannot be used; the answers are in the ledger.

    Args:
        explaining: Asks and reads.
        asker: The model, through its ledger.
        entries: The entries.
        attempts: Most tries at an entry. A request that failed is no try: it is asked again in the next run.
    """
    waiting = list(entries)
    for attempt in range(attempts):
        answers = asker.ask(explaining.requests(waiting, attempt))
        waiting = [
            entry
            for entry, asked in zip(waiting, answers, strict=True)
            if asked.error is None and isinstance(_read(explaining, entry, asked), ReplyError)
        ]


def collect(explaining: Explaining, asker: Asker, entries: Sequence[Misconception]) -> Outcome:
    """Return what the ledger holds for the entries, of this run and of earlier ones; nothing is asked."""
    outcome = Outcome()
    for entry in entries:
        for attempt in count():
            (request,) = explaining.requests([entry], attempt)
            asked = asker.known(request)
            if asked is None:
                break
            outcome.asked.append(asked)
            found = _read(explaining, entry, asked)
            if isinstance(found, str):
                outcome.texts[entry.id], outcome.sources[entry.id] = found, source_of(asked)
                outcome.left.pop(entry.id, None)
                break
            outcome.rejected[found.reason] += 1
            outcome.left[entry.id] = str(found)
            if asked.error is not None:
                break
    return outcome


def _read(explaining: Explaining, entry: Misconception, asked: Asked) -> str | ReplyError:
    try:
        return explaining.read(entry, asked)
    except ReplyError as error:
        return error


def source_of(asked: Asked) -> str:
    """Return where an answer comes from: model, revision and the key of its line in the ledger."""
    revision = f"@{asked.revision}" if asked.revision else ""
    return f"llm {asked.model}{revision} ledger {asked.key[:16]}"


def summary(entries: Sequence[Misconception], outcome: Outcome, seconds: float) -> dict[str, object]:
    """Return what was made, what not and why, and what it cost, as JSON-able values."""
    return {
        "entries": len(entries),
        "explained": len(outcome.texts),
        "without": {str(id): why for id, why in sorted(outcome.left.items())},
        "answers_not_used": dict(sorted(outcome.rejected.items())),
        "requests": len(outcome.asked),
        "prompt_tokens": sum(asked.prompt_tokens for asked in outcome.asked),
        "output_tokens": sum(asked.output_tokens for asked in outcome.asked),
        "seconds_asking": round(sum(asked.seconds for asked in outcome.asked), 3),
        "seconds_of_this_run": round(seconds, 3),
    }


def report(entries: Sequence[Misconception], outcome: Outcome, asker: Asker, seconds: float) -> str:
    """Return the same for a terminal."""
    read, written = (
        sum(getattr(asked, name) for asked in outcome.asked) for name in ("prompt_tokens", "output_tokens")
    )
    lines = [
        f"{len(outcome.texts)} of {len(entries)} entries explained, {len(outcome.left)} left",
        f"{asker.asked} requests asked, {asker.reused} taken from the ledger; all of them: {read} tokens read, "
        f"{written} written; this run: {seconds:.1f} s",
    ]
    if outcome.rejected:
        lines.insert(1, f"answers that could not be used: {_counted(outcome.rejected)}")
    return "".join(f"{line}\n" for line in lines)


def _counted(reasons: Counter[str]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))


def _wanted(job: Job, known: Sequence[Path], options: argparse.Namespace) -> list[Misconception]:
    have = read_explanations(known, columns=job.settings.columns)
    entries = [entry for entry in job.bank if entry.id not in have][: options.limit]
    if not entries:
        raise InputError(f"every one of the bank's {len(job.bank)} entries has an explanation already: nothing to do")
    return entries


def _explaining(job: Job, settings: ExplainingSettings) -> Explaining:
    similar: Mapping[int, Sequence[int]] = {}
    if settings.similar and "{similar}" in settings.template and len(job.bank) > 1:
        encoder = load_encoder(job, base_model(job.settings).folder)
        vectors = encoder.encode_documents([entry.name for entry in job.bank])
        similar = similar_entries([entry.id for entry in job.bank], vectors, size=settings.similar)
    return Explaining(
        bank={entry.id: entry for entry in job.bank},
        similar=similar,
        instruction=settings.instruction,
        template=settings.template,
        max_tokens=settings.max_tokens,
        temperature=settings.temperature,
        seed=settings.seed,
        shortest=settings.shortest,
        longest=settings.longest,
        guided=settings.guide,
    )


def _explained(entries: Sequence[Misconception], texts: Mapping[int, str]) -> list[Misconception]:
    return [replace(entry, explanation=texts[entry.id]) for entry in entries if entry.id in texts]


if __name__ == "__main__":
    sys.exit(run_main(main))
