"""The bank: CSV of misconceptions and CSVs of their explanations ⇄ `Misconception` records."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from core.columns import EEDI, Columns
from core.csv_table import is_blank, read_csv, whole_number, write_csv
from core.faults import Faults
from core.records import Misconception


@dataclass(frozen=True, kw_only=True)
class BankScan:
    """What could be read of a bank.

    Attributes:
        bank: The entries in the order of the file; empty where the file has faults.
        ids: Every id that could be read, or None where some could not, so that no label can be called unknown.
    """

    bank: tuple[Misconception, ...]
    ids: frozenset[int] | None


def read_misconceptions(
    path: Path, *, columns: Columns = EEDI, explanations: Path | None = None
) -> tuple[Misconception, ...]:
    """Read the bank of misconceptions.

    Args:
        path: A CSV file with the columns MisconceptionId and MisconceptionName.
        columns: Names of the columns in the files.
        explanations: A CSV file as `read_explanations` reads it; explanations of ids that are not in the bank are not
            used.

    Returns:
        The entries in the order of the file.

    Raises:
        InputError: All faults of both files together, each with its line, its column, what was expected and what came.
    """
    faults = Faults()
    bank = scan_misconceptions(path, faults, columns=columns).bank
    texts = scan_explanations([explanations] if explanations else [], faults, columns=columns)
    faults.raise_if_any()
    return with_explanations(bank, texts)


def scan_misconceptions(path: Path, faults: Faults, *, columns: Columns = EEDI) -> BankScan:
    """Read the bank as `read_misconceptions` does, but note faults instead of raising."""
    before = faults.count(path)
    table = read_csv(path, columns.names("misconception_id", "misconception_name"), faults)
    if table is None:
        return BankScan(bank=(), ids=None)
    ids = table.frame.select(whole_number("misconception_id")).to_series()
    known = frozenset(ids.drop_nulls().to_list()) if table.complete and not ids.null_count() else None
    table.report(table.frame.filter(ids.is_null()), "misconception_id", "a whole number", faults)
    table.report_repeated("misconception_id", faults)
    table.report(table.frame.filter(is_blank("misconception_name")), "misconception_name", "a text", faults)
    if faults.count(path) > before:
        return BankScan(bank=(), ids=known)
    names = table.frame["misconception_name"].to_list()
    bank = tuple(Misconception(id=id, name=name) for id, name in zip(ids.to_list(), names, strict=True))
    return BankScan(bank=bank, ids=known)


def read_explanations(paths: Sequence[Path], *, columns: Columns = EEDI) -> dict[int, str]:
    """Read explanations of misconceptions.

    Args:
        paths: CSV files with the columns MisconceptionId and Explanation. An empty explanation counts as none.
        columns: Names of the columns in the files.

    Returns:
        The text of each id, in the order of the files.

    Raises:
        InputError: All faults of all files together; one of them: an id that occurs again with another text.
    """
    faults = Faults()
    texts = scan_explanations(paths, faults, columns=columns)
    faults.raise_if_any()
    return texts


def scan_explanations(paths: Sequence[Path], faults: Faults, *, columns: Columns = EEDI) -> dict[int, str]:
    """Read explanations as `read_explanations` does, but note faults instead of raising."""
    texts: dict[int, str] = {}
    first: dict[int, str] = {}
    for path in paths:
        table = read_csv(path, columns.names("misconception_id", "explanation"), faults)
        if table is None:
            continue
        frame = table.frame.with_columns(whole_number("misconception_id").alias("id"))
        table.report(frame.filter(pl.col("id").is_null()), "misconception_id", "a whole number", faults)
        told = frame.filter(pl.col("id").is_not_null() & ~is_blank("explanation"))
        for id, text, line in told.select("id", "explanation", "line").iter_rows():
            if texts.setdefault(id, text) != text:
                what = f"expected one explanation an id, came a second, different one for {id} (the first: {first[id]})"
                faults.add(path, what, line=line, column=table.names["explanation"])
            first.setdefault(id, f"{path}, line {line}")
    return texts


def with_explanations(bank: Sequence[Misconception], explanations: Mapping[int, str]) -> tuple[Misconception, ...]:
    """Return the bank with the explanations put in; entries without one stay as they are."""
    return tuple(
        replace(entry, explanation=explanations[entry.id]) if entry.id in explanations else entry for entry in bank
    )


def unknown_explanations(bank_ids: Collection[int], explanations: Mapping[int, str]) -> tuple[str, ...]:
    """Return a warning with a count where explanations are of ids that are not in the bank, else nothing."""
    unknown = sorted(explanations.keys() - set(bank_ids))
    if not unknown:
        return ()
    return (f"explanations of ids that are not in the bank, not used: {len(unknown):,} ({_some(unknown)})",)


def _some(values: Sequence[int]) -> str:
    return ", ".join(map(str, values[:5])) + (", …" if len(values) > 5 else "")


def write_misconceptions(path: Path, bank: Sequence[Misconception]) -> None:
    """Write ids and names in the Eedi schema: UTF-8, LF, quoted where needed; the same bank gives the same bytes."""
    columns = EEDI
    cells = {
        columns.misconception_id: [str(entry.id) for entry in bank],
        columns.misconception_name: [entry.name for entry in bank],
    }
    write_csv(path, cells)


def write_explanations(
    path: Path,
    bank: Sequence[Misconception],
    *,
    sources: Mapping[int, str] | None = None,
    columns: Columns = EEDI,
) -> None:
    """Write the explanations of the entries that have one, as `read_explanations` reads them.

    Args:
        path: The file.
        bank: The entries.
        sources: Where each explanation comes from, by id: a column `Source`, which readers pass over; None: no column.
        columns: Names of the columns in the file.
    """
    cells = {
        columns.misconception_id: [str(entry.id) for entry in bank if entry.explanation is not None],
        columns.explanation: [entry.explanation for entry in bank if entry.explanation is not None],
    }
    if sources is not None:
        cells["Source"] = [sources.get(entry.id, "") for entry in bank if entry.explanation is not None]
    write_csv(path, cells)
