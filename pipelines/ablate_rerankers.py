"""Compare rerankers: the same candidates for each, a table with intervals and paired p-values."""

import argparse
import logging
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from core.artifacts import sweep_temporaries, write_json, write_text
from core.errors import InputError, UserError
from core.models import LocalModel, locate_model
from eval.splits import seen_labels
from pipelines.ablation import (
    ALL_ORDERS,
    ALONE,
    FUSED,
    SEARCHED_TWICE,
    STAGE_ONE,
    WITH_PRIOR,
    Ablation,
    Costs,
    Variant,
    ablate,
    ablation_csv,
    ablation_section,
    ablation_table,
)
from pipelines.ablation_grid import add_grid_options, grid_points
from pipelines.bias_stage import Findings, findings
from pipelines.cli import check_all, parse_arguments, parser, run_main
from pipelines.engine_pool import EnginePool
from pipelines.job import Job, add_data_options, check_length, fingerprints, read_job
from pipelines.plan import data_warnings
from pipelines.prompt_lengths import check_prompt_lengths
from pipelines.quantised_models import gate_warnings, warn_of_no_gate
from pipelines.report import write_run_report
from pipelines.settings import Settings
from pipelines.stage_one_run import StageOneRun
from pipelines.stage_two import (
    StageTwoWeights,
    check_reranker,
    check_reranker_texts,
    reranker_models,
    resolve_reranker,
)
from pipelines.stage_two_run import StageTwoRun
from pipelines.stages import Stages
from pipelines.train_stage import fitted_on, own_manifest

logger = logging.getLogger(__name__)

MEASURED_ON = (
    "a validation part held out of the training file; fusion weights and priors are fitted on one half of it and "
    "scored on the other"
)
CHOSEN_BY = "questions measured on by which a reranker's training epoch was chosen: its numbers are a little too good"

DESCRIPTION = """\
Measure rerankers side by side on a validation part held out of --train.

Stage 1 runs once and each reranker gets the same candidates. The table shows each one alone (its own order), fused with
stage 1, and with the prior for labels without a training example; differences and paired p-values are to the first
SPEC, fused (to stage 1 where that is identity), with queries/s, prompt tokens a query and GPU-seconds. --orders,
--candidates and --fusion measure each SPEC at every combination. Writes ablation.csv, metrics.json, report.html (with
the bias of listwise rerankers) and run.json into --output.

A reranker that was fitted on questions it would be measured on is refused. One made by train_reranker.py with the same
--train and the same `[split]` was not."""

EPILOG = """\
examples:
  python pipelines/ablate_rerankers.py --train train.csv --misconceptions bank.csv --output runs/ablation \\
      --rerankers identity,cross-encoder:models/a,cross-encoder:models/b
  python pipelines/ablate_rerankers.py ... --rerankers identity,listwise:bundled:SmolLM2-135M-Instruct \\
      --orders ascending,both --candidates 10,25 --fusion rank,score
  python pipelines/ablate_rerankers.py ... --retriever models/a.work/retriever --config mine.toml --rerankers identity,X

exit status: 0 done, 2 bad input (nothing was written), 130 interrupted"""


def main(arguments: list[str] | None = None) -> None:
    """Run the job that the command line asks for."""
    made = parser(DESCRIPTION, EPILOG, config_model=Settings)
    add_data_options(made)
    made.add_argument("--rerankers", metavar="SPEC,SPEC,…", help="identity, KIND:MODEL_DIR, or names of config tables")
    made.add_argument(
        "--retriever", metavar="MODEL", help="use this retriever as it is: bundled:NAME, folder or hub id"
    )
    add_grid_options(made)
    options = parse_arguments(made, arguments)
    specs = _specs(options.rerankers)
    job, given = _job(options, specs)
    stages = Stages(folder=job.output)
    one = StageOneRun(job, stages, job.train, given=given)
    scored = fingerprints(one.plan.validation)
    check_all([partial(_check_may_be_measured, job, spec, scored) for spec in specs])
    points = grid_points(specs, job.settings, options)
    check_all([partial(check_prompt_lengths, job, point.chosen) for point in points])
    pool = EnginePool()
    runs = [
        StageTwoRun(one, point.spec, chosen=point.chosen, variant=point.variant, title=point.title, pool=pool)
        for point in points
    ]
    variants, found = [_stage_one(one)], []
    for two in runs:  # all of one reranker, its bias probes too, while its engine is open
        variants += _variants(two)
        if told := findings(two, None, measured_on=MEASURED_ON):
            found.append(told)
    pool.close()
    costs = {two.spec: two.scores.facts() for two in runs}
    ablation = ablate(
        variants,
        one.plan.queries,
        reference=STAGE_ONE if runs[0].chosen.kind == "identity" else f"{runs[0].spec}, {FUSED}",
        seen=seen_labels(one.plan.fit),
        resamples=job.settings.bootstrap,
        candidates=f"{runs[-1].spec}, {SEARCHED_TWICE}" if runs[-1].chosen.describe else STAGE_ONE,
    )
    _write(job, one, ablation, specs, given, costs, found)
    speeds = {spec: facts.queries_per_second if facts else None for spec, facts in costs.items()}
    stages.write_run({"command": sys.argv, "queries_per_second": speeds})
    sys.stdout.write(
        f"\nStages:\n{stages.summary()}\n\n"
        f"Measured on {MEASURED_ON}: {len(one.plan.queries)} labelled wrong answers\n"
        f"Differences are to {ablation.reference}\n{ablation_table(ablation, costs)}\n\nWritten:\n"
    )
    sys.stdout.writelines(f"  {job.output / name}\n" for name in ("ablation.csv", "metrics.json", "report.html"))


def _specs(given: str | None) -> list[str]:
    return [spec.strip() for spec in (given or "").split(",") if spec.strip()]


def _job(options: argparse.Namespace, specs: Sequence[str]) -> tuple[Job, LocalModel | None]:
    found: list[LocalModel] = []

    def check_retriever(settings: Settings) -> None:
        if options.retriever is not None:
            found.append(locate_model(options.retriever, revision=settings.retriever.revision))
            check_length(found[0], settings)

    def check_specs(settings: Settings) -> None:
        faults = [] if specs else ["--rerankers: expected SPEC,SPEC,…, got none"]
        faults += [f"--rerankers: {spec} is named twice" for spec in dict.fromkeys(specs) if specs.count(spec) > 1]
        for spec in dict.fromkeys(specs):
            try:
                check_reranker(spec)(settings)
            except UserError as error:
                faults += error.faults
        if not faults:
            try:
                grid_points(specs, settings, options)
            except UserError as error:
                faults += error.faults
        if faults:
            raise InputError(faults)

    job = read_job(options, checks=(check_retriever, check_specs))
    sweep_temporaries(job.output, [path.name for path in job.output.glob("*")] if job.output.is_dir() else [])
    return job, found[0] if found else None


def _check_may_be_measured(job: Job, spec: str, scored: Sequence[str]) -> None:
    """Refuse a reranker that knows the questions it would be measured on, or was trained with other texts.

    Raises:
        InputError: It was fitted on some of them; says how many.
        ArtifactMismatchError: The texts differ.
    """
    chosen = resolve_reranker(spec, job.settings)
    fitted = frozenset().union(*(fitted_on(model) for model in reranker_models(chosen, job.settings)))
    if overlap := len(fitted.intersection(scored)):
        raise InputError(
            f"reranker '{spec}': was fitted on {overlap} of the {len(scored)} questions that it would be measured on; "
            "train one with the same --train and the same [split], which hold them out"
        )
    check_reranker_texts(job, chosen)
    warn_of_no_gate(reranker_models(chosen, job.settings))


def _weights(weight: float) -> tuple[StageTwoWeights, StageTwoWeights]:
    stated = StageTwoWeights(weight=weight, prior=0.0, prior_gain=None)
    return stated, stated


def _stage_one(one: StageOneRun) -> Variant:
    return Variant(reranker=STAGE_ONE, used="as it is", weights=_weights(0.0), rankings=one.validation_candidates())


def _variants(two: StageTwoRun) -> list[Variant]:
    """Return a reranker's variants; the identity has no order of its own, so that only its prior is new."""
    crossed = (two.weights[1], two.weights[0])  # each half is scored with what the other gave
    plain = tuple(StageTwoWeights(weight=weights.weight, prior=0.0, prior_gain=None) for weights in crossed)
    found = []
    if two.chosen.describe:
        described = two.scores.validation_candidates()
        found += [Variant(reranker=two.spec, used=SEARCHED_TWICE, weights=_weights(0.0), rankings=described)]
    if two.chosen.kind != "identity":
        alone, fused = two.validation_alone(), two.validation_rankings(with_prior=False)
        found += [Variant(reranker=two.spec, used=ALONE, weights=_weights(1.0), rankings=alone)]
        found += [Variant(reranker=two.spec, used=FUSED, weights=(plain[0], plain[1]), rankings=fused)]
        if two.policies:
            whole = two.validation_rankings(with_prior=False, all_orders=True)
            found += [Variant(reranker=two.spec, used=ALL_ORDERS, weights=(plain[0], plain[1]), rankings=whole)]
    if two.job.settings.prior.enabled:
        found += [Variant(reranker=two.spec, used=WITH_PRIOR, weights=crossed, rankings=two.validation_rankings())]
    return found


def _write(
    job: Job,
    one: StageOneRun,
    ablation: Ablation,
    specs: Sequence[str],
    given: LocalModel | None,
    costs: Costs,
    found: Sequence[Findings],
) -> None:
    scored = fingerprints(one.plan.validation)
    models = [model for spec in specs for model in reranker_models(resolve_reranker(spec, job.settings), job.settings)]
    warnings = [*data_warnings(job, fitted_on(given), scored), *gate_warnings(models)]
    if chosen_by := _chosen_by(job, specs, scored):
        warnings.append((CHOSEN_BY, chosen_by))
    numbers: dict[str, Any] = {
        "measured_on": MEASURED_ON,
        "rerankers": list(specs),
        **ablation.to_json(),
        "stage_one_weights": one.weights[None].to_json(),
        "warnings": {text: count for text, count in warnings},
        "bias": {one.name: one.to_json() for one in found},
        "cut": {spec: facts.cut for spec, facts in costs.items() if facts and facts.prompts},
    }
    write_text(job.output / "ablation.csv", ablation_csv(ablation, costs))
    write_json(job.output / "metrics.json", numbers)
    write_run_report(
        job.output / "report.html",
        ablation.measured,
        job.bank,
        title="Rerankers compared",
        provenance=[
            ("Numbers measured on", MEASURED_ON),
            ("Files", ", ".join(job.sources)),
            ("Bank", f"{len(job.bank)} misconceptions"),
            ("Retriever", f"{given.name}, as given" if given else f"{job.settings.retriever.model}, trained"),
            ("Rerankers", ", ".join(specs)),
        ],
        warnings=[*warnings, *[(text, 1) for text in job.inputs.warnings]],
        sections=[ablation_section(ablation, costs), *(section for one in found for section in one.sections())],
    )


def _chosen_by(job: Job, specs: Sequence[str], scored: Sequence[str]) -> int:
    """Return how many scored questions helped to choose some reranker's epoch."""
    known: set[str] = set()
    for spec in specs:
        for model in reranker_models(resolve_reranker(spec, job.settings), job.settings):
            known |= set(own_manifest(model).get("scored_on") or ())
    return len(known.intersection(scored))


if __name__ == "__main__":
    sys.exit(run_main(main))
