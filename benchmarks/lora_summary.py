"""The lines of `lora_steps.py` as a table, with what was promised of them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

MEMORY = {"14b": 40.0, "32b": 60.0}
"""Gigabytes that a step of this shape may take."""
SLOWER, SCALING = 1.03, 1.8
Line = Mapping[str, Any]


def summary(output: Path) -> str:
    """Return the table and the verdicts."""
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    head = (
        "role",
        "way",
        "GPUs",
        "a step",
        "tokens/s",
        "share of peak",
        "without recomputing",
        "peak GB",
        "reserved GB",
    )
    rows = ["| " + " | ".join(head) + " |", "| --- " * len(head) + "|"]
    for line in lines:
        cells = (
            f"{line['role']} {line['shape']} {line['method']} {line['preset']}, {_batch(line)}",
            line["way"],
            str(line["gpus"]),
            f"{line['seconds_a_step']:.3f} s",
            f"{line['tokens_per_second']:.0f}",
            f"{line['share_of_peak']:.3f}",
            f"{line['needed_share_of_peak']:.3f}",
            *("" if line[key] is None else f"{line[key]:.1f}" for key in ("peak_gb", "reserved_gb")),
        )
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join([*rows, *verdicts(lines)]) + "\n"


def verdicts(lines: Sequence[Line]) -> list[str]:
    """Return a line for each promise that the measurements say something about."""
    made = []
    for line in lines:
        if line["way"] != "product":
            continue
        name = f"- {line['role']} {line['shape']}, {_batch(line)}"
        if line["gpus"] == 1:
            hand = _find(lines, line, way="hand", gpus=1, batch=line["batch"])
            if hand is not None:
                slower = line["seconds_a_step"] / hand["seconds_a_step"]
                made.append(
                    f"{name}: {slower - 1:+.1%} against the loop by hand, at most {SLOWER - 1:.0%} wanted: "
                    f"{_word(slower <= SLOWER)}; first losses {line['losses'][0]:.4f} and {hand['losses'][0]:.4f}, "
                    f"last {line['losses'][-1]:.4f} and {hand['losses'][-1]:.4f}"
                )
            most = MEMORY.get(line["shape"])
            if most is not None and line["peak_gb"] is not None:
                made.append(
                    f"{name}: {line['peak_gb']:.1f} GB in tensors, {line['reserved_gb']:.1f} GB taken; "
                    f"under {most:.0f} GB wanted: {_word(line['reserved_gb'] < most)}"
                )
        else:
            made += _scaling(name, lines, line)
    return made


def _scaling(name: str, lines: Sequence[Line], line: Line) -> list[str]:
    """Compare tokens a second with one GPU's, at the same share of each GPU and at the same batch."""
    made = []
    for title, batch in (("lists or queries a GPU", line["batch"] // line["gpus"]), ("whole batch", line["batch"])):
        one = _find(lines, line, way="product", gpus=1, batch=batch)
        if one is not None:
            times = line["tokens_per_second"] / one["tokens_per_second"]
            made.append(
                f"{name}, {line['gpus']} GPUs: {times:.2f} x one GPU at the same {title} ({batch}); "
                f"{SCALING:.1f} wanted: {_word(times >= SCALING)}"
            )
    return made


def _find(lines: Sequence[Line], like: Line, **wanted: object) -> Line | None:
    """Return the last line of the same role, shape and method with these values."""
    keys = ("role", "shape", "method", "preset", "checkpointing", "gpu")
    fitting = [
        line
        for line in lines
        if all(line[key] == like[key] for key in keys) and all(line[key] == value for key, value in wanted.items())
    ]
    return fitting[-1] if fitting else None


def _batch(line: Line) -> str:
    return f"batch {line['batch']}" + ("" if line["checkpointing"] else ", activations kept")


def _word(kept: bool) -> str:
    return "kept" if kept else "MISSED"
