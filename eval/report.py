"""The report: one HTML file that needs no network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.artifacts import atomic_path
from eval.budget import LossBudget
from eval.charts import Bar, Curve, colour_of, interval_chart, recall_chart
from eval.evaluation import Evaluation, Scores
from eval.examples import Examples, to_payload
from eval.intervals import PairedTest
from eval.subjects import SubjectScore

_SUBJECTS_OPEN = 20
"""Subjects shown at once; the rest unfolds on a click."""


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """One run of those set side by side.

    Attributes:
        name: As shown, e.g. "zero-shot", "trained", "reranked".
        evaluation: Its numbers.
        curve: Recall at 1, 2, 3 … (`eval.metrics.recall_curve`); empty to draw the depths of `evaluation`.
    """

    name: str
    evaluation: Evaluation
    curve: Sequence[float] = ()


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The paired test of two runs' MAP@25: `test.difference` is `first` minus `second`."""

    first: str
    second: str
    test: PairedTest


@dataclass(frozen=True, kw_only=True)
class DataWarning:
    """Something odd in the data, and how often it occurs."""

    text: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Section:
    """A section of its own at the end of the report.

    Attributes:
        title: Plain text.
        html: HTML, put in as it is: whoever makes it escapes what comes from data.
    """

    title: str
    html: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """All a report shows; a part that is empty or None is left out.

    Attributes:
        title: Heading.
        provenance: (name, value) lines: data set, models, commit, and how the numbers were obtained ("held-out test
            labels", "validation part held out of the training file").
        runs: The runs, in the order of the columns.
        comparisons: Paired tests between runs.
        subjects: MAP@25 by subject of the last run.
        budget: Loss budget of the last run.
        warnings: Oddities of the data.
        examples: Queries to leaf through, ranked by the last run.
        sections: Further sections (bias, calibration).
    """

    title: str
    provenance: Sequence[tuple[str, str]]
    runs: Sequence[RunResult] = ()
    comparisons: Sequence[Comparison] = ()
    subjects: Sequence[SubjectScore] = ()
    budget: LossBudget | None = None
    warnings: Sequence[DataWarning] = ()
    examples: Examples | None = None
    sections: Sequence[Section] = ()


def write_report(path: Path, report: Report) -> None:
    """Write the report as one HTML file, in one step.

    The page loads nothing from anywhere (its content security policy forbids it) and shows every text of the data as
    text. Equal reports give equal bytes.

    Args:
        path: The file; its folder exists.
        report: What to show.

    Raises:
        InputError: An example lacks its ranking or a name.
    """
    page = render_report(report)
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")


def render_report(report: Report) -> str:
    """Return the page that `write_report` writes."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    slices = _slices(report.runs)
    return environment.get_template("report.html.jinja").render(
        report=report,
        colours=[colour_of(place) for place in range(len(report.runs))],
        table=_table(report.runs),
        slices=slices,
        interval_svg=Markup(_interval_svg(report.runs, slices)),
        recall_svg=Markup(recall_chart([_curve(run) for run in report.runs])),
        subjects_open=report.subjects[:_SUBJECTS_OPEN],
        subjects_more=report.subjects[_SUBJECTS_OPEN:],
        payload=Markup(to_payload(report.examples)) if report.examples else None,
        sections=[(section.title, Markup(section.html)) for section in report.sections],
    )


def _slice(run: RunResult, name: str) -> Scores | None:
    return {"all": run.evaluation.overall, "seen": run.evaluation.seen, "unseen": run.evaluation.unseen}[name]


def _slices(runs: Sequence[RunResult]) -> list[str]:
    return [name for name in ("all", "seen", "unseen") if any(_slice(run, name) for run in runs)]


def _interval_svg(runs: Sequence[RunResult], slices: Sequence[str]) -> str:
    rows = []
    for name in slices:
        found = [(run.name, _slice(run, name)) for run in runs]
        rows.append([Bar(name=run, measure=scores.map25 if scores else None) for run, scores in found])
    return interval_chart(rows, slices)


def _table(runs: Sequence[RunResult]) -> list[dict[str, object]]:
    """Return the rows of the table of measures: name, slice, n, and a Measure or None for each run."""
    rows: list[dict[str, object]] = []
    for name in _slices(runs):
        scores = [_slice(run, name) for run in runs]
        n = max(found.n for found in scores if found)
        rows.append({"slice": name, "name": "MAP@25", "n": n, "cells": [found and found.map25 for found in scores]})
        for k in sorted({recall.k for found in scores if found for recall in found.recalls}):
            cells = [found.recall(k) if found else None for found in scores]
            rows.append({"slice": name, "name": f"recall@{k}", "n": n, "cells": cells})
    return rows


def _curve(run: RunResult) -> Curve:
    points = list(enumerate(run.curve, start=1)) or [
        (recall.k, recall.measure.value) for recall in run.evaluation.recalls
    ]
    return Curve(name=run.name, points=tuple((depth, float(value)) for depth, value in points))
