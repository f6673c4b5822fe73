"""Train a reranker on out-of-fold candidates of stage 1: boosted trees, a cross-encoder, or a language model."""

import argparse
import logging
import sys
from pathlib import Path

from core.errors import InputError
from core.inputs import output_folder_fault
from core.models import LocalModel, locate_model
from eval.splits import seen_labels
from pipelines.cli import parse_arguments, parser, run_main
from pipelines.job import (
    Job,
    add_data_options,
    base_model,
    check_length,
    check_model_folder,
    check_positions,
    read_job,
)
from pipelines.lm_training_table import adjusted_for_language_model, check_lm_training, table_text
from pipelines.measures import measure, table
from pipelines.out_of_fold import OutOfFold, out_of_fold_candidates
from pipelines.prompt_lengths import check_training_lengths
from pipelines.reranker_settings import LANGUAGE_MODELS, Kind
from pipelines.settings import Settings
from pipelines.stage_one_run import StageOneRun
from pipelines.stage_two_run import StageTwoRun
from pipelines.stages import Stages
from pipelines.teachers import check_teacher
from pipelines.train_boosted_reranker import KIND as BOOSTED
from pipelines.train_boosted_reranker import feature_encoder, trained_boosted
from pipelines.train_cross_reranker import KIND, trained_reranker
from pipelines.train_lm_reranker import trained_language_model
from rerank.boosted import check_installed
from rerank.processes import is_first_process, launched_processes

logger = logging.getLogger(__name__)

KINDS: tuple[Kind, ...] = ("cross-encoder", "boosted", "listwise", "pointwise")

DESCRIPTION = """\
Train a reranker (stage 2) and write it to --output: a cross-encoder (`[reranker_training]`), a folder for
`--reranker cross-encoder:DIR`; boosted trees (`[boosted_training]`), a folder for `--reranker boosted:DIR`, which read
stage 1's scores, an untrained encoder and labelled examples in seconds on a CPU; or a language model that ranks by its
label scores (`[lm_training]`), an adapter for a `[rerankers.NAME]` table, whose lines are printed at the end.

Trains stage 1 first (or takes --retriever), and one more retriever a fold, so that the candidates which the reranker
learns from were found by a model that never saw their question. Made questions (--synthetic) are trained on together
with real ones, or before them, as `[synthetic]` says (boosted trees leave them out). A validation part of real ones is
held out as `[split]` says: the reranker is not fitted on it, and MAP@25 on it is shown at the end. Everything but the
reranker is kept in --work, so that a second training starts from the same candidates. A run that was killed goes on."""

EPILOG = """\
examples:
  python pipelines/train_reranker.py --kind cross-encoder --train train.csv --misconceptions bank.csv \\
      --output models/reranker
  python pipelines/train_reranker.py ... --work runs/eedi --set reranker_training.epochs=3 \\
      --set reranker_training.use_stage_one=true
  python pipelines/end_to_end.py ... --reranker cross-encoder:models/reranker
  python pipelines/train_reranker.py --kind boosted --train train.csv --misconceptions bank.csv \\
      --output models/boosted --work runs/eedi
  python pipelines/end_to_end.py ... --output runs/eedi --reranker boosted:models/boosted   # the same stage 1
  python pipelines/train_reranker.py --kind listwise --train train.csv --misconceptions bank.csv \\
      --output models/listwise --set lm_training.method=qlora --set lm_training.gradient_checkpointing=true
  python pipelines/train_reranker.py --kind pointwise ... --synthetic runs/made --set synthetic.mode=first
  python pipelines/train_reranker.py --kind listwise ... --prepare   # then, on several GPUs:
  accelerate launch --num_processes 4 pipelines/train_reranker.py --kind listwise ..."""


def main(arguments: list[str] | None = None) -> None:
    """Run the job that the command line asks for."""
    made = parser(DESCRIPTION, EPILOG, config_model=Settings)
    add_data_options(made, synthetic=True)
    made.add_argument("--kind", choices=KINDS, default=KIND, help="what to train (default: %(default)s)")
    made.add_argument(
        "--retriever", metavar="MODEL", help="use this retriever as it is: bundled:NAME, folder or hub id"
    )
    made.add_argument(
        "--base",
        metavar="MODEL",
        help="start from this model (boosted: the features' encoder); default: the retriever's weights, or "
        "lm_training.base",
    )
    made.add_argument("--work", type=Path, metavar="DIR", help="where stage 1 is kept (default: OUTPUT.work)")
    made.add_argument(
        "--prepare", action="store_true", help="make stage 1 and the candidates only; `accelerate launch` comes after"
    )
    options = parse_arguments(made, arguments)
    job, given = _job(options)
    output = job.output.absolute()  # `.` has no name
    stages = Stages(folder=options.work or output.with_name(f"{output.name}.work"))
    stages.read_only = launched_processes() > 1
    one = StageOneRun(job, stages, job.train, given=given)
    found = out_of_fold_candidates(one)
    one.validation_candidates()
    if options.prepare:
        sys.stdout.write(f"\nStages:\n{stages.summary()}\n\n{len(found.queries)} queries to train on are ready\n")
        return
    one.encoders.close()  # the training needs the memory
    two, usage = _trained(one, found, options.kind, output, stages)
    if not is_first_process():
        return
    stages.read_only = False
    measured = measure(
        {
            "stage 1": one.validation_candidates(),
            "reranker alone": two.validation_alone(),
            "fused": two.validation_rankings(with_prior=False),
        },
        one.plan.queries,
        candidates="stage 1",
        seen=seen_labels(one.plan.fit),
        resamples=job.settings.bootstrap,
    )
    sys.stdout.write(
        f"\nStages:\n{stages.summary()}\n\n"
        f"Held-out part: {len(measured.queries)} labelled wrong answers; fusion weights fitted on its other half\n"
        f"{table(measured)}\n\nWritten:\n  {output}\n{usage}"
    )


def _trained(one: StageOneRun, found: OutOfFold, kind: Kind, output: Path, stages: Stages) -> tuple[StageTwoRun, str]:
    """Train; return the reranker over stage 1, and what to write into a config to use it."""
    if kind == BOOSTED:
        spec = f"{kind}:{trained_boosted(one, found, output, stages)}"
        return StageTwoRun(one, spec), f"Use it by:\n  --reranker {spec}\n"
    if kind not in LANGUAGE_MODELS:
        return StageTwoRun(one, f"{KIND}:{trained_reranker(one, found, output, stages)}"), ""
    chosen = trained_language_model(one, found, kind, output, stages)
    return StageTwoRun(one, f"{kind}:{output}", chosen=chosen), f"Use it by:\n  {table_text(chosen)}\n"


def _job(options: argparse.Namespace) -> tuple[Job, LocalModel | None]:
    found: list[LocalModel] = []

    def adjust(settings: Settings) -> Settings:
        if options.kind in LANGUAGE_MODELS:
            return adjusted_for_language_model(settings, options.base)
        if options.base is None:
            return settings
        if options.kind == BOOSTED:
            encoder = settings.boosted_training.model_copy(update={"encoder": options.base})
            return settings.model_copy(update={"boosted_training": encoder})
        training = settings.reranker_training.model_copy(update={"base": options.base})
        return settings.model_copy(update={"reranker_training": training})

    def check_retriever(settings: Settings) -> None:
        if options.retriever is not None:
            found.append(locate_model(options.retriever, revision=settings.retriever.revision))
            check_length(found[0], settings)

    def check_base(settings: Settings) -> None:
        _check_base(options.kind, settings, found)

    def check_work(settings: Settings) -> None:
        check_model_folder(options.output)
        if options.work is not None and (fault := output_folder_fault(options.work)):
            raise InputError(f"--work: {fault}")

    job = read_job(options, checks=(check_retriever, check_base, check_work), adjust=adjust)
    if options.kind in LANGUAGE_MODELS:
        check_teacher(job)
        check_training_lengths(job, options.kind)
    return job, found[0] if found else None


def _check_base(kind: Kind, settings: Settings, given: list[LocalModel]) -> None:
    """Refuse a kind whose model is not there, or that cannot train as it was launched."""
    if kind in LANGUAGE_MODELS:
        return check_lm_training(kind, settings)
    if launched_processes() > 1:
        raise InputError(f"--kind {kind}: trains in one process; start it without accelerate or torchrun")
    if kind == BOOSTED:
        feature_encoder(settings)
        return check_installed()
    training = settings.reranker_training
    named = training.base
    base = (
        locate_model(named, revision=training.base_revision) if named else given[0] if given else base_model(settings)
    )
    return check_positions(base, training.max_length, "reranker_training.max_length")


if __name__ == "__main__":
    sys.exit(run_main(main, go_on="Run the same command again to go on from the last epoch."))
