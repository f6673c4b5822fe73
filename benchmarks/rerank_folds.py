"""Cross-encoders over the best stage 1, five folds: weights and epochs are fitted inside each fold's training part.

Three steps, so that several processes can share one GPU (a fold each):

    python benchmarks/rerank_folds.py DATA --work 'runs/fold{fold}' --output OUT --only-fold 0 --out-of-fold 0   # … 2
    python benchmarks/rerank_folds.py DATA --work 'runs/fold{fold}' --output OUT --only-fold 0 --variants a,b
    python benchmarks/rerank_folds.py DATA --output OUT --summarise

DATA is --train, --misconceptions, --config, --hints, --explanations, --synthetic as for the pipelines. `--work` may be
the folders that `evaluate_retrieval.py --only-fold` left: their retrievers are re-used.
"""

import argparse
import json
import logging
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.config import load_config
from core.inputs import check_inputs
from core.records import Question
from eval.intervals import paired_randomisation_test
from eval.metrics import average_precisions, recalls
from eval.splits import question_folds, seen_labels
from pipelines.cli import set_up_logging
from pipelines.job import Job
from pipelines.out_of_fold import fold_job, out_of_fold_candidates
from pipelines.settings import Settings
from pipelines.stage_one_run import StageOneRun
from pipelines.stage_two_run import StageTwoRun
from pipelines.stages import Stages
from pipelines.texts import text_forms
from pipelines.train_cross_reranker import trained_reranker
from pipelines.train_stage import trained_retriever

logger = logging.getLogger("pipelines.benchmark")
VARIANTS = Path(__file__).with_name("rerank_variants.toml")


def main() -> None:
    options = options_parser(__doc__ or "").parse_args()
    set_up_logging(0)
    if options.summarise:
        summarise(options.output)
        return
    job = job_of(options, [])
    folds = question_folds(job.train, k=5, seed=job.settings.split.seed)
    split = folds[options.only_fold]
    work = Path(options.work.format(fold=options.only_fold))
    one = StageOneRun(job, Stages(folder=work), split.train, given=None)
    if options.out_of_fold is not None:
        training = job.settings.reranker_training
        part = question_folds(one.plan.fit, k=training.folds, seed=training.seed)[options.out_of_fold]
        trained_retriever(fold_job(job), one.stages, f"fold{options.out_of_fold}/retriever", part.train)
        return
    _run_fold(options, job, one, split.validation, work)


def _run_fold(options: argparse.Namespace, job: Job, one: StageOneRun, scored: Sequence[Question], work: Path) -> None:
    queries = job.queries(scored, labelled_only=True)
    labels = {query.key: query.labels for query in queries}
    seen = seen_labels(one.questions)
    found = out_of_fold_candidates(one)
    candidates = one.candidates(queries)
    runs = {"stage 1": candidates}
    weights: dict[str, Any] = {}
    variants = tomllib.loads(VARIANTS.read_text(encoding="utf-8"))["variant"]
    for name in options.variants.split(","):
        variant = variants[name]
        training = [text.replace("{MODEL}", job.settings.retriever.model) for text in variant["training"]]
        changed = job_of(options, training)
        of_variant = StageOneRun(changed, one.stages, one.questions, given=None)
        folder = trained_reranker(of_variant, found, work / f"reranker-{name}", one.stages)
        table = {"kind": "cross-encoder", "model": str(folder), "fusion": variant.get("fusion", "rank")}
        chosen = changed.settings.model_validate(
            {**changed.settings.model_dump(), "rerankers": {name: table}, "reranker": name}
        )
        final = Job(
            settings=chosen, inputs=job.inputs, output=job.output, forms=text_forms(chosen.text), sources=job.sources
        )
        two = StageTwoRun(StageOneRun(final, one.stages, one.questions, given=None), name)
        runs[f"{name} fused"] = two.rankings(queries, with_prior=False)
        runs[f"{name} with prior"] = two.rankings(queries)
        weights[name] = two.weights[None].to_json()
        logger.info("fold %d %s: weights %s", options.only_fold, name, weights[name])
    result = {
        "weights": weights,
        "keys": [ranking.key for ranking in candidates],
        "unseen": [seen.isdisjoint(labels[ranking.key]) for ranking in candidates],
        "precision": {name: average_precisions(run, labels).tolist() for name, run in runs.items()},
        "recalls": {name: recalls(run, labels, k=25).tolist() for name, run in runs.items()},
    }
    options.output.mkdir(parents=True, exist_ok=True)
    suffix = options.variants.replace(",", "+")
    (options.output / f"fold{options.only_fold}-{suffix}.json").write_text(json.dumps(result), encoding="utf-8")


def summarise(output: Path) -> None:
    precision: dict[str, dict[str, float]] = {}
    recall: dict[str, dict[str, float]] = {}
    unseen: dict[str, bool] = {}
    fold_of: dict[str, int] = {}
    weights: dict[str, list[Any]] = {}
    for path in sorted(output.glob("fold*-*.json")):
        part = json.loads(path.read_text(encoding="utf-8"))
        fold = int(path.name[4])
        for key, new in zip(part["keys"], part["unseen"], strict=True):
            unseen[key], fold_of[key] = new, fold
        for name, values in part["precision"].items():
            precision.setdefault(name, {}).update(zip(part["keys"], values, strict=True))
        for name, values in part.get("recalls", {}).items():
            recall.setdefault(name, {}).update(zip(part["keys"], values, strict=True))
        for name, found in part["weights"].items():
            weights.setdefault(name, []).append({"fold": fold, **found})
    keys = sorted(unseen)
    groups = [key.rpartition("_")[0] for key in keys]
    folds, new = np.array([fold_of[key] for key in keys]), np.array([unseen[key] for key in keys])
    base = np.array([precision["stage 1"][key] for key in keys])
    rows = []
    for name, values in precision.items():
        if len(values) != len(keys):
            logger.warning("%s: %d of %d queries; left out", name, len(values), len(keys))
            continue
        row = np.array([values[key] for key in keys])
        test = paired_randomisation_test(row, base, groups, seed=0)
        means = [float(row[folds == fold].mean()) for fold in sorted(set(folds.tolist()))]
        found_at = np.array([recall.get(name, {}).get(key, np.nan) for key in keys])
        share = float(np.mean([found_at[folds == fold].mean() for fold in sorted(set(folds.tolist()))]))
        rows.append(
            {
                "run": name,
                "map@25 mean of folds": round(float(np.mean(means)), 4),
                "folds": [round(mean, 4) for mean in means],
                "seen": round(float(row[~new].mean()), 4),
                "unseen": round(float(row[new].mean()), 4),
                "difference": round(test.difference, 4),
                "low": round(test.low, 4),
                "high": round(test.high, 4),
                "p": round(test.p, 5),
                "recall@25 mean of folds": None if np.isnan(share) else round(share, 4),
            }
        )
    result = {"queries": len(keys), "runs": rows, "weights": weights}
    (output / "summary.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for row_ in rows:
        sys.stdout.write(f"{row_}\n")


def job_of(options: argparse.Namespace, overrides: list[str]) -> Job:
    settings = load_config(Settings, options.config, [*options.overrides, *overrides])
    inputs = check_inputs(
        misconceptions=options.misconceptions,
        train=options.train,
        hints=options.hints,
        explanations=options.explanations,
        synthetic=options.synthetic,
    )
    return Job(settings=settings, inputs=inputs, output=options.output, forms=text_forms(settings.text), sources=())


def options_parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path)
    parser.add_argument("--misconceptions", type=Path)
    parser.add_argument("--hints", type=Path, action="append", default=[])
    parser.add_argument("--explanations", type=Path, action="append", default=[])
    parser.add_argument("--synthetic", type=Path, action="append", default=[])
    parser.add_argument("--config", type=Path)
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    parser.add_argument("--work", default="runs/fold{fold}")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--only-fold", type=int, default=0)
    parser.add_argument("--out-of-fold", type=int)
    parser.add_argument("--variants", default="from-retriever")
    parser.add_argument("--summarise", action="store_true")
    return parser


if __name__ == "__main__":
    main()
