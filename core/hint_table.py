"""Hints: why a student might give a wrong answer, written (by a language model) without sight of the label."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from core.columns import EEDI, Columns
from core.csv_table import LINE, is_blank, read_csv, write_csv
from core.faults import Faults
from core.records import Query

_KEY = r"^[0-9]{1,18}_[ABCD]$"


@dataclass(frozen=True, kw_only=True)
class Hint:
    """What a student might have misunderstood.

    Attributes:
        hint: In a sentence or two; not empty.
        reasoning: At length, or None.
    """

    hint: str
    reasoning: str | None = None


def read_hints(paths: Sequence[Path], *, columns: Columns = EEDI) -> dict[str, Hint]:
    """Read hints.

    Args:
        paths: CSV files with the columns QuestionId_Answer, Hint and, optionally, Reasoning; each may cover training
            rows, test rows or both. A row with an empty hint counts as no hint.
        columns: Names of the columns in the files.

    Returns:
        The hint of each query key (`QuestionId_Letter`), in the order of the files.

    Raises:
        InputError: All faults of all files together; among them: a key of another form, a key that occurs again (in
            any of the files) with another hint.
    """
    faults = Faults()
    hints = scan_hints(paths, faults, columns=columns)
    faults.raise_if_any()
    return hints


def scan_hints(paths: Sequence[Path], faults: Faults, *, columns: Columns = EEDI) -> dict[str, Hint]:
    """Read hints as `read_hints` does, but note faults instead of raising."""
    hints: dict[str, Hint] = {}
    first: dict[str, str] = {}
    optional = ["reasoning"] if columns.is_default("reasoning") else []
    for path in paths:
        table = read_csv(path, columns.names("key", "hint", "reasoning"), faults, optional=optional)
        if table is None:
            continue
        frame = table.frame
        if "reasoning" not in frame.columns:
            frame = frame.with_columns(pl.lit("").alias("reasoning"))
        is_key = pl.col("key").str.contains(_KEY)
        table.report(frame.filter(~is_key), "key", "QuestionId_Letter, as in 12_C", faults)
        for key, text, reasoning, line in (
            frame.filter(is_key & ~is_blank("hint")).select("key", "hint", "reasoning", LINE).iter_rows()
        ):
            hint = Hint(hint=text, reasoning=reasoning if reasoning.strip() else None)
            if hints.setdefault(key, hint) != hint:
                what = f"expected one hint a key, came a second, different one for {key} (the first: {first[key]})"
                faults.add(path, what, line=line, column=table.names["key"])
            first.setdefault(key, f"{path}, line {line}")
    return hints


def write_hints(
    path: Path, hints: Mapping[str, Hint], *, extra: Mapping[str, Sequence[str]] | None = None, columns: Columns = EEDI
) -> None:
    """Write hints as CSV that `read_hints` reads back, renamed into place when whole.

    Args:
        path: The file.
        hints: By query key.
        extra: Further columns, e.g. where each hint comes from, by name; a text a hint, in the order of `hints`.
        columns: Names of the columns in the file.

    Raises:
        ValueError: A further column bears the name of another, or has not one text a hint.
    """
    names = columns.names("key", "hint", "reasoning")
    for name, texts in (extra or {}).items():
        if name in names.values() or len(texts) != len(hints):
            raise ValueError(f"column {name!r}: expected a name of its own and {len(hints)} texts; got {len(texts)}")
    cells: dict[str, Sequence[str]] = {
        names["key"]: list(hints),
        names["hint"]: [hint.hint for hint in hints.values()],
        names["reasoning"]: [hint.reasoning or "" for hint in hints.values()],
    }
    write_csv(path, {**cells, **(extra or {})})


def with_hints(queries: Iterable[Query], hints: Mapping[str, Hint], *, use_reasoning: bool = False) -> list[Query]:
    """Return the queries with the hints put in; a query without one stays as it is.

    Args:
        queries: The queries.
        hints: Hints by query key.
        use_reasoning: Let the longer reasoning, where there is one, follow the hint on a line of its own.
    """
    return [
        replace(query, hint=_text(hints[query.key], use_reasoning)) if query.key in hints else query
        for query in queries
    ]


def _text(hint: Hint, use_reasoning: bool) -> str:
    return f"{hint.hint}\n{hint.reasoning}" if use_reasoning and hint.reasoning else hint.hint


def unknown_hints(queries: Iterable[Query], hints: Mapping[str, Hint]) -> tuple[str, ...]:
    """Return a warning with a count where hints are of keys that no wrong answer has, else nothing."""
    unknown = sorted(hints.keys() - {query.key for query in queries})
    if not unknown:
        return ()
    some = ", ".join(unknown[:5]) + (", …" if len(unknown) > 5 else "")
    return (f"hints of keys that are no wrong answer of the questions given, not used: {len(unknown):,} ({some})",)
