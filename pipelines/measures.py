"""Runs side by side: metrics, paired tests and the loss budget of one set of queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from core.records import Query, Ranking
from eval.budget import LossBudget, loss_budget
from eval.evaluation import compare, evaluate
from eval.metrics import recall_curve
from eval.report import Comparison, RunResult


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """What was measured.

    Attributes:
        queries: The labelled queries.
        seen: The labels with a training example.
        runs: The runs in the order of the columns, each with its numbers.
        rankings: The rankings behind them, by the run's name.
        comparisons: Paired tests of each run against the one before it, and of the last against every other.
        budget: Of the last run.
    """

    queries: tuple[Query, ...]
    seen: frozenset[int]
    runs: tuple[RunResult, ...]
    rankings: Mapping[str, list[Ranking]]
    comparisons: tuple[Comparison, ...]
    budget: LossBudget

    @property
    def labels(self) -> dict[str, tuple[int, ...]]:
        """True labels by key."""
        return {query.key: query.labels for query in self.queries}

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers for metrics.json, rounded to 6 decimals."""
        return {
            "queries": len(self.queries),
            "runs": {run.name: run.evaluation.to_json() for run in self.runs},
            "comparisons": [comparison_json(item) for item in self.comparisons],
            "loss_budget": self.budget.to_json(),
        }


def comparison_json(item: Comparison) -> dict[str, Any]:
    """Return a paired test as plain numbers, rounded to 6 decimals."""
    test = item.test
    return {
        "first": item.first,
        "second": item.second,
        "difference": round(test.difference, 6),
        "low": round(test.low, 6),
        "high": round(test.high, 6),
        "p": round(test.p, 6),
    }


def measure(
    rankings: Mapping[str, Sequence[Ranking]],
    queries: Sequence[Query],
    *,
    candidates: str,
    seen: frozenset[int],
    resamples: int,
) -> Measured:
    """Measure several runs over the same labelled queries.

    Args:
        rankings: Name of the run -> its rankings, in the order of the columns; further queries are left out.
        queries: The queries; those without a label are left out.
        candidates: The name of the run that the loss budget takes as stage 1.
        seen: The labels with a training example.
        resamples: Resamples of the bootstrap intervals.
    """
    asked = tuple(query for query in queries if query.labels)
    labels = {query.key: query.labels for query in asked}
    kept = {name: [ranking for ranking in run if ranking.key in labels] for name, run in rankings.items()}
    runs = [
        RunResult(
            name=name,
            evaluation=evaluate(run, labels, seen=seen, resamples=resamples),
            curve=recall_curve(run, labels, depth=min(100, max(len(ranking) for ranking in run))).tolist(),
        )
        for name, run in kept.items()
    ]
    tests = [
        Comparison(first=second, second=first, test=compare(kept[second], kept[first], labels))
        for first, second in _pairs(list(kept))
    ]
    return Measured(
        queries=asked,
        seen=seen,
        runs=tuple(runs),
        rankings=kept,
        comparisons=tuple(tests),
        budget=loss_budget(kept[candidates], kept[runs[-1].name], labels),
    )


def _pairs(names: list[str]) -> list[tuple[str, str]]:
    """Return (earlier, later) of neighbouring runs, then of the last run against each that is not its neighbour."""
    return [*pairwise(names), *((name, names[-1]) for name in names[:-2])]


def table(measured: Measured) -> str:
    """Return a terminal table: a line a run, MAP@25 with its interval, seen, unseen, recall@25."""
    width = max(len(run.name) for run in measured.runs)
    lines = [f"  {'':<{width}}  {'MAP@25':>6}  {'95 % interval':<15}  {'seen':>6}  {'unseen':>6}  {'recall@25':>9}"]
    for run in measured.runs:
        scores = run.evaluation
        recall = scores.overall.recall(25)
        cells = [
            f"{scores.map25.value:6.4f}",
            f"{scores.map25.low:.4f} – {scores.map25.high:.4f}",
            f"{scores.seen.map25.value:6.4f}" if scores.seen else "     –",
            f"{scores.unseen.map25.value:6.4f}" if scores.unseen else "     –",
            f"{recall.value:9.4f}" if recall else "        –",
        ]
        lines.append(f"  {run.name:<{width}}  " + "  ".join(cells))
    return "\n".join(lines)
