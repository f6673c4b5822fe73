"""The bias report of a run: order scores, probes on a seeded sample, honesty of the probabilities."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.artifacts import content_hash
from core.order_scores import OrderScores
from core.order_scores_table import read_order_scores, write_order_scores
from core.records import Query, Ranking
from eval.bias import Bias, measure_bias
from eval.bias_section import bias_section, calibration_section
from eval.calibration import Calibration, ranking_calibration
from eval.line_chart import Line, line_chart
from eval.report import Section
from pipelines.adaptive_stage import first_order_rankings
from pipelines.lm_reranker import open_language_model_reranker, pooled_engine
from pipelines.rerank_scores import TEST, VALIDATION
from pipelines.stage_two import tempered_rankings
from pipelines.stage_two_run import StageTwoRun
from rerank.listwise import ListwiseReranker
from rerank.listwise_plans import OrderPlan

_SEED = 20241023
"""Of the sample, and of the probe's random order: no order of a run uses it by chance."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Findings:
    """What is known of a language model's scores.

    Attributes:
        name: The reranker's.
        measured_on: Which queries, for people.
        bias: Of a listwise reranker; None for others.
        calibrations: How honest its probabilities are, without and with the fitted temperature; empty without labels.
        adaptive: How the margin for further orders was fitted; None where it was not.
    """

    name: str
    measured_on: str
    bias: Bias | None
    calibrations: dict[str, Calibration]
    adaptive: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers for metrics.json."""
        adaptive = self.adaptive and _without_policies(self.adaptive)
        return {
            "bias": self.bias.to_json() if self.bias else None,
            "calibration": {name: found.to_json() for name, found in self.calibrations.items()} or None,
            "adaptive": adaptive or None,
        }

    def sections(self) -> list[Section]:
        """Return the sections of the report."""
        found = []
        if self.bias is not None:
            found.append(bias_section(self.bias, name=self.name, measured_on=self.measured_on))
        if self.calibrations:
            found.append(calibration_section(self.calibrations, name=self.name))
        if self.adaptive and self.adaptive["curve"]:
            found.append(_adaptive_section(self.adaptive, self.name))
        return found


def _without_policies(fit: dict[str, Any]) -> dict[str, Any]:
    halves = [{key: value for key, value in half.items() if key != "policy"} for half in fit["halves"]]
    return {**{key: value for key, value in fit.items() if key != "policy"}, "halves": halves}


def findings(two: StageTwoRun, queries: Sequence[Query] | None, *, measured_on: str) -> Findings | None:
    """Measure bias and honesty of a reranker that reads a language model; None for other kinds.

    Args:
        two: The reranker's run.
        queries: Test queries; None takes the held-out part.
        measured_on: Which queries those are, for people.
    """
    if not two.chosen.reads_language_model:
        return None
    asked = list(two.stage_one.plan.queries) if queries is None else list(queries)
    labels = {query.key: query.labels for query in asked if query.labels}
    bias = None
    if two.chosen.kind == "listwise":
        orders = two.validation_orders() if queries is None else two.test_orders(asked)
        if orders:
            probe, again = _probes(two, asked, orders, test=queries is not None)
            once = two.validation_first_order
            if queries is not None:
                policy = two.policies.get(None)
                once = first_order_rankings(policy, orders) if policy else {}
            bias = measure_bias(
                orders, average=two.chosen.average, labels=labels, probe=probe, again=again, first_only=once
            )
    return Findings(
        name=two.spec,
        measured_on=measured_on,
        bias=bias,
        calibrations=_calibrations(two, asked, labels, test=queries is not None),
        adaptive=two.adaptive_fit,
    )


def _calibrations(
    two: StageTwoRun, queries: Sequence[Query], labels: dict[str, tuple[int, ...]], *, test: bool
) -> dict[str, Calibration]:
    raw = two.reranked_test(queries) if test else two.validation_ranked()
    runs = {"as the model gave it": raw}
    if two.chosen.fit_temperature:
        if test:
            temperature = two.weights[None].temperature
            runs[f"at the fitted temperature {temperature:.3g}"] = tempered_rankings(two.chosen, raw, temperature)
        else:
            given = "/".join(f"{two.weights[half].temperature:.3g}" for half in (1, 0))
            runs[f"at the fitted temperatures {given}"] = two.validation_tempered()
    found = {name: ranking_calibration(rankings, labels) for name, rankings in runs.items()}
    return {name: one for name, one in found.items() if one is not None}


def _probes(
    two: StageTwoRun, queries: Sequence[Query], orders: Sequence[OrderScores], *, test: bool
) -> tuple[list[OrderScores], list[OrderScores]]:
    """Score a sample in a random order, and once more as it was but in other company; kept as artifacts.

    Not under a time limit: the time belongs to the queries.
    """
    sample = _sample(two, queries, {record.key for record in orders})
    if not sample or two.scores.time.limit.is_set:
        return [], []
    candidates = two.scores.test_candidates(queries) if test else two.scores.validation_candidates()
    by_key = {ranking.key: ranking for ranking in two.scores.cut(candidates)}
    cut = [by_key[query.key] for query in sample]
    name = TEST if test else VALIDATION
    made_from = {
        **two.scores.made_from(queries, candidates),
        "sample": content_hash([query.key for query in sample]),
        "seed": _SEED,
    }
    random_order = OrderPlan(kind="random", count=1, seed=_SEED, space=two.chosen.average)
    return (
        _kept(two, f"bias_probe-{name}", made_from, lambda: _scored(two, sample, cut, random_order)),
        _kept(two, f"bias_again-{name}", made_from, lambda: _scored(two, sample, cut, None)),
    )


def _sample(two: StageTwoRun, queries: Sequence[Query], asked: set[str]) -> list[Query]:
    """Draw the sample, in an order that is not the run's: at most a fifth of the queries, eight at least."""
    known = [query for query in queries if query.key in asked]
    size = min(two.chosen.bias_sample, max(8, len(known) // 5), len(known))
    rows = np.random.default_rng(_SEED).permutation(len(known))[:size].tolist()
    return [known[row] for row in rows]


def _scored(
    two: StageTwoRun, queries: Sequence[Query], candidates: Sequence[Ranking], orders: OrderPlan | None
) -> list[OrderScores]:
    engine = pooled_engine(two.job, two.chosen, two.scores.pool)
    plain = two.chosen.model_copy(update={"adaptive": type(two.chosen.adaptive)()})
    # No store: it would give back the very scores that are to be compared.
    reranker = open_language_model_reranker(two.job, plain, engine, store=None, orders=orders)
    reranker.rerank(queries, candidates, two.job.bank)
    if not isinstance(reranker, ListwiseReranker) or reranker.last_run is None:
        return []
    return list(reranker.last_run.orders)


def _kept(
    two: StageTwoRun, name: str, made_from: dict[str, Any], make: Callable[[], list[OrderScores]]
) -> list[OrderScores]:
    def write(path: Path) -> None:
        write_order_scores(path, make())

    path = two.stages.artifact(f"{name}-{two.scores.name}.parquet", {"artifact": name, **made_from}, write)
    return read_order_scores(path)


def _adaptive_section(fit: dict[str, Any], name: str) -> Section:
    how = (
        "How to read this: queries are asked in one order only, those with the widest margin first. The height is "
        "MAP@25 on the held-out part, fused with stage 1, at each share of queries so treated. The margin that is used "
        f"skips {100 * fit['skip_share']:.0f} % of them at {fit['map_at_share']:.4f} ({fit['map_all_orders']:.4f} with "
        f"all orders, {fit['map_first_order']:.4f} with the first alone)."
    )
    line = Line(name="MAP@25", points=tuple((100 * share, score) for share, score, _ in fit["curve"]))
    chart = line_chart(
        [line], title="MAP@25 by share", x_label="% of queries asked once", y_label="held-out part", from_zero=False
    )
    return Section(title=f"Adaptive orders: {name.replace('<', '‹')}", html=f'<p class="how">{how}</p>{chart}')
