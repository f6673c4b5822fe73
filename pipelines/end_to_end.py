"""The main job: CSV files in; trained retriever, ranked misconceptions, submission, metrics and report out."""

import argparse
import logging
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.artifacts import sweep_temporaries, write_json
from core.models import LocalModel, locate_model
from core.records import Query, Ranking
from eval.metrics import average_precisions
from eval.splits import seen_labels
from eval.submission import write_submission
from pipelines.bias_stage import Findings, findings
from pipelines.cli import parse_arguments, parser, run_main
from pipelines.fewer_orders import warnings_of
from pipelines.job import CONFIGS, SAMPLE, Job, add_data_options, check_length, fingerprints, read_job
from pipelines.measures import Measured, measure, table
from pipelines.plan import HELD_OUT_TEST, VALIDATION, data_warnings
from pipelines.plan_run import tell_plan
from pipelines.prompt_lengths import check_prompt_lengths
from pipelines.quantised_models import gate_warnings, warn_of_no_gate
from pipelines.report import write_run_report
from pipelines.rerank_scores import TEST
from pipelines.rerank_scores import VALIDATION as HELD_OUT_SCORES
from pipelines.scoring import ScoringFacts
from pipelines.settings import Settings
from pipelines.stage_one_run import StageOneRun
from pipelines.stage_two import check_reranker, check_reranker_texts, reranker_models, resolve_reranker
from pipelines.stage_two_run import StageTwoRun
from pipelines.stages import Stages
from pipelines.time_limit import TimeLimit, no_limit, parse_duration
from pipelines.train_stage import chosen_on, fitted_on

logger = logging.getLogger(__name__)

SEARCHED_TWICE = "stage 1, searched twice"
_LISTS = {TEST: "test queries", HELD_OUT_SCORES: "held-out queries"}
OUTPUTS = ("submission.csv", "metrics.json", "report.html", "candidates.parquet")

DESCRIPTION = """\
Rank a bank of misconceptions for every wrong answer of a test file.

Without any argument it runs on the bundled sample with bundled models, in minutes, on a laptop. With your files it
trains a retriever on --train (or takes --retriever), finds candidates, reranks them, and writes into --output:

  submission.csv      the ranking in the competition's form (QuestionId_Answer, 25 ids)
  metrics.json        MAP@25 and recall@N with intervals, overall, seen and unseen labels
  report.html         the same to look at, with every query to leaf through; needs no network
  candidates.parquet  what stage 1 handed on
  retriever/          the trained model, a sentence-transformers folder (with training.refit also retriever-refit/,
                      trained on all rows: it ranks the test file)
  run.json            times, versions and machine

Every stage is skipped while what it was made from is unchanged: a second run recomputes nothing, a run that was killed
goes on from the last finished stage, and another --reranker re-uses the candidates."""

EPILOG = """\
examples:
  python pipelines/end_to_end.py
  python pipelines/end_to_end.py --train train.csv --misconceptions misconception_mapping.csv --test test.csv \\
      --output runs/eedi --config pipelines/configs/cpu.toml
  python pipelines/end_to_end.py ... --retriever bundled:all-MiniLM-L6-v2          (zero-shot, trains nothing)
  python pipelines/end_to_end.py ... --reranker cross-encoder:models/reranker
  python pipelines/end_to_end.py ... --config pipelines/configs/h200.toml --reranker listwise --time-limit 9h
  python pipelines/end_to_end.py ... --set training.epochs=3 --set split.seed=1

exit status: 0 done, 2 bad input (nothing was written), 130 interrupted"""


def main(arguments: list[str] | None = None) -> None:
    """Run the job that the command line asks for."""
    made = parser(DESCRIPTION, EPILOG, config_model=Settings)
    add_data_options(made, test=True, synthetic=True)
    made.add_argument(
        "--retriever", metavar="MODEL", help="use this model as it is: bundled:NAME, a folder, or a hub id"
    )
    made.add_argument(
        "--reranker", metavar="SPEC", help="identity, KIND:MODEL, or the NAME of a [rerankers.NAME] table"
    )
    made.add_argument(
        "--time-limit",
        type=parse_duration,
        metavar="9h",
        help="write the submission in time: queries that are not reached keep stage 1's order, and are counted; where "
        "the held-out queries' speed says that the test part would not be finished, a listwise reranker asks it in one "
        "order. Not limited: stage 1 (training and search), an engine that is being opened, the batch in flight; the "
        "numbers and the report are written after the submission",
    )
    options = parse_arguments(made, arguments)
    limit = TimeLimit(seconds=options.time_limit) if options.time_limit else no_limit()
    job, given = _job(options)
    stages = Stages(folder=job.output)
    started = time.perf_counter()
    one = StageOneRun(job, stages, job.train, given=given)
    queries = job.queries(job.test)
    two = StageTwoRun(one, job.settings.reranker, limit=limit, test_queries=len(queries))
    tell_plan(two, len(queries), limit)
    final = two.rankings(queries)
    stages.timed("submission.csv", lambda: write_submission(job.output / "submission.csv", final, job.test, job.bank))
    measured, how = _measure(job, one, two, queries, final)
    found = findings(two, queries if how == HELD_OUT_TEST else None, measured_on=how)
    stages.timed("metrics.json and report.html", lambda: _write_numbers(job, one, two, measured, how, given, found))
    two.scores.pool.close()
    stages.write_run({"command": sys.argv, "total_seconds": round(time.perf_counter() - started, 3)})
    _tell(job, stages, measured, how, time.perf_counter() - started)
    if two.unreached.get(TEST):
        sys.stdout.write(
            f"\nTime limit: {two.unreached[TEST]} of {len(queries)} test queries were not reranked and keep stage 1's "
            "order; the same command goes on with them.\n"
        )


def _job(options: argparse.Namespace) -> tuple[Job, LocalModel | None]:
    """Check everything; with no data option at all the job is the bundled sample's."""
    default_config = None
    named = [options.train, options.misconceptions, options.test, options.output]
    if all(value is None for value in named):
        options.train, options.test = SAMPLE / "train.csv", SAMPLE / "test.csv"
        options.misconceptions, options.output = SAMPLE / "misconceptions.csv", Path("runs/demo")
        default_config = CONFIGS / "sample.toml"
    found: list[LocalModel] = []

    def check_retriever(settings: Settings) -> None:
        if options.retriever is not None:
            found.append(locate_model(options.retriever, revision=settings.retriever.revision))
            check_length(found[0], settings)

    def adjust(settings: Settings) -> Settings:
        return settings if options.reranker is None else settings.model_copy(update={"reranker": options.reranker})

    def check_spec(settings: Settings) -> None:
        check_reranker(settings.reranker)(settings)

    job = read_job(
        options, checks=(check_retriever, check_spec), default_config=default_config, adjust=adjust, needs_test=True
    )
    chosen = resolve_reranker(job.settings.reranker, job.settings)
    check_reranker_texts(job, chosen)
    check_prompt_lengths(job, chosen)
    warn_of_no_gate(reranker_models(chosen, job.settings))
    sweep_temporaries(job.output, [*OUTPUTS, "run.json"])
    return job, found[0] if found else None


def _measure(
    job: Job, one: StageOneRun, two: StageTwoRun, queries: list[Query], final: list[Ranking]
) -> tuple[Measured, str]:
    """Measure on the test labels where there are any, else on the held-out part of the training file."""
    on_test = any(query.labels for query in queries)
    asked = queries if on_test else list(one.plan.queries)
    runs: dict[str, list[Ranking]] = {}
    zero_shot = one.zero_shot_rankings(asked)
    if zero_shot is not None:
        runs["zero-shot"] = zero_shot
    runs["trained retriever" if one.given is None else "given retriever"] = (
        one.dense(queries) if on_test else one.validation_dense()
    )
    fused = one.candidates(queries) if on_test else one.validation_candidates()
    runs["stage 1"] = fused
    if two.chosen.describe:
        runs[SEARCHED_TWICE] = two.scores.test_candidates(queries) if on_test else two.scores.validation_candidates()
    if two.chosen.kind != "identity":
        if two.policies and not on_test:
            runs[f"reranked ({two.spec}), all orders"] = two.validation_rankings(with_prior=False, all_orders=True)
        runs[f"reranked ({two.spec})"] = (
            two.rankings(queries, with_prior=False) if on_test else two.validation_rankings(with_prior=False)
        )
    if any(two.weights[half].prior for half in ((None,) if on_test else (0, 1))):
        runs["with prior for unseen"] = final if on_test else two.validation_rankings()
    seen = seen_labels(job.train if on_test else one.plan.fit)
    pool = SEARCHED_TWICE if two.chosen.describe else "stage 1"
    measured = measure(runs, asked, candidates=pool, seen=seen, resamples=job.settings.bootstrap)
    return measured, HELD_OUT_TEST if on_test else VALIDATION


def _write_numbers(
    job: Job,
    one: StageOneRun,
    two: StageTwoRun,
    measured: Measured,
    how: str,
    given: LocalModel | None,
    found: Findings | None,
) -> None:
    scored = job.test if how == HELD_OUT_TEST else one.plan.validation
    others = [locate_model(name) for name in job.settings.retriever.also]
    models = [given, *reranker_models(two.chosen, job.settings), *others]
    fitted, chosen = (frozenset().union(*(known(model) for model in models)) for known in (fitted_on, chosen_on))
    warnings = [*data_warnings(job, fitted, fingerprints(scored), chosen_on=chosen), *gate_warnings(models)]
    first, second = one.weights[None].to_json(), two.weights[None].to_json()
    numbers: dict[str, Any] = {
        "measured_on": how,
        "unseen_share_fitted_for": job.settings.fusion.unseen_share,
        **measured.to_json(),
        "weights": {"stage_one": first, "stage_two": second},
        "warnings": {text: count for text, count in warnings},
        "input_warnings": list(job.inputs.warnings),
        "reranker": two.spec,
        **(found.to_json() if found else {}),
        "unreached": two.unreached,
        "time_limit": two.time_limit_json(),
        "cut": {name: facts.cut for name, facts in two.scores.all_facts().items()},
    }
    write_json(job.output / "metrics.json", numbers)
    base = job.settings.retriever.model
    provenance = [
        ("Numbers measured on", how),
        ("Files", ", ".join(job.sources)),
        ("Bank", f"{len(job.bank)} misconceptions"),
        ("Retriever", f"{given.name}, as given" if given else _trained(base, job, one)),
        ("Stage-1 weights", _numbers(first)),
        ("Reranker", two.spec),
        *(_prompts(name, facts) for name, facts in two.scores.all_facts().items() if facts.prompts),
        ("Stage-2 weights", _numbers(second)),
    ]
    write_run_report(
        job.output / "report.html",
        measured,
        job.bank,
        title="Misconception ranking",
        provenance=provenance,
        warnings=[
            *warnings,
            *warnings_of(two.lowered, two.unreached, _LISTS),
            *_cut(two),
            *[(text, 1) for text in job.inputs.warnings],
        ],
        sections=found.sections() if found else [],
    )


def _cut(two: StageTwoRun) -> list[tuple[str, int]]:
    return [
        (
            f"{_LISTS[name]} whose question was cut in its middle to keep to prompt.max_tokens "
            f"({facts.cut_tokens} tokens in all)",
            facts.cut_queries,
        )
        for name, facts in two.scores.all_facts().items()
        if facts.cut_queries
    ]


def _prompts(name: str, facts: ScoringFacts) -> tuple[str, str]:
    text = f"{facts.prompts} of {facts.queries} {_LISTS[name]}, {facts.tokens_per_query or 0:.0f} tokens a query"
    return "Prompts", text + (f", {facts.cached_share:.0%} out of the prefix cache" if facts.cached_share else "")


def _trained(base: str, job: Job, one: StageOneRun) -> str:
    text = f"{base}, trained on {len(one.plan.fit)} questions"
    return f"{text}; the submission's on all {len(job.train)}" if job.settings.training.refit else text


def _numbers(weights: Mapping[str, float] | Mapping[str, float | None]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in weights.items() if value is not None)


def _tell(job: Job, stages: Stages, measured: Measured, how: str, seconds: float) -> None:
    """Say what was made, where, and how long each stage took."""
    first, last = measured.runs[0].name, measured.runs[-1].name
    lines = [
        "",
        f"Stages ({seconds:.0f} s in all):",
        stages.summary(),
        "",
        f"Measured on {how}: {len(measured.queries)} labelled wrong answers",
        table(measured),
    ]
    if first != last:
        gain = _gain(measured)
        lines.append(f"  {last} against {first}: {gain:+.4f} MAP@25")
    lines += ["", "Written:"]
    lines += [f"  {job.output / name}" for name in OUTPUTS]
    sys.stdout.write("\n".join(lines) + "\n")


def _gain(measured: Measured) -> float:
    first, last = measured.runs[0].name, measured.runs[-1].name
    labels = measured.labels
    before, after = (average_precisions(measured.rankings[name], labels).mean() for name in (first, last))
    return float(after - before)


if __name__ == "__main__":
    sys.exit(run_main(main))
