"""Let a language model write questions for misconceptions; keep what passes every check, and tell what it cost."""

import argparse
import logging
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from core.errors import InputError
from core.models import LocalModel
from core.records import queries_of
from core.text import normalise
from pipelines.cli import parse_arguments, parser, run_main
from pipelines.engine_pool import EnginePool
from pipelines.job import Job, add_data_options
from pipelines.judged_judge import JudgeQuality, judge_the_judge
from pipelines.settings import Settings
from pipelines.stages import Stages
from pipelines.synthesis_checks import judging, synthesis_checks
from pipelines.synthesis_job import read_synthesis_job, wanted_slots
from pipelines.synthesis_parts import SynthesisParts
from pipelines.synthesis_report import summary_text, write_summary
from pipelines.writing import AskingBar, OpenWriter, add_writer_options, open_writer
from synth.asking import Asker
from synth.costs import costs_of
from synth.ledger import Asked, Ledger
from synth.outcomes import (
    Outcome,
    Summary,
    coverage_of,
    outcome_line,
    rejections,
    write_outcomes,
    write_rows,
)
from synth.reasons import FAILED, row_reasons_text
from synth.slots import Slot, real_examples
from synth.writing import write_all

logger = logging.getLogger(__name__)

DESCRIPTION = """\
Grow a training set for your own bank: a language model writes multiple-choice questions, each with a wrong answer that
shows one misconception of the bank. Misconceptions without a real example come first.

How a row is made and checked, in this order; what is rejected is counted with its reason, and asked for again at most
`synthesis.attempts` times:
  write      the prompt holds the misconception, similar ones that the answer must not fit, and real examples
  parse      the answer must be one JSON object with question, four answers, two letters and a rationale
  rules      answers differ, nothing is given away, no picture, the language is right, LaTeX is whole
  arithmetic sympy works out what it can
  leak       not the same as a validation or test question, nor near it (embeddings), nor made with one in sight
  solve      the model solves the question, without and with the misconception: the stated answers must come out
  judge      a rubric, 0 to 10 (synthesis.judge.threshold); another model may judge (synthesis.judge.writer); what the
             judge is worth is measured on real rows and told
  duplicate  not the same as another row or a training question, in another form or nearly (embeddings)

The model is any of: a folder or bundled model that is run here (engine transformers, or an [engines.NAME] table of kind
vllm), a vLLM server (kind vllm-server), or any OpenAI-compatible endpoint (kind endpoint), e.g. a server of your own:
  --set engines.mine.kind=endpoint --set engines.mine.base_url=http://127.0.0.1:8000/v1 --engine mine
The key, if it needs one, comes from the environment variable that engines.mine.api_key_env names; at most
engines.mine.concurrency requests are in flight. For an engine that refuses JSON schemas: --set synthesis.guide=false.
--help-config lists every setting; those of this job begin with synthesis.

Written to --output:
  questions.csv    the accepted rows in the Eedi schema, and rows.jsonl (misconception, parents, judge's mark a row):
                   the folder is what training takes as --synthetic
  ledger.jsonl     every attempt: accepted or why not, model, seed, tokens, seconds, marks, and its parents
                   (fingerprints of the real questions that its prompt showed)
  requests.jsonl   every request to the model with its answer: nothing in it is ever asked again
  summary.json, summary.html: rows kept, rows rejected by reason, coverage of the bank, and what it cost: in this run,
                   for these settings (sent now or by earlier runs), and in all runs into this folder

Reasons, counted as `check: reason`:
{reasons}

Killed at any moment, the same command goes on; at most the requests in flight are lost (of transformers: one batch).
Ask for more (a higher synthesis.at_most, a larger --limit) and all that was answered is used again. For numbers on
folds, give only the folds' training questions as --train, or no examples: a row must not train what is measured on one
of its parents."""

EPILOG = """\
examples:
  python pipelines/synthesize.py --misconceptions bank.csv --train train.csv --test test.csv --output runs/made \\
      --model models/Qwen2.5-32B-Instruct --engine vllm --set engines.vllm.kind=vllm --limit 50
  python pipelines/synthesize.py ... --engine mine --set engines.mine.kind=endpoint \\
      --set engines.mine.base_url=http://127.0.0.1:8000/v1 --set synthesis.labels=unseen --set synthesis.at_least=4
  python pipelines/synthesize.py ... --show-prompt            # what would be asked first; nothing is asked
  python pipelines/synthesize.py ... --set synthesis.examples.many=100 --set synthesis.max_prompt_tokens=24000
without any GPU, to see how it works (this model writes poor questions, nearly all are rejected):
  python pipelines/synthesize.py --misconceptions data/sample/misconceptions.csv --train data/sample/train.csv \\
      --output runs/made --model bundled:SmolLM2-135M-Instruct --limit 3"""


def main(arguments: list[str] | None = None) -> None:
    """Run the job that the command line asks for."""
    options = parse_arguments(_parser(), arguments)
    retrievers: list[LocalModel] = []
    job = read_synthesis_job(options, retrievers)
    parts = SynthesisParts(job, retrievers[0], options.confusions)
    slots = wanted_slots(job, options, parts.fit)
    if options.show_prompt:
        _show_prompt(parts, slots)
        return
    stages = Stages(folder=job.output)
    with ExitStack() as stack:
        ledger = stack.enter_context(Ledger(job.output / "requests.jsonl"))
        pool = stack.enter_context(closing(EnginePool()))
        bar = stack.enter_context(closing(AskingBar()))
        before = len(ledger)
        settings = job.settings.synthesis
        writer = open_writer(settings.writer, job.settings, pool)
        asker = writer.asker(ledger, progress=bar)
        judge = asker
        if settings.judge.writer is not None:
            judge = open_writer(settings.judge.writer, job.settings, pool).asker(ledger, progress=bar)
        found: list[Outcome] = []
        quality: list[JudgeQuality] = []
        stages.timed("rows", lambda: found.extend(_rows(job, parts, slots, writer, asker, judge)))
        # Before the judge is judged: what fails there must not keep accepted rows from their files.
        stages.timed("files", lambda: _write_rows(job, found, ledger, asker.used | judge.used))
        stages.timed("judge judged", lambda: quality.extend(_judged_judge(job, parts, judge, len(slots))))
        summary = _summary(job, slots, found, ledger, before, (asker, judge))
        judged = quality[0] if quality else None
        stages.timed("summary", lambda: _write_summary(job, writer, summary, judged))
    stages.write_run({"command": sys.argv})
    _tell(job, summary, judged, found)
    sys.stdout.write(f"\nStages:\n{stages.summary()}\n")


def _rows(
    job: Job, parts: SynthesisParts, slots: Sequence[Slot], writer: OpenWriter, asker: Asker, judge: Asker
) -> list[Outcome]:
    rows = parts.row_writer(writer.writer.count_tokens, writer.context)
    checks = synthesis_checks(
        job,
        bank=parts.bank,
        asker=asker,
        judge=judge,
        embed=parts.embed,
        training=parts.fit,
        held_out=parts.held_out,
        similar=parts.similar,
    )
    return write_all(rows, slots, asker, checks)


def _judged_judge(job: Job, parts: SynthesisParts, judge: Asker, most: int) -> list[JudgeQuality]:
    """Let the judge mark real rows too, at most as many as rows were asked for: a small run stays small."""
    settings = job.settings.synthesis
    names = {id: normalise(entry.name) for id, entry in parts.bank.items()}
    different = len(set(names.values()))
    queries = [
        query
        for query in queries_of(parts.fit, labelled_only=True)
        # An answer that has every name of a small bank for a label cannot be swapped.
        if query.labels[0] in names and len({names[id] for id in query.labels if id in names}) < different
    ]
    rows = min(settings.judge.check_rows, most)
    if not settings.judge.enabled or not rows or not queries:
        return []
    judging_table = judging(settings, parts.bank, parts.similar)
    resamples = job.settings.bootstrap
    return [judge_the_judge(judging_table, judge, queries, rows=rows, seed=settings.seed, resamples=resamples)[0]]


def _parser() -> argparse.ArgumentParser:
    made = parser(DESCRIPTION.replace("{reasons}", row_reasons_text()), EPILOG, config_model=Settings)
    add_data_options(made, test=True)
    add_writer_options(made)
    group = made.add_argument_group("what is written")
    group.add_argument("--limit", type=int, metavar="N", help="at most N rows are asked for; default: all of the bank")
    group.add_argument(
        "--only", metavar="IDS", help="only for these misconceptions: ids, parted by commas; default: the whole bank"
    )
    group.add_argument(
        "--retriever", metavar="MODEL", help="stage 1's encoder, for similar misconceptions and near duplicates"
    )
    group.add_argument(
        "--confusions",
        type=Path,
        metavar="R.parquet",
        help="rankings of the training queries (of any stage): misconceptions that are confused count as similar",
    )
    group.add_argument(
        "--show-prompt", action="store_true", help="show the first prompt, with the examples drawn for it, and exit"
    )
    return made


def _show_prompt(parts: SynthesisParts, slots: Sequence[Slot]) -> None:
    # No model is needed to see a prompt: its tokens are estimated.
    rows = parts.row_writer(lambda text: len(text.encode()) // 3 + 1, None)
    for message in rows.prompt(slots[0], 0).messages:
        sys.stdout.write(f"--- {message.role}\n{message.text}\n")


def _summary(
    job: Job, slots: Sequence[Slot], outcomes: Sequence[Outcome], ledger: Ledger, before: int, askers: Sequence[Asker]
) -> Summary:
    settings = job.settings.synthesis
    per_label: dict[int, int] = {}
    for slot in slots:
        per_label[slot.misconception_id] = per_label.get(slot.misconception_id, 0) + 1
    each = list({id(asker): asker for asker in askers}.values())  # the judge may be the model that writes
    used = set().union(*(asker.used for asker in each))
    return Summary(
        attempts=len(outcomes),
        accepted=sum(outcome.accepted for outcome in outcomes),
        rejected=rejections(outcomes),
        costs=costs_of(ledger, before=before, used=used),
        asked_now=sum(asker.asked for asker in each),
        reused=sum(asker.reused for asker in each),
        unused=len({asked.key for asked in ledger} - used),
        coverage=coverage_of(
            job.bank,
            real_examples(job.train),
            outcomes,
            wanted={id: min(count, settings.at_least) for id, count in per_label.items()},
        ),
    )


def _write_rows(job: Job, outcomes: Sequence[Outcome], ledger: Ledger, used: Collection[str]) -> None:
    """Write the accepted rows, and of every attempt what became of it and the requests that served it."""
    by_row: dict[str, list[Asked]] = {}
    for asked in ledger:
        if asked.key in used:  # another model, or other settings, asked for rows of the same names
            by_row.setdefault(asked.row, []).append(asked)
    with _full_disk_told(job):
        write_rows(job.output, [outcome for outcome in outcomes if outcome.accepted])
        lines = []
        for outcome in outcomes:
            checks = [asked for asked in by_row[outcome.key] if asked.key != outcome.asked.key]
            writing = [asked for asked in by_row[outcome.key] if asked.key == outcome.asked.key]
            lines.append(outcome_line(outcome, [*writing, *checks]))
        write_outcomes(job.output / "ledger.jsonl", lines)


def _write_summary(job: Job, writer: OpenWriter, summary: Summary, judged: JudgeQuality | None) -> None:
    with _full_disk_told(job):
        write_summary(
            job.output,
            summary,
            judged,
            title="Questions made by a language model",
            provenance=[
                ("Model", f"{writer.model} ({writer.engine}; {writer.revision or 'revision not told'})"),
                ("Files", ", ".join(job.sources)),
                ("Bank", f"{len(job.bank)} misconceptions"),
            ],
        )


@contextmanager
def _full_disk_told(job: Job) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{job.output}: cannot be written ({error.strerror or error}). All answers are kept in requests.jsonl: "
            "make room and run the same command again, nothing is asked twice"
        ) from error


def _tell(job: Job, summary: Summary, judged: JudgeQuality | None, outcomes: Sequence[Outcome]) -> None:
    sys.stdout.write(f"\n{summary_text(summary, judged)}\n")
    told = [outcome.rejection[1] for outcome in outcomes if outcome.rejection is not None]
    failed = [verdict for verdict in told if verdict.reason == FAILED]
    if failed:
        logger.warning(
            "warning: %d attempts were rejected because a request failed (the last: %s); the same command asks for "
            "these again. Does the engine take JSON schemas? If not: --set synthesis.guide=false",
            len(failed),
            failed[-1].detail,
        )
    if not summary.accepted:
        most = next(iter(summary.rejected), "none")
        advice = "" if len(failed) == summary.attempts else "; a larger model helps most"
        logger.warning("warning: no row was accepted (most often: %s). See ledger.jsonl for each%s", most, advice)
    names = ("questions.csv", "rows.jsonl", "ledger.jsonl", "requests.jsonl", "summary.json", "summary.html")
    sys.stdout.write("\nWritten:\n" + "".join(f"  {job.output / name}\n" for name in names))


if __name__ == "__main__":
    sys.exit(run_main(main))
