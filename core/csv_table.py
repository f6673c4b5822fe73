"""A CSV file as a polars table of strings in which every record knows its line.

The structure is read by the standard library, not by polars: polars fills short rows silently and cannot say on which
line a record with line breaks inside its fields starts. Everything after that is polars.
"""

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from core.artifacts import atomic_path
from core.errors import did_you_mean
from core.faults import Faults

LINE = "line"
_BLANK = r"^[\s\x1c-\x1f]*$"  # what str.isspace() calls blank, as the records do
_WHOLE = r"^[\s\x1c-\x1f]*([0-9]{1,18})(?:\.0*)?[\s\x1c-\x1f]*$"  # 18 digits fit into an int64
_CAME = 60


@dataclass(frozen=True, kw_only=True)
class CsvTable:
    """A file's records.

    Attributes:
        path: The file.
        frame: One String column per wanted column that the file has, under this project's name for it, and `line`
            (Int64): the 1-based line on which the record starts.
        names: The columns' names in the file, by this project's name for them; also of those that are absent.
        complete: Whether every record of the file is in `frame`; False where a ragged row was left out as a fault.
    """

    path: Path
    frame: pl.DataFrame
    names: Mapping[str, str]
    complete: bool

    def report(self, bad: pl.DataFrame, key: str, expected: str, faults: Faults) -> None:
        """Note a fault in each row of `bad`, a part of `frame`, quoting the cell of column `key`."""
        for line, cell in zip(bad[LINE].to_list(), bad[key].to_list(), strict=True):
            faults.add(self.path, f"expected {expected}, came {quoted(cell)}", line=line, column=self.names[key])

    def report_repeated(self, key: str, faults: Faults) -> None:
        """Note a fault for each record whose whole number in column `key` an earlier record has already."""
        ids = self.frame.select(pl.col(LINE), whole_number(key).alias("id")).drop_nulls()
        first = ids.group_by("id").agg(pl.col(LINE).min().alias("first"))
        again = ids.join(first, on="id").filter(pl.col(LINE) > pl.col("first")).sort(LINE)
        for line, number, earlier in again.iter_rows():
            what = f"expected an id that occurs once, came {number}, which line {earlier} has already"
            faults.add(self.path, what, line=line, column=self.names[key])


def quoted(cell: str) -> str:
    """Return a cell for a message: nothing is named as such, long texts are cut."""
    if not cell:
        return "nothing"
    return repr(cell) if len(cell) <= _CAME else f"{cell[:_CAME]!r}…"


def is_blank(key: str) -> pl.Expr:
    """Return where a String column holds nothing but white space."""
    return pl.col(key).str.contains(_BLANK)


def whole_number(key: str) -> pl.Expr:
    """Return a String column as Int64, null where it is not a whole number of 0 or more (`1672` and `1672.0` are)."""
    return pl.col(key).str.extract(_WHOLE, 1).cast(pl.Int64)


def read_csv(
    path: Path, names: Mapping[str, str], faults: Faults, *, optional: Collection[str] = ()
) -> CsvTable | None:
    """Read some columns of a CSV file as strings, white space and line breaks inside fields kept.

    UTF-8 with or without BOM, comma separated, any line ending; blank lines between records are no records; further
    columns are ignored.

    Args:
        path: The file.
        names: Wanted columns: this project's name for each -> its name in the file.
        faults: Where faults are noted: file missing, a folder, empty, without a record, not UTF-8 (byte offset), not
            CSV, ragged rows, a wanted column missing or there twice.
        optional: Those of `names` that may be absent.

    Returns:
        The table, or None where a fault leaves nothing to look at.
    """
    text = _read_text(path, faults)
    if text is None:
        return None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    records: list[list[str]] = []
    lines: list[int] = []
    readable = True
    start = 1
    try:
        for record in reader:
            if record:
                records.append(record)
                lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        what = (
            f"expected CSV, came a record that cannot be read ({error}): is a quotation mark left open or not doubled?"
        )
        faults.add(path, what, line=start)
        readable = False
    if not records:
        if readable:
            faults.add(path, f"is empty: expected a header line with {', '.join(names.values())}")
        return None
    places = _places(path, records[0], names, optional, faults)
    if places is None:
        return None
    width = len(records[0])
    kept = []
    for line, record in zip(lines[1:], records[1:], strict=True):
        if len(record) == width:
            kept.append((line, record))
        else:
            faults.add(path, f"expected {width} fields as in the header, came {len(record)}", line=line)
    if len(records) == 1 and readable:
        faults.add(path, "has no rows: expected at least one record under the header")
    data: dict[str, Iterable[object]] = {LINE: [line for line, _ in kept]}
    data |= {key: [record[place] for _, record in kept] for key, place in places.items()}
    frame = pl.DataFrame(data, schema={LINE: pl.Int64} | dict.fromkeys(places, pl.String))
    return CsvTable(path=path, frame=frame, names=names, complete=readable and len(kept) == len(records) - 1)


def write_csv(path: Path, cells: Mapping[str, Sequence[str]]) -> None:
    """Write columns of strings, by name: UTF-8, LF, quoted where needed, renamed into place when whole."""
    with atomic_path(path) as unfinished:
        frame = pl.DataFrame(dict(cells), schema=dict.fromkeys(cells, pl.String))
        frame = frame.select(pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in cells)  # else: ""
        frame.write_csv(unfinished, line_terminator="\n", quote_style="necessary")


def _read_text(path: Path, faults: Faults) -> str | None:
    try:
        if path.is_dir():
            faults.add(path, "is a folder: expected a CSV file")
            return None
        data = path.read_bytes()
    except FileNotFoundError:
        faults.add(path, f"there is no such file{_near(path)}: expected a CSV file")
        return None
    except OSError as error:
        faults.add(path, f"cannot be read ({error.strerror or error}): expected a CSV file")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"expected UTF-8, came byte 0x{data[error.start]:02x} at offset {error.start}: save the file as UTF-8"
        faults.add(path, what, line=line)
        return None
    if "\0" in text.partition("\n")[0]:
        faults.add(path, "expected UTF-8, came zero bytes in the header (UTF-16?): save the file as UTF-8")
        return None
    if not text.strip():
        faults.add(path, "is empty: expected a CSV file with a header line")
        return None
    return text


def _near(path: Path) -> str:
    try:
        return did_you_mean(path.name, [other.name for other in path.parent.iterdir()])
    except OSError:
        return f" (nor is there a folder {path.parent})"


def _places(
    path: Path, header: list[str], names: Mapping[str, str], optional: Collection[str], faults: Faults
) -> dict[str, int] | None:
    """Return the place of each wanted column, or None where one is missing or there twice."""
    separators = [mark for mark in ";\t|" if mark in header[0]] if len(header) == 1 else []
    if separators and len(names) > 1:
        faults.add(path, f"expected fields separated by ',', came {separators[0]!r}: save the file with commas", line=1)
        return None
    places: dict[str, int] = {}
    usable = True
    spare = [name for name in header if name not in names.values()]
    by_folded = {_folded(name): name for name in spare}
    for key, name in names.items():
        found = [place for place, other in enumerate(header) if other == name]
        if len(found) == 1:
            places[key] = found[0]
            continue
        if found:
            faults.add(path, f"expected one column of this name, came {len(found)}", line=1, column=name)
        elif _folded(name) in by_folded:
            near = by_folded[_folded(name)]
            faults.add(
                path,
                f"this column is missing (did you mean {near!r}?): rename it or set it in [columns]",
                line=1,
                column=name,
            )
        elif key not in optional:
            what = f"this column is missing{did_you_mean(name, spare)}: rename it or set it in [columns]"
            faults.add(path, what, line=1, column=name)
        else:
            continue
        usable = False
    return places if usable else None


def _folded(name: str) -> str:
    return "".join(mark for mark in name.casefold() if mark.isalnum())
