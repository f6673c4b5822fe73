"""Skip share against MAP@25: how many second orders a listwise model can do without, from stored order scores.

    python benchmarks/adaptive_curve.py --name NAME --scores RUN/ORDER_SCORES.parquet --train TRAIN.csv \
        --output OUT.jsonl [--candidates RUN/candidates.parquet --weight 0.5]

The scores are what a run with all orders left (its queries must be in TRAIN, labelled). With --candidates the reranker
is fused with stage 1 at --weight before anything is measured. Questions are cut in two halves: slot bias and threshold
are fitted on one and used on the other. One line of JSON is appended.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from core.artifacts import made_by
from core.fusion import fuse_with_stage_one
from core.order_scores import OrderScores
from core.order_scores_table import read_order_scores
from core.records import FloatArray, Ranking, queries_of
from core.tables import read_questions, read_rankings
from eval.metrics import average_precisions
from rerank.adaptive import fit_adaptive, fit_margin_threshold
from rerank.listwise_run import QueryScores
from rerank.orders import average_orders
from rerank.slot_bias import margin

Labels = Mapping[str, Sequence[int]]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One query: its first order's margin, average precision after it and after all, what the other half's fit says."""

    margin: float
    first: float
    whole: float
    skipped: bool


def main() -> None:
    options = _options()
    labels = {
        query.key: query.labels for query in queries_of(read_questions(options.train).questions, labelled_only=True)
    }
    stage_one = {r.key: r for r in read_rankings(options.candidates)} if options.candidates else None
    queries = [query for query in by_query(read_order_scores(options.scores)) if labels.get(query.key)]
    rows = rows_of(queries, labels, stage_one, weight=options.weight, tolerance=options.tolerance)
    result = {"name": options.name, "fused_at": options.weight if stage_one else None, **curve_of(rows)}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with options.output.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({**result, "tolerance": options.tolerance, "made_by": made_by()}) + "\n")
    sys.stdout.write(f"{options.name}: {result['queries']} queries\n  skipped   MAP@25\n")
    sys.stdout.writelines(f"  {share:7.0%}   {score:.4f}\n" for share, score in result["curve"])
    sys.stdout.write(f"  the other half's threshold: {result['skipped']:.0%} skipped, {result['fitted']:.4f}\n")


def by_query(records: Sequence[OrderScores]) -> list[QueryScores]:
    """Return the queries that were asked whole in two orders or more."""
    found: dict[str, list[OrderScores]] = defaultdict(list)
    for record in records:
        found[record.key].append(record)
    queries = []
    for key, unsorted in found.items():
        orders = sorted(unsorted, key=lambda record: record.order)
        ids = orders[0].ids
        if len(orders) < 2 or any(o.window or set(o.ids.tolist()) != set(ids.tolist()) for o in orders):
            continue
        place = {id: number for number, id in enumerate(ids.tolist())}
        by_place = [order.logprobs[np.argsort([place[id] for id in order.ids.tolist()])] for order in orders]
        queries.append(
            QueryScores(
                key=key,
                ids=ids,
                logprobs=average_orders(np.stack(by_place), space="log"),
                none_logprob=None,
                orders=tuple(orders),
                skipped=0,
                prompt_tokens=0,
                cut_tokens=0,
            )
        )
    return queries


def rows_of(
    queries: Sequence[QueryScores],
    labels: Labels,
    stage_one: Mapping[str, Ranking] | None,
    *,
    weight: float,
    tolerance: float,
) -> list[Row]:
    """Measure every query with slot biases and a threshold fitted on the other half of the questions."""

    def precision(rankings: Sequence[Ranking]) -> FloatArray:
        mixed = list(rankings)
        if stage_one is not None:
            mixed = fuse_with_stage_one([stage_one[ranking.key] for ranking in mixed], mixed, weight=weight)
        return average_precisions(mixed, {ranking.key: labels[ranking.key] for ranking in mixed})

    halves: tuple[list[QueryScores], list[QueryScores]] = ([], [])
    for query in queries:
        halves[sha256(query.key.rpartition("_")[0].encode()).digest()[0] % 2].append(query)
    if not all(halves):
        raise SystemExit(f"expected labelled queries of several questions, asked in two orders; got {len(queries)}")
    rows = []
    for measured, fitted_on in (halves, halves[::-1]):
        policy, _ = fit_adaptive(fitted_on, precision, tolerance=tolerance)
        known = [query for query in measured if len(query.ids) in policy.slot_bias]
        debiased = [policy.debias(query.orders[0].logprobs) for query in known]
        first = precision(
            [Ranking.from_scores(q.key, q.orders[0].ids, values) for q, values in zip(known, debiased, strict=True)]
        )
        whole = precision([Ranking.from_scores(query.key, query.ids, query.logprobs) for query in known])
        rows += [
            Row(margin=margin(values), first=float(one), whole=float(every), skipped=policy.is_sure(values))
            for values, one, every in zip(debiased, first, whole, strict=True)
        ]
    return rows


def curve_of(rows: Sequence[Row]) -> dict[str, Any]:
    """Return MAP@25 at twenty shares of skipped further orders, and with each half's threshold on the other half."""
    first, whole = [row.first for row in rows], [row.whole for row in rows]
    curve = fit_margin_threshold([row.margin for row in rows], first, whole).curve
    shares = np.array([point[0] for point in curve])
    places = [int(np.argmin(np.abs(shares - share))) for share in np.linspace(0, 1, 21)]
    return {
        "queries": len(rows),
        "all_orders": float(np.mean(whole)),
        "first_order": float(np.mean(first)),
        "curve": [[round(curve[place][0], 4), round(curve[place][1], 5)] for place in places],
        "skipped": float(np.mean([row.skipped for row in rows])),
        "fitted": float(np.mean([row.first if row.skipped else row.whole for row in rows])),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True, help="what the line is called")
    parser.add_argument("--scores", type=Path, required=True)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--candidates", type=Path)
    parser.add_argument("--weight", type=float, default=0.5, help="the reranker's share in the fusion")
    parser.add_argument("--tolerance", type=float, default=0.001, help="MAP@25 that may be lost")
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
