"""What the gate found, to read: lines for the terminal, and the report with its worst queries."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from core.records import Misconception, Question
from eval.report import Section
from eval.splits import seen_labels
from pipelines.gate_stage import Gated
from pipelines.measures import measure
from pipelines.report import write_run_report
from rerank.quantization_gate import GateResult

BEFORE, AFTER = "16-bit", "quantised"


def gate_lines(result: GateResult) -> list[str]:
    """Return the numbers and the verdict, a line each."""
    asked = result.thresholds
    lines = [
        f"{result.queries} held-out queries, {result.prompts} prompts, the reranker alone:",
        f"  MAP@25            {result.before:.4f} -> {result.after:.4f}: {result.delta:+.4f} (95 % interval "
        f"{result.low:+.4f} to {result.high:+.4f}); accepted from {asked.map_delta:+.4f}",
        f"  same best label   {result.agreement:.1%} of the prompts; accepted from {asked.agreement:.1%}",
        f"  KL over labels    {result.divergence:.4f} nat a prompt, at most {result.largest_divergence:.4f}",
        f"  verdict           {'accepted' if result.accepted else 'refused'}",
    ]
    if not result.is_sure:
        lines.append("  the interval reaches over what is accepted: measure more queries (quantization.queries)")
    return lines


def gate_section(gated: Gated, bank: Sequence[Misconception]) -> Section:
    """Return the gate as a section of the report; every text is escaped."""
    names = {entry.id: entry.name for entry in bank}
    texts = {query.key: query for query in gated.queries}
    result = gated.result
    why = "".join(f"<li>{escape(reason)}</li>" for reason in result.refusals) or "<li>accepted</li>"
    head = ("query", "question", "wrong answer", "AP before", "AP after", "KL", "best before", "best after")
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td>{escape(cell)}</td>"
            for cell in (
                lost.key,
                texts[lost.key].question.text,
                texts[lost.key].wrong_answer,
                f"{lost.before:.3f}",
                f"{lost.after:.3f}",
                f"{lost.divergence:.4f}",
                names[lost.best_before],
                names[lost.best_after],
            )
        )
        + "</tr>"
        for lost in result.worst
    )
    numbers = "<br>".join(escape(line.strip()) for line in gate_lines(result))
    table = f'<table class="data"><thead><tr>{"".join(f"<th>{name}</th>" for name in head)}</tr></thead>'
    return Section(
        title="The gate",
        html=f"<p>{numbers}</p><ul>{why}</ul><h3>Queries that lost most</h3>"
        f'<div class="scroll">{table}<tbody>{rows}</tbody></table></div>',
    )


def write_gate_report(
    path: Path,
    gated: Gated,
    bank: Sequence[Misconception],
    *,
    fitted: Sequence[Question],
    resamples: int,
    provenance: Sequence[tuple[str, str]],
    warnings: Sequence[tuple[str, int]] = (),
) -> None:
    """Write the report: both models over the same candidates, and the gate's section.

    Args:
        path: The file.
        gated: What was measured.
        bank: The misconceptions.
        fitted: Training questions that are not held out: their labels are the seen ones.
        resamples: Of the bootstrap intervals.
        provenance: Lines at the top.
        warnings: (what, how often).
    """
    runs = {"stage 1": gated.candidates, BEFORE: gated.before, AFTER: gated.after}
    measured = measure(runs, gated.queries, candidates="stage 1", seen=seen_labels(fitted), resamples=resamples)
    write_run_report(
        path,
        measured,
        bank,
        title="A quantised reranker against its 16-bit model",
        provenance=provenance,
        warnings=warnings,
        sections=[gate_section(gated, bank)],
    )
