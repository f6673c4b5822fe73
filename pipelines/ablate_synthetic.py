"""Measure what explanations, made questions and hints are worth to stage 1, one after the other on the same folds."""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.artifacts import write_json, write_text
from core.errors import InputError
from core.records import Question, Ranking
from core.synthetic_table import SyntheticQuestion
from eval.splits import Split, question_folds, seen_labels, unseen_split
from pipelines.cli import parse_arguments, parser, run_main
from pipelines.job import Job, add_data_options, read_job
from pipelines.measures import measure
from pipelines.report import write_run_report
from pipelines.settings import Settings
from pipelines.stage_one_run import StageOneRun
from pipelines.stages import Stages
from pipelines.synthetic_ablation import REAL, ArmRow, arm_rows, arms_csv, arms_section, arms_table
from pipelines.synthetic_rows import allowed_rows

logger = logging.getLogger(__name__)

STAGE_ONE, RETRIEVER = "stage 1", "trained retriever"
ARMS = (REAL, "explanations", "procedural", "llm", "hints")

DESCRIPTION = """\
Measure what each kind of made data is worth to stage 1: real questions alone, + explanations of the bank's entries,
+ procedural questions, + questions written by a language model, + hints; those whose files are given, in this order,
each arm with all that stand before it (with --apart: each on top of the real questions alone).

All arms have the same folds, seeds and config. MAP@25 of all, seen and unseen labels, and of unseen labels that a made
question shows ("covered"), each with its interval, its difference to the real questions alone and a paired p-value.
Made questions never enter a validation part; those written from a held-out question are left out of that fold.
Writes ablation.csv, metrics.json and report.html into --output; every training is kept, so a second run goes on."""

EPILOG = """\
examples:
  python pipelines/ablate_synthetic.py --train train.csv --misconceptions bank.csv --output runs/worth \\
      --procedural runs/made --unseen 0.6
  python pipelines/ablate_synthetic.py ... --explanations E.csv --procedural runs/made --llm runs/written \\
      --hints H.csv --folds 5
  python pipelines/ablate_synthetic.py ... --only-fold 2 --only-arm procedural  # on several GPUs; then all of them

exit status: 0 done, 2 bad input (nothing was written), 130 interrupted"""

HOW = (
    "How to read this: every arm was trained on the same real questions with the same seeds, with further data as "
    "named. “Covered” are queries whose label has no real training example and at least one made question. Differences "
    "are in MAP@25, paired by query; intervals and p-values draw whole questions."
)


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One arm: its name and what it is given besides the real questions."""

    name: str
    explanations: bool = False
    hints: bool = False
    made: tuple[SyntheticQuestion, ...] = ()

    def job(self, job: Job) -> Job:
        """Return the job with this arm's data alone."""
        bank = job.bank if self.explanations else tuple(replace(entry, explanation=None) for entry in job.bank)
        hints = job.inputs.hints if self.hints else {}
        return replace(job, inputs=replace(job.inputs, bank=bank, hints=hints, synthetic=self.made))


def main(arguments: list[str] | None = None) -> None:
    """Run the job that the command line asks for."""
    made = parser(DESCRIPTION, EPILOG, config_model=Settings)
    add_data_options(made)
    for name, what in (("procedural", "from mal-rules"), ("llm", "written by a language model")):
        made.add_argument(
            f"--{name}", type=Path, action="append", default=[], metavar="FOLDER", help=f"made questions {what}"
        )
    made.add_argument("--apart", action="store_true", help="each arm on top of the real questions alone")
    how = made.add_mutually_exclusive_group()
    how.add_argument("--folds", type=int, metavar="K", help="K folds of whole questions (default: 5)")
    how.add_argument("--unseen", type=float, metavar="SHARE", help="one split with this share of unseen labels")
    made.add_argument("--only-fold", type=int, metavar="I", help="with --folds: train for fold I (from 0) alone")
    made.add_argument("--only-arm", choices=ARMS, help="train this arm alone, for several GPUs")
    options = parse_arguments(made, arguments)
    job, arms = _job(options)
    splits = _splits(job, options)
    part_of_it = options.only_arm is not None or options.only_fold is not None
    chosen = [arm for arm in arms if options.only_arm in (None, arm.name)]
    stages = {(name, arm.name): Stages(folder=job.output / name / arm.name) for name in splits for arm in chosen}
    found: dict[str, dict[str, list[Ranking]]] = {
        run: {arm.name: [] for arm in chosen} for run in (STAGE_ONE, RETRIEVER)
    }
    for name, split in splits.items():
        for arm in chosen:
            logger.info("%s, %s: %d training questions", name, arm.name, len(split.train))
            own = arm.job(job)
            run = StageOneRun(own, stages[name, arm.name], split.train, given=None)
            queries = own.queries(split.validation, labelled_only=True)
            found[STAGE_ONE][arm.name] += run.candidates(queries)
            found[RETRIEVER][arm.name] += run.dense(queries)
    for (name, arm_name), part in stages.items():
        sys.stdout.write(f"\nStages of {name}, {arm_name}:\n{part.summary()}\n")
    if part_of_it:
        sys.stdout.write("\nTrained; run the same command without --only-fold and --only-arm to measure all arms\n")
        return
    _write(job, arms, splits, found)


def _job(options: argparse.Namespace) -> tuple[Job, list[Arm]]:
    def check(settings: Settings) -> None:
        faults = []
        if options.unseen is not None and not 0 <= options.unseen <= 1:
            faults.append(f"--unseen {options.unseen}: expected a share from 0 to 1")
        if options.folds is not None and options.folds < 2:
            faults.append(f"--folds {options.folds}: expected at least 2")
        if options.only_fold is not None and not 0 <= options.only_fold < (options.folds or 5):
            faults.append(f"--only-fold {options.only_fold}: expected 0 to {(options.folds or 5) - 1}")
        given = [name for name in ARMS[1:] if getattr(options, name)]
        if not given:
            faults.append("expected something to measure: --explanations, --procedural, --llm or --hints")
        if options.only_arm not in (None, REAL, *given):
            faults.append(f"--only-arm {options.only_arm}: expected --{options.only_arm} too")
        if faults:
            raise InputError(faults)

    def adjust(settings: Settings) -> Settings:
        if options.unseen is None or settings.fusion.unseen_share is not None:
            return settings
        return settings.model_copy(
            update={"fusion": settings.fusion.model_copy(update={"unseen_share": options.unseen})}
        )

    options.synthetic = [*options.procedural, *options.llm]
    job = read_job(options, checks=(check,), adjust=adjust)
    return job, _arms(options, job)


def _arms(options: argparse.Namespace, job: Job) -> list[Arm]:
    # A folder of either kind may hold both sources: what was named counts, so each is told by its own lines.
    procedural = tuple(one for one in job.synthetic if one.source == "procedural") if options.procedural else ()
    written = tuple(one for one in job.synthetic if one.source != "procedural") if options.llm else ()
    last, arms = Arm(name=REAL), [Arm(name=REAL)]
    steps: list[tuple[str, bool, Callable[[Arm], Arm]]] = [
        ("explanations", bool(options.explanations), lambda arm: replace(arm, explanations=True)),
        ("procedural", bool(options.procedural), lambda arm: replace(arm, made=(*arm.made, *procedural))),
        ("llm", bool(options.llm), lambda arm: replace(arm, made=(*arm.made, *written))),
        ("hints", bool(options.hints), lambda arm: replace(arm, hints=True)),
    ]
    for name, given, step in steps:
        if given:
            last = replace(step(Arm(name=REAL) if options.apart else last), name=name)
            arms.append(last)
    return arms


def _splits(job: Job, options: argparse.Namespace) -> dict[str, Split]:
    seed = job.settings.split.seed
    if options.unseen is not None:
        return {f"unseen-{options.unseen:g}": unseen_split(job.train, unseen_share=options.unseen, seed=seed)}
    folds = question_folds(job.train, k=options.folds or 5, seed=seed)
    wanted = range(len(folds)) if options.only_fold is None else [options.only_fold]
    return {f"fold{number}": folds[number] for number in wanted}


def slices_of(job: Job, splits: Sequence[Split]) -> dict[str, frozenset[str]]:
    """Return the keys of the scored queries by slice: all, seen, unseen, and unseen with or without a made question."""
    parts: dict[str, set[str]] = {
        name: set() for name in ("all", "seen", "unseen", "unseen, covered", "unseen, not covered")
    }
    for split in splits:
        seen = seen_labels(split.train)
        shown = seen_labels(_usable(job, split.train))
        for query in job.queries(split.validation, labelled_only=True):
            new = seen.isdisjoint(query.labels)
            names = ["all", "unseen" if new else "seen"]
            if new and job.synthetic:
                names.append("unseen, not covered" if shown.isdisjoint(query.labels) else "unseen, covered")
            for name in names:
                parts[name].add(query.key)
    return {name: frozenset(keys) for name, keys in parts.items()}


def _usable(job: Job, fitted: Sequence[Question]) -> list[Question]:
    return allowed_rows(job, job.synthetic, fitted)


def _write(job: Job, arms: Sequence[Arm], splits: dict[str, Split], found: dict[str, dict[str, list[Ranking]]]) -> None:
    queries = [query for split in splits.values() for query in job.queries(split.validation, labelled_only=True)]
    labels = {query.key: query.labels for query in queries}
    slices = slices_of(job, list(splits.values()))
    rows: dict[str, list[ArmRow]] = {
        run: arm_rows(run, by_arm, labels, slices, resamples=job.settings.bootstrap) for run, by_arm in found.items()
    }
    everything = [row for of_run in rows.values() for row in of_run]
    bank = {entry.id for entry in job.bank}
    real, made = seen_labels(job.train) & bank, seen_labels([one.question for one in job.synthetic]) & bank
    coverage = {"bank": len(bank), "real": len(real), "made": len(made), "real_or_made": len(real | made)}
    write_text(job.output / "ablation.csv", arms_csv(everything))
    write_json(
        job.output / "metrics.json",
        {
            "arms": [arm.name for arm in arms],
            "splits": list(splits),
            "made_questions": {arm.name: len(arm.made) for arm in arms},
            "coverage": coverage,
            "rows": [row.to_json() for row in everything],
        },
    )
    shown, first = next(iter(splits.items()))  # seen and unseen labels differ by fold, so charts can show only one
    measured = measure(
        {arm.name: found[STAGE_ONE][arm.name] for arm in arms},
        job.queries(first.validation, labelled_only=True),
        candidates=arms[-1].name,
        seen=seen_labels(first.train),
        resamples=job.settings.bootstrap,
    )
    write_run_report(
        job.output / "report.html",
        measured,
        job.bank,
        title="What made data is worth",
        provenance=[
            ("Tables measured on", f"{', '.join(splits)}: queries that no part was fitted on"),
            ("Charts and examples", shown),
            ("Files", ", ".join(job.sources)),
            ("Entries with an example", f"{len(real)} of {len(bank)} real, {len(real | made)} real or made"),
        ],
        sections=[arms_section(of_run, run=run, how=HOW) for run, of_run in rows.items()],
    )
    for run, of_run in rows.items():
        sys.stdout.write(f"\n{run}\n{arms_table(of_run)}\n")
    names = ("ablation.csv", "metrics.json", "report.html")
    sys.stdout.write(
        f"\nEntries of the bank with an example: {len(real)} of {len(bank)} real, {len(real | made)} real or made\n"
        "Written:\n" + "".join(f"  {job.output / name}\n" for name in names)
    )


if __name__ == "__main__":
    sys.exit(run_main(main))
