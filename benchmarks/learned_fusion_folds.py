r"""The learned fusion over candidate lists that are there, five folds: an estimate without training a retriever.

    python benchmarks/learned_fusion_folds.py DATA --lists 'runs/texts/fold{fold}' \
        --work 'runs/learned/fold{fold}' --output OUT

DATA is --train, --misconceptions, --config, --hints, --explanations as for the pipelines; --set fusion.views=… and
fusion.unseen_share=… choose what is fitted. A fold's folder in --lists holds `candidates.parquet`,
`validation_candidates.parquet` and, if rerankers are to be trained on the result, `out_of_fold.parquet`, as
`stage_one_gpu.sh` and `rerank_gpu.sh` leave them. The trained retriever is not asked, so its own two columns are
missing. The lists scored anew are written into --work, for `boosted_folds.py`. Minutes on a CPU.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rerank_folds import job_of, options_parser

from core.artifacts import made_by, write_json
from core.records import FloatArray, Query, Question, Ranking
from core.tables import read_rankings, write_rankings
from eval.metrics import average_precisions, recalls
from eval.splits import question_folds, seen_labels
from pipelines.cli import set_up_logging
from pipelines.job import Job
from pipelines.learned_fusion import fitted_channels, fusion_views
from pipelines.plan import make_plan
from pipelines.stage_one import channels_of, electorate_of
from pipelines.stage_one_weights import WORDS
from retrieval.channels import rescored
from retrieval.lexical import TfidfRetriever

logger = logging.getLogger("pipelines.benchmark")


class Lists:
    """Scores lists of candidates anew."""

    def __init__(self, job: Job, folder: Path) -> None:
        self.job = job
        self._views = fusion_views(job, folder)
        self._words = TfidfRetriever(job.bank, job.forms.query, job.forms.entry)

    def features(
        self, queries: Sequence[Query], memory: Sequence[Question], lists: Sequence[Ranking]
    ) -> list[FloatArray]:
        electorate = electorate_of(self.job, queries, memory)
        channels = channels_of(self._views, queries, electorate, None)
        return channels.features(lists, {WORDS: self._words.retrieve(queries, top_n=len(self.job.bank))})


def main() -> None:
    parser = options_parser(__doc__ or "")
    parser.add_argument("--lists", required=True, help="the folds' folders, {fold} for the number")
    options = parser.parse_args()
    set_up_logging(0)
    job = job_of(options, ["fusion.method=learned"])
    lists = Lists(job, options.output)
    rows = []
    for fold, split in enumerate(question_folds(job.train, k=5, seed=job.settings.split.seed)):
        before, after = run_fold(job, lists, split.train, split.validation, options, fold)
        seen = seen_labels(split.train)
        labels = {query.key: query.labels for query in job.queries(split.validation, labelled_only=True)}
        known = np.array([not seen.isdisjoint(labels[ranking.key]) for ranking in before])
        row = {"fold": fold}
        for name, run in (("before", before), ("after", after)):
            precision, recall = average_precisions(run, labels), recalls(run, labels, k=25)
            row[name] = {
                "map@25": float(precision.mean()),
                "seen": float(precision[known].mean()),
                "unseen": float(precision[~known].mean()),
                "recall@25": float(recall.mean()),
            }
        rows.append(row)
    means = {
        name: {measure: round(float(np.mean([row[name][measure] for row in rows])), 4) for measure in rows[0][name]}
        for name in ("before", "after")
    }
    result = {
        "folds": rows,
        "means": means,
        "fusion": job.settings.fusion.model_dump(mode="json"),
        "made_by": made_by(),
    }
    options.output.mkdir(parents=True, exist_ok=True)
    write_json(options.output / "learned_fusion.json", result)
    sys.stdout.writelines(f"{name}: {values}\n" for name, values in means.items())


def run_fold(
    job: Job,
    lists: Lists,
    train: Sequence[Question],
    scored: Sequence[Question],
    options: argparse.Namespace,
    fold: int,
) -> tuple[list[Ranking], list[Ranking]]:
    """Fit on the fold's held-out part, write what is scored anew; return the scored queries' lists before and after."""
    source, work = (Path(pattern.format(fold=fold)) for pattern in (options.lists, options.work))
    plan = make_plan(job, train)

    def given(name: str, queries: Sequence[Query]) -> list[Ranking]:
        found = {ranking.key: ranking for ranking in read_rankings(source / name)}
        return [found[query.key] for query in queries]

    top = job.settings.candidates
    held_out = given("validation_candidates.parquet", plan.queries)
    features = lists.features(plan.queries, plan.fit, held_out)

    def fitted(half: int | None) -> FloatArray:
        chosen = plan.rows(half)
        return fitted_channels(
            job,
            [features[row] for row in chosen],
            [held_out[row] for row in chosen],
            [plan.queries[row] for row in chosen],
            [plan.unseen[row] for row in chosen],
        )

    weights = {half: fitted(half) for half in (None, 0, 1)}
    queries = job.queries(scored, labelled_only=True)
    before = given("candidates.parquet", queries)
    after = rescored(before, lists.features(queries, train, before), weights[None], top=top)
    work.mkdir(parents=True, exist_ok=True)
    write_rankings(work / "candidates.parquet", after)
    crossed = [
        rescored([held_out[row]], [features[row]], weights[1 - half], top=top)[0] for row, half in enumerate(plan.half)
    ]
    write_rankings(work / "validation_candidates.parquet", crossed)
    if (source / "out_of_fold.parquet").is_file():
        training, found = job.settings.reranker_training, {}
        for part in question_folds(plan.fit, k=training.folds, seed=training.seed):
            own = job.queries(part.validation, labelled_only=True)
            old = given("out_of_fold.parquet", own)
            new = rescored(old, lists.features(own, part.train, old), weights[None], top=top)
            found |= {ranking.key: ranking for ranking in new}
        order = [query.key for query in job.queries(plan.fit, labelled_only=True)]
        write_rankings(work / "out_of_fold.parquet", [found[key] for key in order])
    return before, after


if __name__ == "__main__":
    main()
