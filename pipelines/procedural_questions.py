"""Make verified questions for a bank from mal-rules; no language model is needed."""

import argparse
import logging
import sys
import time
from collections import Counter
from pathlib import Path

from core.artifacts import write_json
from core.columns import Columns
from core.config import load_config
from core.errors import ConfigError, InputError
from core.faults import Faults
from core.inputs import Inputs, check_inputs
from core.question_table import scan_questions
from core.synthetic_table import SyntheticLabel, SyntheticQuestion, write_synthetic
from pipelines.cli import parse_arguments, parser, run_main
from pipelines.mapped_rules import covered, mapped_labels
from pipelines.settings import Settings
from synth.mapped_questions import FIRST_ID, Generated, generate_mapped
from synth.procedural import ProceduralQuestion
from synth.rule_mapping import EVERY_TASK, Labels, bindings

logger = logging.getLogger(__name__)

DESCRIPTION = """\
Make questions for the misconceptions of your bank: each wrong answer is computed by a mal-rule, a wrong procedure that
stands for a misconception.

Which rule stands for which entry says --mapping, a file that map_mal_rules.py wrote and you reviewed; without it,
the project's reviewed mapping, which knows entries by name. Every question is computed again and read back before it is
kept. An answer carries every entry that its rule stands for. Writes a synthetic folder: questions.csv (Eedi schema),
rows.jsonl (a line a label: rule, task and numbers) and summary.json (coverage of the bank before and after).
Train with it: `--synthetic FOLDER` of train_retriever.py, train_reranker.py, evaluate_retrieval.py, end_to_end.py."""

EPILOG = """\
examples:
  python pipelines/procedural_questions.py --misconceptions bank.csv --output runs/made
  python pipelines/procedural_questions.py --misconceptions bank.csv --mapping runs/mapping/mapping.csv \\
      --rows-each 20 --unlike train.csv --unlike test.csv --output runs/made
  python pipelines/evaluate_retrieval.py --train train.csv --misconceptions bank.csv --synthetic runs/made ...

exit status: 0 done, 2 bad input (nothing was written), 130 interrupted"""


def main(arguments: list[str] | None = None) -> None:
    """Run the job that the command line asks for."""
    made = parser(DESCRIPTION, EPILOG, config_model=Settings)
    made.add_argument("--misconceptions", type=Path, metavar="M.csv", help="the bank")
    made.add_argument("--output", type=Path, metavar="DIR", help="the synthetic folder; made if missing")
    made.add_argument("--mapping", type=Path, metavar="FILE", help="reviewed mapping; default: the one that ships")
    made.add_argument(
        "--rows-each", type=int, default=8, metavar="N", help="labelled answers of each entry (default: %(default)s)"
    )
    made.add_argument(
        "--questions", type=int, metavar="N", help="at most so many questions; default: as many as needed"
    )
    made.add_argument("--seed", type=int, default=0, help="another seed, other questions (default: %(default)s)")
    made.add_argument(
        "--train",
        type=Path,
        metavar="T.csv",
        help="real questions: coverage is told before and after; none is made again",
    )
    made.add_argument(
        "--unlike",
        type=Path,
        action="append",
        default=[],
        metavar="Q.csv",
        help="questions that must not be made again (validation, test); may be given several times",
    )
    options = parse_arguments(made, arguments)
    began = time.perf_counter()
    inputs, labels, taken = _read(options)
    found = generate_mapped(
        labels, rows_each=options.rows_each, seed=options.seed, taken=taken, first_id=FIRST_ID, most=options.questions
    )
    write_synthetic(options.output, [as_synthetic(one) for one in found.questions])
    seconds = time.perf_counter() - began
    summary = _summary(options, inputs, labels, found)
    write_json(options.output / "summary.json", summary)
    _tell(options, inputs, found, summary, seconds)


def _read(options: argparse.Namespace) -> tuple[Inputs, Labels, list[str]]:
    """Read everything, all faults in one error."""
    messages = [
        f"--{name}: expected a path, got none"
        for name in ("misconceptions", "output")
        if getattr(options, name) is None
    ]
    if options.rows_each < 1:
        messages.append(f"--rows-each {options.rows_each}: expected at least 1")
    if options.questions is not None and options.questions < 1:
        messages.append(f"--questions {options.questions}: expected at least 1")
    if options.seed < 0:
        messages.append(f"--seed {options.seed}: expected a whole number of at least 0")
    columns = Columns()
    try:
        columns = load_config(Settings, options.config, options.overrides).columns
    except ConfigError as error:
        messages += error.faults
    faults = Faults()
    tables = [scan_questions(path, faults, columns=columns) for path in options.unlike]
    inputs = check_inputs(
        misconceptions=options.misconceptions,
        train=options.train,
        output=options.output,
        columns=columns,
        other_faults=[*messages, *faults.messages()],
    )
    labels = mapped_labels(inputs.bank, options.mapping, faults)
    faults.raise_if_any()
    if not labels:
        raise InputError(
            "no rule stands for an entry of this bank: "
            + (
                "no line of the mapping says keep=yes"
                if options.mapping
                else "the reviewed mapping knows none of its names; make one with pipelines/map_mal_rules.py"
            )
        )
    real = [*(table for table in tables if table), *([inputs.train] if inputs.train else [])]
    return inputs, labels, [question.text for table in real for question in table.questions]


def as_synthetic(one: ProceduralQuestion) -> SyntheticQuestion:
    """Return a generated question as a synthetic one; each label tells how its answer was computed."""
    question = one.question
    rows = []
    for letter, slug in zip("ABCD", one.rules, strict=True):
        for id in question.labels_of(letter):  # type: ignore[arg-type]
            task, rule = bindings()[one.task, str(slug)]
            rows.append(
                SyntheticLabel(
                    letter=letter,  # type: ignore[arg-type]
                    misconception_id=id,
                    key=f"{question.id}_{letter}:{id}:{task.slug}:{rule.slug}",
                    rationale=rule.explanation,
                )
            )
    return SyntheticQuestion(question=question, rows=tuple(rows), parents=(), source="procedural")


def _summary(options: argparse.Namespace, inputs: Inputs, labels: Labels, found: Generated) -> dict[str, object]:
    bank = {entry.id for entry in inputs.bank}
    questions = inputs.train.questions if inputs.train else ()
    real = {label for question in questions for labels_of in question.labels for label in labels_of} & bank
    counts = Counter(label for one in found.questions for own in one.question.labels for label in own)
    return {
        "bank": len(bank),
        "covered_by_rules": len(covered(labels)),
        "covered_by_questions": len(counts),
        "with_a_real_example": len(real) if inputs.train else None,
        "with_a_real_or_made_example": len(real | set(counts)) if inputs.train else None,
        "questions": len(found.questions),
        "labelled_answers": sum(bool(own) for one in found.questions for own in one.question.labels),
        "rows": sum(counts.values()),
        "rows_of_an_entry": {"fewest": min(counts.values(), default=0), "most": max(counts.values(), default=0)},
        "rejected": found.rejected,
        "entries_short_of_rows": {str(id): count for id, count in found.short.items()},
        "tasks": len({one.task for one in found.questions}),
        "tasks_known": len(EVERY_TASK),
        "seed": options.seed,
        "rows_each": options.rows_each,
        "mapping": str(options.mapping) if options.mapping else "reviewed, shipped",
    }


def _tell(
    options: argparse.Namespace, inputs: Inputs, found: Generated, summary: dict[str, object], seconds: float
) -> None:
    lines = [
        f"{summary['questions']} verified questions from {summary['tasks']} tasks, {summary['labelled_answers']} "
        f"labelled wrong answers, {sum(found.rejected.values())} questions rejected, in {seconds:.1f} s",
        f"Coverage of the bank: {summary['covered_by_questions']} of {summary['bank']} entries have a made question "
        f"({summary['covered_by_rules']} are mapped)",
    ]
    if inputs.train:
        lines.append(
            f"With a real example: {summary['with_a_real_example']}; with a real or a made one: "
            f"{summary['with_a_real_or_made_example']}"
        )
    if found.short and options.questions is None:
        lines.append(
            f"{len(found.short)} entries got fewer than {options.rows_each} rows: their tasks have no further numbers "
            "(summary.json lists them)"
        )
    names = ("questions.csv", "rows.jsonl", "summary.json")
    sys.stdout.write("\n".join([*lines, "Written:", *(f"  {options.output / name}" for name in names)]) + "\n")


if __name__ == "__main__":
    sys.exit(run_main(main, go_on="Run the same command again."))
