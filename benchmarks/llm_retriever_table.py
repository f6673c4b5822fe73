"""The summary of `llm_retriever.py` as a table."""

from collections.abc import Mapping
from typing import Any


def compared_with(name: str, runs: Mapping[str, Any]) -> str | None:
    """Return the run that another is tested against: MiniLM, or for averages the best single adapter."""
    if name.startswith(("average-", "ensemble of")):
        return next((run for run in runs if run.startswith("best single")), None)
    if name.startswith(("smollm2", "minilm + ")):
        return "minilm" if "minilm" in runs else None
    return None


def table(result: Mapping[str, Any]) -> str:
    """Return the summary as a table."""
    rows = [
        f"{result['queries']} queries of one question fold, {result['unseen']:.0%} with an unseen label",
        "| run | MAP@25 all / seen / unseen | recall@25 | difference (95 %), p |",
        "| --- " * 4 + "|",
    ]
    for row in result["runs"]:
        told = ""
        if "against" in row:
            told = (
                f"{row['difference']:+.4f} ({row['low']:+.4f} to {row['high']:+.4f}) against {row['against']}, "
                f"p = {row['p']:.4f}"
            )
        unseen = "–" if row["unseen"] is None else f"{row['unseen']:.4f}"
        numbers = f"{row['map@25']:.4f} / {row['seen']:.4f} / {unseen}"
        rows.append(f"| {row['run']} | {numbers} | {row['recall@25']:.4f} | {told} |")
    for name, found in sorted(result["own"].items()):
        rows.append(f"- {name}: MAP@25 {found['map@25']:.4f} on its own fifth ({found['queries']} queries)")
    for name, found in sorted(result["errors"].items()):
        rows.append(f"- {name}: rank {found['rank']}, {found['error']:.2e} from the exact mean of the deltas")
    return "\n".join(rows) + "\n"
