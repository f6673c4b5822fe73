"""The summary of a synthesis run: on the terminal, as JSON, and as a page."""

from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from core.artifacts import write_json
from eval.report import Report, Section, write_report
from pipelines.judged_judge import JudgeQuality
from synth.costs import Spent, total_of
from synth.judge import CHECK_TASK
from synth.outcomes import Summary


def summary_json(summary: Summary, judge: JudgeQuality | None) -> dict[str, Any]:
    """Return the summary and what the judge is worth, JSON-able."""
    told = None if judge is None else judge.facts()
    return {**asdict(summary), "total_costs": {of: asdict(spent) for of, spent, _ in _totals(summary)}, "judge": told}


def summary_text(summary: Summary, judge: JudgeQuality | None) -> str:
    """Return the summary and what the judge is worth for the terminal."""
    cover = summary.coverage
    kept = f"{summary.accepted} accepted ({_share(summary.accepted, summary.attempts)})"
    lines = [
        f"{summary.attempts} attempts at rows: {kept}, {summary.attempts - summary.accepted} rejected",
        *(f"  {count:>7}  {reason}" for reason, count in summary.rejected.items()),
        "",
        f"{'cost':<{_WIDTH}}{'requests':>10}{'failed':>8}{'tokens in':>12}{'tokens out':>12}{'seconds':>10}",
        *(_line(f"  {task}", spent) for task, spent in summary.costs.these_settings.items()),
        *(_line(told, spent) for _, spent, told in _totals(summary)),
        f"{summary.asked_now} requests sent now, {summary.reused} found answered"
        + (f"; {summary.unused} in the ledger are of other settings" if summary.unused else ""),
        "",
        f"coverage of the bank: {cover.real} of {cover.bank} misconceptions have a real example "
        f"({_share(cover.real, cover.bank)}), {cover.real_or_made} a real or a made one "
        f"({_share(cover.real_or_made, cover.bank)}); {cover.newly} are new",
        f"rows were asked for {cover.wanted} misconceptions; {cover.reached} have as many as were wanted at least",
    ]
    rows = total_of(summary.costs.these_settings, without=(CHECK_TASK,))
    if summary.accepted and rows.output_tokens:
        each = rows.output_tokens / summary.accepted
        lines.append(f"a kept row cost {each:,.0f} output tokens and {rows.seconds / summary.accepted:.1f} s")
    if judge is not None:
        lines += ["", judge.text()]
    return "\n".join(lines)


def write_summary(
    folder: Path,
    summary: Summary,
    judge: JudgeQuality | None,
    *,
    title: str,
    provenance: Sequence[tuple[str, str]],
) -> None:
    """Write `summary.json` and `summary.html`."""
    write_json(folder / "summary.json", summary_json(summary, judge))
    report = Report(title=title, provenance=tuple(provenance), sections=(summary_section(summary, judge),))
    write_report(folder / "summary.html", report)


def summary_section(summary: Summary, judge: JudgeQuality | None) -> Section:
    """Return the summary as a section of a report."""
    cover = summary.coverage
    facts = [
        ("attempts at rows", summary.attempts),
        ("accepted", summary.accepted),
        *((f"rejected, {reason}", count) for reason, count in summary.rejected.items()),
        ("misconceptions in the bank", cover.bank),
        ("with a real example", cover.real),
        ("with a real or a made example", cover.real_or_made),
    ]
    spent = [*summary.costs.these_settings.items(), *((told, total) for _, total, told in _totals(summary))]
    head = ("cost", "requests", "failed", "tokens in", "tokens out", "seconds")
    rows = [
        (task, one.requests, one.failed, one.prompt_tokens, one.output_tokens, f"{one.seconds:.1f}")
        for task, one in spent
    ]
    told = "" if judge is None else f"<pre>{escape(judge.text())}</pre>"
    return Section(title="Made rows", html=_table(("", "count"), facts) + _table(head, rows) + told)


_WIDTH = 34


def _totals(summary: Summary) -> tuple[tuple[str, Spent, str], ...]:
    """Return the sums over the tasks: (name in `summary.json`, sum, what people are told)."""
    costs = summary.costs
    return (
        ("these_settings", total_of(costs.these_settings), "these settings, now or before"),
        ("this_run", total_of(costs.this_run), "of these in this run"),
        ("all_runs", total_of(costs.all_runs), "all runs, other settings included"),
    )


def _line(task: str, spent: Spent) -> str:
    return (
        f"{task:<{_WIDTH}}{spent.requests:>10}{spent.failed:>8}{spent.prompt_tokens:>12,}{spent.output_tokens:>12,}"
        f"{spent.seconds:>10.1f}"
    )


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "–"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"
