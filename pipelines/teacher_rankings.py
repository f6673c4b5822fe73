"""Rank the out-of-fold candidates of training questions with any reranker, for a smaller one to learn from."""

import argparse
import logging
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from core.errors import ConfigError, InputError
from core.inputs import output_folder_fault
from core.models import LocalModel, locate_model
from core.records import Ranking
from pipelines.cli import parse_arguments, parser, run_main
from pipelines.job import Job, add_data_options, check_length, read_job
from pipelines.open_reranker import check_reranker, check_reranker_texts, reranker_models, resolve_reranker
from pipelines.out_of_fold import OutOfFold, out_of_fold_candidates
from pipelines.plan import precision_metric
from pipelines.prompt_lengths import check_teaching_lengths
from pipelines.rerank_scores import TEACHER
from pipelines.reranker_settings import RerankerSettings
from pipelines.settings import Settings
from pipelines.stage_one_run import StageOneRun
from pipelines.stage_two_run import StageTwoRun
from pipelines.stages import Stages
from pipelines.teachers import FILE, as_found, check_unseen, shown_to_teacher
from pipelines.train_stage import fitted_on
from rerank.labels import ALPHABETS

logger = logging.getLogger(__name__)

DESCRIPTION = """\
Let a reranker (the teacher) rank the candidates that `train_reranker.py` trains a language model on, and write
DIR/teacher.parquet with its manifest, which `lm_training.teacher` reads (distillation).

The candidates are out of fold, by the same recipe and folds, and so the very ones of a student that is trained with
the same --train, config, --retriever and --work; they are made here where --work lacks them. The teacher is any
--reranker SPEC: orders, windows, adaptive orders and engine are its table's. A label that stage 1 did not find among
the table's `candidates` takes the last place of its list, since a student is always shown the truth. Held-out
questions are not ranked (but for a table with adaptive.mode = "fitted", whose margin is fitted on them).

A language model's scores are kept in --work as they come: a run that was killed goes on and asks nothing twice. A
teacher whose manifest says that it was fitted on these questions is refused, unless --seen-teacher says that it may
be."""

EPILOG = """\
examples:
  python pipelines/teacher_rankings.py --train train.csv --misconceptions bank.csv --work runs/student \\
      --reranker listwise:models/Qwen2.5-7B-Instruct --output runs/teacher
  python pipelines/teacher_rankings.py ... --config listwise.toml --reranker NAME   # a [rerankers.NAME] table
  python pipelines/train_reranker.py --kind listwise --train train.csv --misconceptions bank.csv \\
      --work runs/student --output models/student --set lm_training.teacher=runs/teacher/teacher.parquet"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Taught:
    """What a teacher was asked, and what it said.

    Attributes:
        found: The student's candidates.
        shown: What the teacher was shown of them.
        ranked: Its rankings, in the same order.
    """

    found: OutOfFold
    shown: list[Ranking]
    ranked: list[Ranking]


def main(arguments: list[str] | None = None) -> None:
    """Run the job that the command line asks for."""
    made = parser(DESCRIPTION, EPILOG, config_model=Settings)
    add_data_options(made, synthetic=True)
    made.add_argument("--reranker", metavar="SPEC", help="the teacher: KIND:MODEL, or NAME of a [rerankers.NAME] table")
    made.add_argument("--retriever", metavar="MODEL", help="stage 1 uses this model as it is")
    made.add_argument("--work", type=Path, metavar="DIR", help="for stage 1 and scores (default: OUTPUT.work)")
    made.add_argument("--seen-teacher", action="store_true", help="the teacher may have been fitted on these questions")
    options = parse_arguments(made, arguments)
    started = time.perf_counter()
    job, given = _job(options)
    spec, chosen = _teacher(options, job.settings)
    stages = Stages(folder=_work(options))
    one = StageOneRun(job, stages, job.train, given=given)
    questions = [*one.plan.fit, *(row.question for row in job.synthetic)]
    check_unseen(reranker_models(chosen, job.settings), questions, spec=spec, allowed=options.seen_teacher)
    two = StageTwoRun(one, spec, chosen=chosen)
    taught = teacher_rankings(two, job.output)
    two.scores.pool.close()
    seconds = time.perf_counter() - started
    sys.stdout.write(
        f"\nStages ({seconds:.0f} s in all):\n{stages.summary()}\n\n{_told(taught)}\n\n"
        f"Written:\n  {job.output / FILE}\n{_usage(options, job, chosen)}"
    )


def teacher_rankings(two: StageTwoRun, output: Path) -> Taught:
    """Return a teacher's rankings of the out-of-fold candidates; written as `output/teacher.parquet`, with a manifest.

    Args:
        two: The teacher over stage 1; its stages keep the candidates and the scores.
        output: The folder.
    """
    one, chosen = two.stage_one, two.chosen
    found = out_of_fold_candidates(one)
    shown = shown_to_teacher(found.queries, found.candidates, depth=chosen.candidates)
    policy = two.policies.get(None)
    known: set[str] = set()
    for model in reranker_models(chosen, one.job.settings):
        known |= fitted_on(model)
    made_from = {
        "artifact": "teacher rankings",
        **two.scores.made_from(found.queries, shown),
        "adaptive": None if policy is None else policy.to_json(),
        "fitted_on": sorted(known),
    }
    ranked = Stages(folder=output, records=one.stages.records).rankings(
        FILE, made_from, lambda: two.scores.reranked(TEACHER, found.queries, shown, adaptive=policy)
    )
    return Taught(found=found, shown=shown, ranked=ranked)


def _told(taught: Taught) -> str:
    found = taught.found
    first = [ranking.top(len(shown)) for ranking, shown in zip(found.candidates, taught.shown, strict=True)]
    second = as_found(taught.ranked, first)
    put_in = sum(len(all_of) > len(left) for all_of, left in zip(taught.ranked, second, strict=True))
    real = slice(found.real)
    metric = precision_metric(found.queries[real])
    before, after = (float(metric(rankings[real]).mean()) for rankings in (first, second))
    made = len(found.queries) - found.real
    return (
        f"{len(found.queries)} labelled wrong answers ranked" + (f", {made} of them made ones" if made else "") + "\n"
        f"MAP@25 of their out-of-fold candidates: {before:.4f} as stage 1 ranks them, {after:.4f} as the teacher does\n"
        f"In {put_in} lists a label that stage 1 had not ranked so high was put in; it does not count here"
    )


def _usage(options: argparse.Namespace, job: Job, chosen: RerankerSettings) -> str:
    """Return how a student is trained with it; from no more candidates than the teacher's, or it could not teach."""
    depth = chosen.candidates
    retriever = f" --retriever {options.retriever}" if options.retriever else ""
    largest = min(depth, len(ALPHABETS["letters"]))
    return (
        "Use it by (with the same --train, --misconceptions and config):\n"
        f"  python pipelines/train_reranker.py --kind listwise ... --work {_work(options)}{retriever} \\\n"
        f"      --set lm_training.teacher={job.output / FILE} --set lm_training.window={depth} \\\n"
        f"      --set lm_training.largest_list={largest}\n"
    )


def _teacher(options: argparse.Namespace, settings: Settings) -> tuple[str, RerankerSettings]:
    """Return the teacher's SPEC and its table.

    Raises:
        ConfigError: It is no reranker of its own.
    """
    spec: str = options.reranker or settings.reranker
    chosen = resolve_reranker(spec, settings)
    if chosen.kind == "identity":
        raise ConfigError(
            f"--reranker {spec}: expected a reranker that scores, KIND:MODEL or a [rerankers.NAME] table; identity "
            "leaves stage 1's order, which a student sees anyway"
        )
    if chosen.describe:
        raise ConfigError(
            f"--reranker {spec}: searches a second time (describe), but a student learns from stage 1's candidates; "
            "set describe = false in its table"
        )
    return spec, chosen


def _job(options: argparse.Namespace) -> tuple[Job, LocalModel | None]:
    found: list[LocalModel] = []

    def check_retriever(settings: Settings) -> None:
        if options.retriever is not None:
            found.append(locate_model(options.retriever, revision=settings.retriever.revision))
            check_length(found[0], settings)

    def check_spec(settings: Settings) -> None:
        spec, _ = _teacher(options, settings)
        check_reranker(spec)(settings)

    def check_work(_: Settings) -> None:
        if options.output is not None and (fault := output_folder_fault(_work(options))):
            raise InputError(f"--work: {fault}")

    job = read_job(options, checks=(check_retriever, check_spec, check_work))
    _, chosen = _teacher(options, job.settings)
    check_reranker_texts(job, chosen)
    check_teaching_lengths(job, chosen)
    return job, found[0] if found else None


def _work(options: argparse.Namespace) -> Path:
    output: Path = options.output.absolute()  # `.` has no name
    return options.work or output.with_name(f"{output.name}.work")


if __name__ == "__main__":
    sys.exit(run_main(main))
