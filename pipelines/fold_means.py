"""Means over folds: each measure's mean, with the smallest and largest fold beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eval.evaluation import Scores
from pipelines.measures import Measured


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One measure of one run: the mean of the folds (each counts alike), its lowest and highest fold."""

    part: str
    measure: str
    mean: float
    low: float
    high: float
    splits: int

    def rounded(self) -> list[float]:
        """Return mean, low and high, rounded to 6 decimals."""
        return [round(value, 6) for value in (self.mean, self.low, self.high)]


@dataclass(frozen=True, kw_only=True)
class FoldMean:
    """All measures of one run."""

    run: str
    cells: tuple[Cell, ...]

    def cell(self, part: str, measure: str) -> Cell | None:
        """Return one measure, or None where no fold has it."""
        return next((cell for cell in self.cells if (cell.part, cell.measure) == (part, measure)), None)

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers for metrics.json."""
        return {
            "run": self.run,
            "cells": [
                {"slice": cell.part, "measure": cell.measure, "splits": cell.splits}
                | dict(zip(("mean", "low", "high"), cell.rounded(), strict=True))
                for cell in self.cells
            ],
        }


def fold_means(folds: Sequence[Measured]) -> list[FoldMean]:
    """Return the means of every run over some folds, in the order of the runs."""
    means = []
    for place, run in enumerate(folds[0].runs):
        cells = []
        for part in ("all", "seen", "unseen"):
            parts = [_part(fold, place, part) for fold in folds]
            found = [scores for scores in parts if scores is not None]
            if not found:
                continue
            cells.append(_cell(part, "map@25", [scores.map25.value for scores in found]))
            for recall in found[0].recalls:
                values = [measure.value for scores in found if (measure := scores.recall(recall.k)) is not None]
                cells.append(_cell(part, f"recall@{recall.k}", values))
        means.append(FoldMean(run=run.name, cells=tuple(cells)))
    return means


def means_table(means: Sequence[FoldMean]) -> str:
    """Return a terminal table: a line a run."""
    columns = (
        ("MAP@25", "all", "map@25"),
        ("seen", "seen", "map@25"),
        ("unseen", "unseen", "map@25"),
        ("recall@25", "all", "recall@25"),
        ("unseen", "unseen", "recall@25"),
    )
    width = max(len(mean.run) for mean in means)
    lines = [f"  {'':<{width}}" + "".join(f"  {title:>9}" for title, _, _ in columns)]
    for mean in means:
        cells = [mean.cell(part, measure) for _, part, measure in columns]
        lines.append(
            f"  {mean.run:<{width}}" + "".join(f"  {cell.mean:9.4f}" if cell else f"  {'–':>9}" for cell in cells)
        )
    return "\n".join(lines)


def _part(fold: Measured, place: int, part: str) -> Scores | None:
    evaluation = fold.runs[place].evaluation
    return {"all": evaluation.overall, "seen": evaluation.seen, "unseen": evaluation.unseen}[part]


def _cell(part: str, measure: str, values: list[float]) -> Cell:
    mean = sum(values) / len(values)
    return Cell(part=part, measure=measure, mean=mean, low=min(values), high=max(values), splits=len(values))
