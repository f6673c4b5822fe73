"""The report of a run, made from what was measured."""

from collections.abc import Sequence
from pathlib import Path

from core.records import Misconception
from eval.examples import Examples
from eval.report import DataWarning, Report, Section, write_report
from eval.subjects import map_by_subject
from pipelines.measures import Measured


def write_run_report(
    path: Path,
    measured: Measured,
    bank: Sequence[Misconception],
    *,
    title: str,
    provenance: Sequence[tuple[str, str]],
    warnings: Sequence[tuple[str, int]] = (),
    sections: Sequence[Section] = (),
) -> None:
    """Write `report.html` for the runs measured; the last one is the one to leaf through.

    Args:
        path: The file.
        measured: The numbers and rankings.
        bank: The misconceptions.
        title: The heading.
        provenance: (name, value) lines at the top.
        warnings: (what, how often) of the data.
        sections: Further sections.
    """
    last = list(measured.rankings[measured.runs[-1].name])
    write_report(
        path,
        Report(
            title=title,
            provenance=tuple(provenance),
            runs=measured.runs,
            comparisons=measured.comparisons,
            subjects=map_by_subject(measured.queries, last, measured.labels),
            budget=measured.budget,
            warnings=tuple(DataWarning(text=text, count=count) for text, count in warnings),
            examples=Examples(queries=measured.queries, rankings=last, bank=bank, seen=measured.seen),
            sections=tuple(sections),
        ),
    )
