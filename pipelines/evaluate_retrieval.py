"""Evaluate stage 1 alone: folds, or a split with a stated share of unseen labels; no reranker is loaded."""

import argparse
import csv
import io
import logging
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from core.artifacts import write_json, write_text
from core.errors import InputError
from core.models import LocalModel, locate_model
from core.records import Query, Question, Ranking
from eval.splits import Split, question_folds, seen_labels, unseen_share, unseen_split
from pipelines.cli import parse_arguments, parser, run_main
from pipelines.fold_means import FoldMean, fold_means, means_table
from pipelines.job import Job, add_data_options, check_length, fingerprints, read_job
from pipelines.measures import Measured, measure, table
from pipelines.plan import data_warnings
from pipelines.report import write_run_report
from pipelines.settings import Settings
from pipelines.stage_one_run import StageOneRun
from pipelines.stages import Stages
from pipelines.train_stage import fitted_on
from retrieval.lexical import Bm25Retriever, TfidfRetriever

logger = logging.getLogger(__name__)

DESCRIPTION = """\
Measure stage 1 on its own: BM25 and TF-IDF, the untrained model, the trained one, and the fused stage 1, side by side.

With --folds K every question is scored once by a model that never saw it (questions that repeat under other ids stay
together). With --unseen SHARE one validation part is made in which that share of the wrong answers carries a label that
training never shows; 0.6 is about what the competition's private test had. Fusion weights are fitted inside each
training part, never on the scored one, for the share of unseen labels that `fusion.unseen_share` expects (with
--unseen SHARE that share, unless the config says otherwise). With --retriever MODEL that model is measured as it is."""

EPILOG = """\
examples:
  python pipelines/evaluate_retrieval.py --train train.csv --misconceptions bank.csv --output runs/eval --folds 5
  python pipelines/evaluate_retrieval.py ... --unseen 0.6 --set training.epochs=3
  python pipelines/evaluate_retrieval.py ... --retriever bundled:all-MiniLM-L6-v2 --folds 5"""


def main(arguments: list[str] | None = None) -> None:
    """Run the job that the command line asks for."""
    made = parser(DESCRIPTION, EPILOG, config_model=Settings)
    add_data_options(made, synthetic=True)
    made.add_argument("--retriever", metavar="MODEL", help="measure this model as it is instead of training one")
    how = made.add_mutually_exclusive_group()
    how.add_argument("--folds", type=int, metavar="K", help="K folds of whole questions (default: 5)")
    how.add_argument("--unseen", type=float, metavar="SHARE", help="one split with this share of unseen labels")
    made.add_argument(
        "--only-fold", type=int, metavar="I", help="with --folds: run fold I (from 0) alone, for several GPUs"
    )
    options = parse_arguments(made, arguments)
    job, given = _job(options)
    splits = _splits(job, options)
    rankings: dict[str, list[Ranking]] = {}
    queries: list[Query] = []
    per_fold: list[Measured] = []
    stages = [Stages(folder=job.output / name) for name in splits]
    for (name, split), part in zip(splits.items(), stages, strict=True):
        logger.info("%s: %d training questions, %d scored", name, len(split.train), len(split.validation))
        asked = job.queries(split.validation, labelled_only=True)
        runs = _runs(job, StageOneRun(job, part, split.train, given=given), asked)
        per_fold.append(_measured(job, runs, asked, split.train))
        for run, found in runs.items():
            rankings.setdefault(run, []).extend(found)
        queries += asked
        write_json(part.folder / "metrics.json", per_fold[-1].to_json())
    _write(job, splits, per_fold, fold_means(per_fold), fitted_on(given))
    for name, part in zip(splits, stages, strict=True):
        part.write_run({"command": sys.argv})
        sys.stdout.write(f"\nStages of {name}:\n{part.summary()}\n")


def _job(options: argparse.Namespace) -> tuple[Job, LocalModel | None]:
    found: list[LocalModel] = []

    def check(settings: Settings) -> None:
        if options.retriever is not None:
            found.append(locate_model(options.retriever, revision=settings.retriever.revision))
            check_length(found[0], settings)
        if options.unseen is not None and not 0 <= options.unseen <= 1:
            raise InputError(f"--unseen {options.unseen}: expected a share from 0 to 1")
        if options.folds is not None and options.folds < 2:
            raise InputError(f"--folds {options.folds}: expected at least 2")
        if options.only_fold is not None and not 0 <= options.only_fold < (options.folds or 5):
            raise InputError(f"--only-fold {options.only_fold}: expected 0 to {(options.folds or 5) - 1}")

    def adjust(settings: Settings) -> Settings:
        if options.unseen is None or settings.fusion.unseen_share is not None:
            return settings
        fusion = settings.fusion.model_copy(update={"unseen_share": options.unseen})
        return settings.model_copy(update={"fusion": fusion})

    return read_job(options, checks=(check,), adjust=adjust), found[0] if found else None


def _splits(job: Job, options: argparse.Namespace) -> dict[str, Split]:
    seed = job.settings.split.seed
    if options.unseen is not None:
        split = unseen_split(job.train, unseen_share=options.unseen, seed=seed)
        logger.info("share of unseen labels reached: %.3f", unseen_share(split.train, split.validation))
        return {f"unseen-{options.unseen:g}": split}
    folds = question_folds(job.train, k=options.folds or 5, seed=seed)
    wanted = range(len(folds)) if options.only_fold is None else [options.only_fold]
    return {f"fold{number}": folds[number] for number in wanted}


def _runs(job: Job, one: StageOneRun, queries: list[Query]) -> dict[str, list[Ranking]]:
    """Return the rankings of every retriever, the fused stage 1 last."""
    top = job.settings.candidates
    forms = job.forms
    made_from = {
        "queries": one.queries_hash(queries),
        "template_hash": forms.hash(),
        "bank_hash": job.bank_hash,
        "top": top,
    }
    runs = {
        name: one.stages.rankings(
            f"{name.lower()}.parquet", {"artifact": name, **made_from}, partial(_by_words, kind, job, queries)
        )
        for name, kind in (("BM25", Bm25Retriever), ("TF-IDF", TfidfRetriever))
    }
    zero_shot = one.zero_shot_rankings(queries)
    if zero_shot is not None:
        runs["zero-shot"] = zero_shot
    runs["trained retriever" if one.given is None else "given retriever"] = one.dense(queries)
    runs["stage 1"] = one.candidates(queries)
    return runs


def _by_words(kind: type[Bm25Retriever] | type[TfidfRetriever], job: Job, queries: Sequence[Query]) -> list[Ranking]:
    return kind(job.bank, job.forms.query, job.forms.entry).retrieve(queries, top_n=job.settings.candidates)


def _measured(job: Job, runs: dict[str, list[Ranking]], queries: list[Query], train: Sequence[Question]) -> Measured:
    seen = seen_labels(train)
    return measure(runs, queries, candidates="stage 1", seen=seen, resamples=job.settings.bootstrap)


def _write(
    job: Job, splits: dict[str, Split], per_fold: list[Measured], means: list[FoldMean], trained_on: frozenset[str]
) -> None:
    """Write metrics.json, a CSV of the means and a report on each split; print the tables."""
    scored = [question for split in splits.values() for question in split.validation]
    warnings = data_warnings(job, trained_on, fingerprints(scored))
    numbers: dict[str, Any] = {
        "splits": {name: measured.to_json() for name, measured in zip(splits, per_fold, strict=True)},
        "means": [mean.to_json() for mean in means],
        "warnings": {text: count for text, count in warnings},
    }
    write_json(job.output / "metrics.json", numbers)
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerow(["run", "slice", "measure", "mean", "low", "high", "splits"])
    for mean in means:
        for cell in mean.cells:
            writer.writerow([mean.run, cell.part, cell.measure, *cell.rounded(), cell.splits])
    write_text(job.output / "metrics.csv", rows.getvalue())
    for (name, split), measured in zip(splits.items(), per_fold, strict=True):
        write_run_report(
            job.output / name / "report.html",
            measured,
            job.bank,
            title=f"Stage 1: {name}",
            provenance=[
                ("Numbers measured on", f"{name}: {len(split.validation)} questions that no part was fitted on"),
                ("Files", ", ".join(job.sources)),
                ("Bank", f"{len(job.bank)} misconceptions"),
            ],
            warnings=warnings,
        )
        sys.stdout.write(f"\n{name}: {len(measured.queries)} labelled wrong answers\n{table(measured)}\n")
    if len(per_fold) > 1:
        sys.stdout.write(f"\nMean of {len(per_fold)} folds\n{means_table(means)}\n")
    sys.stdout.write(f"\nWritten:\n  {job.output / 'metrics.json'}\n  {job.output / 'metrics.csv'}\n")
    sys.stdout.write("".join(f"  {job.output / name / 'report.html'}\n" for name in splits))


if __name__ == "__main__":
    sys.exit(run_main(main))
