"""Rerankers side by side: one row a reranker and way of using it, as terminal table, CSV, JSON and HTML."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

from core.records import Query, Ranking
from eval.evaluation import Evaluation, compare
from eval.intervals import PairedTest
from eval.report import Comparison, Section
from pipelines.measures import Measured, measure
from pipelines.scoring import ScoringFacts
from pipelines.stage_two import StageTwoWeights

Costs = Mapping[str, ScoringFacts | None]

STAGE_ONE = "stage 1"
ALONE, FUSED, WITH_PRIOR = "alone", "fused", "fused + prior"
ALL_ORDERS = "fused, all orders"
SEARCHED_TWICE = "searched twice"
NONE = "–"
HEADS = ("reranker", "used", "weight", "prior", "MAP@25", "95 % interval", "seen", "unseen", "difference", "p")
COSTS = ("queries/s", "tokens/query", "cached", "cut", "GPU-s/1,000")
_CSV = (
    *("reranker", "used", "weight_half0", "weight_half1", "prior_half0", "prior_half1", "map@25", "low", "high"),
    *("seen", "unseen", "difference", "difference_low", "difference_high", "p"),
    *("queries_per_second", "prompt_tokens_per_query", "cached_token_share", "cut_queries"),
    "gpu_seconds_per_1000_queries",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Variant:
    """One reranker used in one way.

    Attributes:
        reranker: Its SPEC, or `STAGE_ONE` for the candidates as they are.
        used: `SEARCHED_TWICE` (stage 1 with what its description found), `ALONE` (weight 1), `FUSED` (with stage 1, no
            prior), `ALL_ORDERS` (the same, where a policy leaves some out otherwise) or `WITH_PRIOR`.
        weights: The weights that the first and the second half were scored with; each was fitted on the other.
        rankings: Its rankings of the scored queries.
    """

    reranker: str
    used: str
    weights: tuple[StageTwoWeights, StageTwoWeights]
    rankings: Sequence[Ranking]

    @property
    def name(self) -> str:
        """Its name among the runs of a report."""
        return self.reranker if self.reranker == STAGE_ONE else f"{self.reranker}, {self.used}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """A variant with its numbers.

    Attributes:
        variant: The variant.
        evaluation: Its measures.
        test: Its MAP@25 minus the reference's, paired; None for the reference itself.
    """

    variant: Variant
    evaluation: Evaluation
    test: PairedTest | None

    def cells(self) -> list[str]:
        """Return the row as texts, in the order of `HEADS`."""
        scores = self.evaluation
        interval = f"{scores.map25.low:.4f} {NONE} {scores.map25.high:.4f}"
        difference = [f"{self.test.difference:+.4f}", f"{self.test.p:.4f}"] if self.test else [NONE, NONE]
        weight, prior = ("/".join(f"{value:g}" for value in pair) for pair in self._weights())
        parts = [f"{part.map25.value:.4f}" if part else NONE for part in (scores.seen, scores.unseen)]
        named = [self.variant.reranker, self.variant.used, weight, prior]
        return [*named, f"{scores.map25.value:.4f}", interval, *parts, *difference]

    def values(self) -> list[str | float | None]:
        """Return the row for the CSV, numbers rounded to 6 decimals."""
        scores, test = self.evaluation, self.test
        numbers: list[float | None] = [scores.map25.value, scores.map25.low, scores.map25.high]
        numbers += [part.map25.value if part else None for part in (scores.seen, scores.unseen)]
        numbers += [test.difference, test.low, test.high, test.p] if test else [None] * 4
        weights, priors = self._weights()
        rounded = [None if value is None else round(value, 6) for value in numbers]
        return [self.variant.reranker, self.variant.used, *weights, *priors, *rounded]

    def _weights(self) -> tuple[tuple[float, float], tuple[float, float]]:
        first, second = self.variant.weights
        return (first.weight, second.weight), (first.prior, second.prior)


@dataclass(frozen=True, kw_only=True, eq=False)
class Ablation:
    """What was measured.

    Attributes:
        measured: All variants as runs, for the report; each compared with the reference.
        rows: The same as rows.
        reference: Name of the run that differences are taken from.
    """

    measured: Measured
    rows: tuple[Row, ...]
    reference: str

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers for metrics.json; the same bytes for the same rankings."""
        weights = {
            row.variant.name: [weights.to_json() for weights in row.variant.weights]
            for row in self.rows
            if row.variant.reranker != STAGE_ONE
        }
        return {**self.measured.to_json(), "reference": self.reference, "weights_by_half": weights}


def ablate(
    variants: Sequence[Variant],
    queries: Sequence[Query],
    *,
    reference: str,
    seen: frozenset[int],
    resamples: int,
    candidates: str = STAGE_ONE,
) -> Ablation:
    """Measure variants over the same labelled queries.

    Args:
        variants: The variants, with different names; the run that holds stage 1's order is the first of `STAGE_ONE`.
        queries: The queries.
        reference: Name of the variant that the others are compared with.
        seen: The labels with a training example.
        resamples: Resamples of the bootstrap intervals.
        candidates: Name of the run that holds the candidates of the last variant, for the loss budget.
    """
    runs = {variant.name: variant.rankings for variant in variants}
    measured = measure(runs, queries, candidates=candidates, seen=seen, resamples=resamples)
    found = measured.rankings
    tests = {name: compare(run, found[reference], measured.labels) for name, run in found.items() if name != reference}
    comparisons = tuple(Comparison(first=name, second=reference, test=test) for name, test in tests.items())
    rows = tuple(
        Row(variant=variant, evaluation=run.evaluation, test=tests.get(variant.name))
        for variant, run in zip(variants, measured.runs, strict=True)
    )
    return Ablation(measured=replace(measured, comparisons=comparisons), rows=rows, reference=reference)


def ablation_table(ablation: Ablation, costs: Costs) -> str:
    """Return the terminal table.

    Args:
        ablation: The rows.
        costs: What scoring took, by reranker; None where nothing was scored.
    """
    lines = [[*HEADS, *COSTS]]
    lines += [[*row.cells(), *cost_cells(costs.get(row.variant.reranker))] for row in ablation.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    texts = 2  # names to the left, numbers to the right
    return "\n".join(
        "  "
        + "  ".join(
            f"{cell:<{width}}" if column < texts else f"{cell:>{width}}"
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def cost_cells(facts: ScoringFacts | None) -> list[str]:
    """Return what scoring took as texts, in the order of `COSTS`."""
    values = zip(_costs(facts), (".1f", ".0f", ".0%", ".0f", ".1f"), strict=True)
    return [NONE if value is None else f"{value:{form}}" for value, form in values]


def _costs(facts: ScoringFacts | None) -> list[float | None]:
    if facts is None:
        return [None] * len(COSTS)
    cut = facts.cut_queries if facts.prompts else None
    return [facts.queries_per_second, facts.tokens_per_query, facts.cached_share, cut, facts.gpu_seconds]


def ablation_csv(ablation: Ablation, costs: Costs) -> str:
    """Return the rows as CSV text; an empty cell where there is no number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CSV)
    for row in ablation.rows:
        rounded = [None if value is None else round(value, 3) for value in _costs(costs.get(row.variant.reranker))]
        writer.writerow([*row.values(), *rounded])
    return text.getvalue()


def ablation_section(ablation: Ablation, costs: Costs) -> Section:
    """Return the table as a section of the report; every text is escaped."""
    head = "".join(f"<th>{escape(name)}</th>" for name in (*HEADS, *COSTS))
    lines = [[*row.cells(), *cost_cells(costs.get(row.variant.reranker))] for row in ablation.rows]
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>" for line in lines)
    how = (
        "How to read this: every reranker was given the same candidates. “Alone” is its own order of them, “fused” is "
        "mixed with stage 1, “prior” adds a number to entries without a training example. Weights and priors stand as "
        "first half/second half: each was fitted on the other half. Differences in MAP@25 are to "
        f"“{ablation.reference}”; p is of the paired randomisation test. Queries/s are those of the run that scored "
        "the candidates, opening the model left out; “cached” is the share of its prompt tokens that the prefix cache "
        "held, “cut” the queries whose question was shortened to keep to the longest prompt; GPU-s/1,000 are "
        "GPU-seconds per 1,000 queries."
    )
    table = f'<table class="data"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return Section(
        title="Rerankers on the same candidates",
        html=f'<p class="how">{escape(how)}</p><div class="scroll">{table}</div>',
    )
