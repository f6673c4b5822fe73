"""Boosted rerankers over the best stage 1, five folds, from rankings that are there.

    python benchmarks/boosted_folds.py DATA --work 'runs/texts/fold{fold}' --output OUT [--variants boosted,hundred]
    python benchmarks/boosted_folds.py DATA --output OUT --summarise

The rankings are those that `stage_one_gpu.sh texts` and `rerank_gpu.sh out-of-fold` leave.
DATA is --train, --misconceptions, --config, --hints, --explanations as for the pipelines. A fold's folder must hold
`out_of_fold.parquet`, `validation_candidates.parquet` and `candidates.parquet`; no retriever is opened, so this runs on
a CPU in minutes. Trees are grown on the fold's fitted part alone; the fusion weight is fitted on its held-out part,
whose labelled examples are those of the fitted part; scored queries have both as examples, as stage 1's neighbours do.
"""

import argparse
import logging
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rerank_folds import job_of, options_parser, summarise

from core.artifacts import write_json
from core.records import Query, Ranking
from core.tables import read_rankings
from eval.metrics import average_precisions, recalls
from eval.splits import question_folds, seen_labels
from pipelines.boosted_evidence import Evidence, evidence_plan
from pipelines.cli import set_up_logging
from pipelines.out_of_fold import OutOfFold
from pipelines.plan import make_plan
from pipelines.reranker_settings import RerankerSettings
from pipelines.stage_two import apply_stage_two, fit_stage_two
from pipelines.train_boosted_reranker import feature_encoder, grown
from rerank.boosted import BoostedReranker, BoostedTrees

logger = logging.getLogger("pipelines.benchmark")
VARIANTS = Path(__file__).with_name("boosted_variants.toml")


def main() -> None:
    options = options_parser(__doc__ or "").parse_args()
    set_up_logging(0)
    if not options.summarise:
        variants = tomllib.loads(VARIANTS.read_text(encoding="utf-8"))["variant"]
        for fold in range(5):
            for name in options.variants.split(","):
                run_fold(options, fold, name, variants[name]["settings"])
    summarise(options.output)


def run_fold(options: argparse.Namespace, fold: int, name: str, settings: list[str]) -> None:
    path = options.output / f"fold{fold}-{name}.json"
    if path.is_file():
        logger.info("%s: there already", path)
        return
    job = job_of(options, settings)
    training = job.settings.boosted_training
    split = question_folds(job.train, k=5, seed=job.settings.split.seed)[fold]
    plan = make_plan(job, split.train)
    fitted = job.queries(plan.fit, labelled_only=True)
    scored = job.queries(split.validation, labelled_only=True)
    work = Path(options.work.format(fold=fold))
    found = OutOfFold(queries=fitted, candidates=stored(work / "out_of_fold.parquet", fitted), provenance=[], groups=[])
    held_out = stored(work / "validation_candidates.parquet", plan.queries)
    candidates = stored(work / "candidates.parquet", scored)
    encoder, views = feature_encoder(job.settings), evidence_plan(job)
    kept = options.output / "embeddings"
    learnt = Evidence(job, encoder, views, plan.fit, kept)
    trees = grown(learnt, found, training, threads=job.settings.threads or 1)
    chosen = RerankerSettings(kind="boosted", model="grown here", candidates=training.candidates)
    of_held_out = reranked_first(trees, learnt, plan.queries, held_out)
    seen = seen_labels(plan.fit)
    weights = fit_stage_two(job, plan, chosen, held_out, of_held_out, half=None, seen=seen)
    asked = Evidence(job, encoder, views, split.train, kept)
    reranked = reranked_first(trees, asked, scored, candidates)
    known = seen_labels(split.train)
    runs = {
        "stage 1": candidates,
        f"{name} alone": reranked,
        f"{name} fused": apply_stage_two(chosen, candidates, reranked, replace(weights, prior=0.0), seen=known),
        f"{name} with prior": apply_stage_two(chosen, candidates, reranked, weights, seen=known),
    }
    labels = {query.key: query.labels for query in scored}
    logger.info("fold %d %s: weights %s", fold, name, weights)
    write_json(
        path,
        {
            "weights": {name: weights.to_json()},
            "importance": trees.importance(),
            "keys": [query.key for query in scored],
            "unseen": [known.isdisjoint(query.labels) for query in scored],
            "precision": {run: average_precisions(made, labels).tolist() for run, made in runs.items()},
            "recalls": {run: recalls(made, labels, k=25).tolist() for run, made in runs.items()},
        },
    )


def reranked_first(
    trees: BoostedTrees, evidence: Evidence, queries: Sequence[Query], candidates: Sequence[Ranking]
) -> list[Ranking]:
    """Return the trees' rankings of each query's first candidates."""
    depth = evidence.job.settings.boosted_training.candidates
    reranker = BoostedReranker(trees, evidence.features)
    return reranker.rerank(queries, [ranking.top(depth) for ranking in candidates], evidence.job.bank)


def stored(path: Path, queries: Sequence[Query]) -> list[Ranking]:
    """Return stored rankings in the order of some queries; every query must be there."""
    found = {ranking.key: ranking for ranking in read_rankings(path)}
    missing = [query.key for query in queries if query.key not in found]
    if missing:
        raise SystemExit(f"{path}: {len(missing)} queries are missing, e.g. {missing[:3]}: other data, split or fold?")
    return [found[query.key] for query in queries]


if __name__ == "__main__":
    main()
