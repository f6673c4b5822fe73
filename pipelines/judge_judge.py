"""Measure what a judge of made questions is worth, on real labelled rows, before it is trusted with made ones."""

import csv
import io
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from core.artifacts import write_json, write_text
from core.errors import InputError
from core.records import queries_of
from pipelines.cli import parse_arguments, parser, run_main
from pipelines.engine_pool import EnginePool
from pipelines.job import Job, base_model, read_job
from pipelines.judged_judge import JudgedCase, judge_the_judge
from pipelines.settings import Settings
from pipelines.synthesis_checks import judging
from pipelines.synthesis_parts import SynthesisParts
from pipelines.writer_settings import WriterSettings
from pipelines.writing import AskingBar, add_writer_options, check_writer, open_writer, with_options
from synth.clusters import similar_entries
from synth.judge import CRITERIA
from synth.ledger import Ledger

DESCRIPTION = """\
Ask the judge of synthesize.py about real labelled rows, and about the same rows with another misconception.

The judge is asked as synthesize.py asks it, with the same similar misconceptions (synthesis.similar) in its prompt.
A judge that cannot tell the two apart keeps made questions by chance. Told are the area under the ROC curve with its
interval (0.5 is a coin), how often a row's own misconception gets the higher score, and which share of real and of
swapped rows each threshold keeps: choose synthesis.judge.threshold by it. Every request is in ledger.jsonl; a run that
was killed goes on and asks nothing twice."""

EPILOG = """\
example:
  python pipelines/judge_judge.py --train train.csv --misconceptions bank.csv --output runs/judge \\
      --model models/instruct-7b --engine vllm --set engines.vllm.kind=vllm --rows 300 --near 20"""


def main(arguments: list[str] | None = None) -> None:
    """Run the job that the command line asks for."""
    made = parser(DESCRIPTION, EPILOG, config_model=Settings)
    group = made.add_argument_group("data")
    group.add_argument("--train", type=Path, metavar="T.csv", help="questions with labelled wrong answers")
    group.add_argument("--misconceptions", type=Path, metavar="M.csv", help="the bank")
    group.add_argument("--explanations", type=Path, action="append", default=[], metavar="E.csv", help="shown as well")
    group.add_argument("--output", type=Path, metavar="DIR", help="folder to write into; made if missing")
    made.add_argument("--rows", type=int, metavar="N", help="real rows; default: synthesis.judge.check_rows")
    made.add_argument(
        "--near", type=int, default=0, metavar="K", help="swap with one of the K most similar entries; 0: with any"
    )
    add_writer_options(made)
    options = parse_arguments(made, arguments)
    options.hints = []
    started = time.perf_counter()

    def check_options(settings: Settings) -> None:
        rows = settings.synthesis.judge.check_rows if options.rows is None else options.rows
        wrong = [f"--rows: expected at least 1, got {rows}"] if rows < 1 else []
        wrong += [f"--near: expected 0 or more, got {options.near}"] if options.near < 0 else []
        if wrong:
            raise InputError(wrong)

    def check_model(settings: Settings) -> None:
        check_writer("synthesis.judge.writer", with_options(judge_table(settings), options), settings)

    job = read_job(options, checks=(check_options, check_model))
    chosen = with_options(judge_table(job.settings), options)
    table = job.settings.synthesis
    if len(job.bank) < 2:
        raise InputError(f"--misconceptions: expected at least two entries to swap, came {len(job.bank)}")
    parts = SynthesisParts(job, base_model(job.settings), None)
    near = _neighbours(job, parts, options.near) if options.near else None
    pool = EnginePool()
    try:
        with Ledger(job.output / "ledger.jsonl") as ledger, closing(AskingBar()) as bar:
            asker = open_writer(chosen, job.settings, pool).asker(ledger, progress=bar)
            quality, judged = judge_the_judge(
                judging(table, parts.bank, parts.similar),
                asker,
                queries_of(job.train, labelled_only=True),
                rows=options.rows or table.judge.check_rows,
                seed=table.seed,
                resamples=job.settings.bootstrap,
                near=near,
            )
    finally:
        pool.close()
    facts = {"model": chosen.model, "engine": chosen.engine, "near": options.near, **quality.facts()}
    write_json(job.output / "judge.json", facts)
    write_text(job.output / "judge-rows.csv", _rows(judged))
    sys.stdout.write(f"{quality.text()}\n")
    sys.stdout.write(
        f"{asker.asked} requests asked, {asker.reused} taken from the ledger; {time.perf_counter() - started:.1f} s\n"
        "Written:\n" + "".join(f"  {job.output / name}\n" for name in ("judge.json", "judge-rows.csv", "ledger.jsonl"))
    )


def judge_table(settings: Settings) -> WriterSettings:
    """Return the model that judges: its own table, or the one that writes."""
    return settings.synthesis.judge.writer or settings.synthesis.writer


def _neighbours(job: Job, parts: SynthesisParts, size: int) -> Mapping[int, Sequence[int]]:
    vectors = parts.embed([entry.name for entry in job.bank])
    return similar_entries([entry.id for entry in job.bank], vectors, size=size)


def _rows(judged: Sequence[JudgedCase]) -> str:
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(["key", "misconception_id", "swapped", "score", *CRITERIA, "comment", "fault"])
    for one in judged:
        mark = one.judgement
        marks = [""] * 5 if mark is None else [mark.score, *(getattr(mark, name) for name in CRITERIA)]
        comment = "" if mark is None else mark.comment
        table.writerow([one.case.key, one.case.misconception_id, int(one.swapped), *marks, comment, one.fault])
    return stream.getvalue()


if __name__ == "__main__":
    sys.exit(run_main(main))
