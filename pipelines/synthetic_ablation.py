"""What made texts and questions are worth: arms side by side on slices of the same queries, as table, CSV and HTML."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from core.records import Ranking
from eval.evaluation import Scores, compare, evaluate
from eval.intervals import PairedTest
from eval.report import Section

REAL = "real"
NONE = "–"
HEADS = ("slice", "arm", "queries", "MAP@25", "95 % interval", "recall@25", "to real", "95 % interval", "p")
HEADS_STEP = ("to the arm before", "p")
_CSV = (
    *("run", "slice", "arm", "queries", "questions", "map@25", "low", "high", "recall@25"),
    *("to_real", "to_real_low", "to_real_high", "to_real_p"),
    *("to_previous", "to_previous_low", "to_previous_high", "to_previous_p"),
)


@dataclass(frozen=True, kw_only=True)
class ArmRow:
    """One arm on one slice.

    Attributes:
        run: `stage 1`, or the retriever alone.
        part: The slice.
        arm: The arm.
        scores: Its measures.
        to_real: Its MAP@25 minus that of the first arm, paired; None for that arm.
        to_previous: Its MAP@25 minus that of the arm before it, paired; None for the first two.
    """

    run: str
    part: str
    arm: str
    scores: Scores
    to_real: PairedTest | None
    to_previous: PairedTest | None

    def cells(self) -> list[str]:
        """Return the row as texts, in the order of `HEADS` and `HEADS_STEP`."""
        point, recall = self.scores.map25, self.scores.recall(25)
        cells = [
            self.part,
            self.arm,
            str(self.scores.n),
            f"{point.value:.4f}",
            f"{point.low:.4f} {NONE} {point.high:.4f}",
        ]
        cells.append(f"{recall.value:.4f}" if recall else NONE)
        first, step = self.to_real, self.to_previous
        cells += [f"{first.difference:+.4f}", f"{first.low:+.4f} {NONE} {first.high:+.4f}"] if first else [NONE, NONE]
        cells.append(f"{first.p:.4f}" if first else NONE)
        cells += [f"{step.difference:+.4f}", f"{step.p:.4f}"] if step else [NONE, NONE]
        return cells

    def values(self) -> list[str | float | None]:
        """Return the row for the CSV, numbers rounded to 6 decimals."""
        recall = self.scores.recall(25)
        numbers: list[float | None] = [self.scores.map25.value, self.scores.map25.low, self.scores.map25.high]
        numbers.append(recall.value if recall else None)
        for test in (self.to_real, self.to_previous):
            numbers += [test.difference, test.low, test.high, test.p] if test else [None] * 4
        rounded = [None if value is None else round(value, 6) for value in numbers]
        return [self.run, self.part, self.arm, self.scores.n, self.scores.questions, *rounded]

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers for metrics.json."""
        return dict(zip(_CSV, self.values(), strict=True))


def arm_rows(
    run: str,
    arms: Mapping[str, Sequence[Ranking]],
    labels: Mapping[str, tuple[int, ...]],
    slices: Mapping[str, frozenset[str]],
    *,
    resamples: int,
) -> list[ArmRow]:
    """Measure arms on slices of the same queries.

    Args:
        run: What made the rankings.
        arms: Rankings of every labelled query by arm, the reference first.
        labels: True labels by query key.
        slices: Keys of the queries of each slice; an empty slice is left out.
        resamples: Of the bootstrap intervals.
    """
    rows = []
    for part, keys in slices.items():
        own = {key: labels[key] for key in labels if key in keys}
        if not own:
            continue
        found = {arm: [ranking for ranking in run_of if ranking.key in own] for arm, run_of in arms.items()}
        names = list(found)
        for place, arm in enumerate(names):
            rows.append(
                ArmRow(
                    run=run,
                    part=part,
                    arm=arm,
                    scores=evaluate(found[arm], own, resamples=resamples).overall,
                    to_real=compare(found[arm], found[names[0]], own) if place > 0 else None,
                    to_previous=compare(found[arm], found[names[place - 1]], own) if place > 1 else None,
                )
            )
    return rows


def arms_table(rows: Sequence[ArmRow]) -> str:
    """Return the terminal table of one run's rows."""
    lines = [[*HEADS, *HEADS_STEP], *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  "
        + "  ".join(
            f"{cell:<{width}}" if column < 2 else f"{cell:>{width}}"
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def arms_csv(rows: Sequence[ArmRow]) -> str:
    """Return all rows as CSV text; an empty cell where there is no number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CSV)
    writer.writerows(row.values() for row in rows)
    return text.getvalue()


def arms_section(rows: Sequence[ArmRow], *, run: str, how: str) -> Section:
    """Return one run's table as a section of the report; every text is escaped."""
    head = "".join(f"<th>{escape(name)}</th>" for name in (*HEADS, *HEADS_STEP))
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row.cells()) + "</tr>" for row in rows)
    table = f'<table class="data"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return Section(
        title=f"What made texts and questions are worth: {run}",
        html=f'<p class="how">{escape(how)}</p><div class="scroll">{table}</div>',
    )
