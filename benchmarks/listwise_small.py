"""Small rerankers over the best stage 1, five folds: weights and epochs are fitted inside each fold's training part.

As `rerank_folds.py` does it, for boosted trees, cross-encoders, pointwise and listwise language models, and the mean of
several. A fold is a process, several share a GPU; every finished variant of a fold is a file, and what is there is not
done again:

    python benchmarks/listwise_small.py DATA --work 'runs/fold{fold}' --output OUT --only-fold 0 --out-of-fold 0   # … 2
    python benchmarks/listwise_small.py DATA --work 'runs/fold{fold}' --output OUT --only-fold 0 --variants a,b
    python benchmarks/listwise_small.py DATA --output OUT --summarise

DATA is --train, --misconceptions, --config, --hints, --explanations as for the pipelines; --base-model the language
model's folder or `bundled:SmolLM2-135M-Instruct`. An ensemble's members come before it in --variants. The order scores
of listwise models lie in the work folder: `adaptive_curve.py` reads them.
"""

import argparse
import logging
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rerank_folds import job_of, options_parser, summarise

from core.artifacts import write_json
from core.records import Query, Question, Ranking
from eval.metrics import average_precisions, recalls
from eval.splits import question_folds, seen_labels
from pipelines.cli import set_up_logging
from pipelines.engine_pool import EnginePool
from pipelines.out_of_fold import OutOfFold, out_of_fold_candidates
from pipelines.reranker_settings import RerankerSettings
from pipelines.stage_one_run import StageOneRun
from pipelines.stage_two import apply_stage_two, fit_stage_two
from pipelines.stage_two_run import StageTwoRun
from pipelines.stages import Stages
from pipelines.train_boosted_reranker import told_candidates, trained_boosted
from pipelines.train_cross_reranker import trained_reranker
from pipelines.train_lm_reranker import trained_language_model
from pipelines.train_stage import trained_retriever

logger = logging.getLogger("pipelines.benchmark")
VARIANTS = Path(__file__).with_name("listwise_small.toml")


def main() -> None:
    options = _options()
    set_up_logging(0)
    if options.summarise:
        summarise(options.output)
        return
    job = job_of(options, [])
    split = question_folds(job.train, k=5, seed=job.settings.split.seed)[options.only_fold]
    one = StageOneRun(job, Stages(folder=Path(options.work.format(fold=options.only_fold))), split.train, given=None)
    if options.out_of_fold is not None:
        training = job.settings.reranker_training
        part = question_folds(one.plan.fit, k=training.folds, seed=training.seed)[options.out_of_fold]
        trained_retriever(job, one.stages, f"fold{options.out_of_fold}/retriever", part.train)
        return
    Fold(options, one, split.validation).run(options.variants.split(","))


class Fold:
    """One fold: stage 1, its out-of-fold candidates, and the variants on top."""

    def __init__(self, options: argparse.Namespace, one: StageOneRun, scored: Sequence[Question]) -> None:
        self.options, self.one, self.job = options, one, one.job
        self.queries: list[Query] = self.job.queries(scored, labelled_only=True)
        self.labels = {query.key: query.labels for query in self.queries}
        self.variants: dict[str, Any] = tomllib.loads(VARIANTS.read_text(encoding="utf-8"))["variant"]
        self.work = Path(options.work.format(fold=options.only_fold))
        self.candidates = one.candidates(self.queries)
        self._found: OutOfFold | None = None
        self.pool = EnginePool()

    def run(self, names: Sequence[str]) -> None:
        for name in names:
            path = self.options.output / f"fold{self.options.only_fold}-{name}.json"
            if path.is_file():
                logger.info("%s: there already", path)
                continue
            runs, weights = self._ensemble(name) if self.variants[name]["kind"] == "ensemble" else self._single(name)
            self._write(path, name, runs, weights)
            self.pool.close()  # the next variant's training needs the memory

    def _single(self, name: str) -> tuple[dict[str, list[Ranking]], dict[str, Any]]:
        two = self._stage_two(name)
        runs = {
            f"{name} fused": two.rankings(self.queries, with_prior=False),
            f"{name} with prior": two.rankings(self.queries),
        }
        return runs, two.weights[None].to_json()

    def _ensemble(self, name: str) -> tuple[dict[str, list[Ranking]], dict[str, Any]]:
        """Take the mean of the members' log-probabilities and fit its weights like any reranker's."""
        members = [self._stage_two(member) for member in self.variants[name]["of"]]
        first = members[0]
        validation = mean_rankings([two.reranked_validation() for two in members])
        reranked = mean_rankings([two.reranked_test(self.queries) for two in members])
        held_out = self.one.validation_candidates()
        weights = fit_stage_two(
            first.job, self.one.plan, first.chosen, held_out, validation, half=None, seen=seen_labels(self.one.plan.fit)
        )
        seen = seen_labels(self.one.questions)
        runs = {
            f"{name} {title}": apply_stage_two(first.chosen, self.candidates, reranked, used, seen=seen)
            for title, used in (("fused", replace(weights, prior=0.0)), ("with prior", weights))
        }
        return runs, weights.to_json()

    def _stage_two(self, name: str) -> StageTwoRun:
        variant = self.variants[name]
        named = {"{MODEL}": self.options.base_model, "{RETRIEVER}": self.job.settings.retriever.model}
        training = list(variant["training"])
        for place, model in named.items():
            training = [text.replace(place, model) for text in training]
        changed = job_of(self.options, training)
        of_variant = StageOneRun(changed, self.one.stages, self.one.questions, given=None)
        if self._found is None:
            self._found = out_of_fold_candidates(self.one)
        target = self.work / f"reranker-{name}"
        if variant["kind"] == "cross-encoder":
            folder = trained_reranker(of_variant, self._found, target, self.one.stages)
            table = {"kind": "cross-encoder", "model": str(folder)}
        elif variant["kind"] == "boosted":
            folder = trained_boosted(of_variant, self._found, target, self.one.stages)
            table = {"kind": "boosted", "model": str(folder), "candidates": told_candidates(str(folder))}
        else:
            trained = trained_language_model(of_variant, self._found, variant["kind"], target, self.one.stages)
            table = trained.model_dump()
        chosen = RerankerSettings.model_validate({**table, **variant.get("reranker", {})})
        return StageTwoRun(of_variant, name, chosen=chosen, pool=self.pool)

    def _write(self, path: Path, name: str, runs: dict[str, list[Ranking]], weights: dict[str, Any]) -> None:
        seen = seen_labels(self.one.questions)
        runs = {"stage 1": self.candidates, **runs}
        logger.info("fold %d %s: weights %s", self.options.only_fold, name, weights)
        keys = [ranking.key for ranking in self.candidates]
        result = {
            "weights": {name: weights},
            "keys": keys,
            "unseen": [seen.isdisjoint(self.labels[key]) for key in keys],
            "precision": {run: average_precisions(made, self.labels).tolist() for run, made in runs.items()},
            "recalls": {run: recalls(made, self.labels, k=25).tolist() for run, made in runs.items()},
        }
        write_json(path, result)


def mean_rankings(runs: Sequence[Sequence[Ranking]]) -> list[Ranking]:
    """Return rankings by the mean of several rerankers' log-probabilities of the same candidates."""
    means = []
    for rows in zip(*runs, strict=True):
        ids = np.sort(rows[0].ids)
        if any(not np.array_equal(np.sort(row.ids), ids) for row in rows):
            raise ValueError(f"query {rows[0].key}: the members scored other candidates")
        scores = np.mean([row.scores[np.argsort(row.ids)] for row in rows], axis=0)
        means.append(Ranking.from_scores(rows[0].key, ids, scores))
    return means


def _options() -> argparse.Namespace:
    parser = options_parser(__doc__ or "")
    parser.add_argument("--base-model", default="bundled:SmolLM2-135M-Instruct")
    return parser.parse_args()


if __name__ == "__main__":
    main()
