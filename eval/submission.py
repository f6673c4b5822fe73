"""The competition's submission file: `QuestionId_Answer,MisconceptionId`, 25 space-separated ids a row."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.artifacts import atomic_path
from core.errors import InputError
from core.records import Misconception, Question, Ranking, queries_of

HEADER = ("QuestionId_Answer", "MisconceptionId")
DEPTH = 25


def write_submission(
    path: Path, rankings: Sequence[Ranking], questions: Sequence[Question], bank: Sequence[Misconception]
) -> None:
    """Write the first 25 ids of every ranking, in the order of the questions; refuse a file that would be invalid.

    Nothing is written unless the whole file is valid (`check_submission`); it replaces an older one in one step.

    Args:
        path: The file; its folder exists.
        rankings: One per wrong answer of every question, in any order, at least 25 deep (or the whole bank, if that
            is smaller).
        questions: The test questions, in file order.
        bank: All misconceptions.

    Raises:
        InputError: With every fault found.
    """
    rows: dict[str, tuple[int, ...]] = {}
    faults: list[str] = []
    for ranking in rankings:
        if ranking.key in rows:
            faults.append(f"{path}: {ranking.key}: expected one ranking, got a second one")
        rows[ranking.key] = tuple(ranking.ids[:DEPTH].tolist())
    in_file_order = [query.key for query in queries_of(questions) if query.key in rows]
    rows = {key: rows[key] for key in dict.fromkeys([*in_file_order, *rows])}
    faults += [f"{path}: {fault}" for fault in check_submission(rows, questions, bank)]
    if faults:
        raise InputError(faults)
    lines = [",".join(HEADER), *(f"{key},{' '.join(map(str, ids))}" for key, ids in rows.items())]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def check_submission(
    rows: Mapping[str, Sequence[int]], questions: Sequence[Question], bank: Sequence[Misconception]
) -> list[str]:
    """Return what is wrong with a submission; empty where it is valid.

    Valid: a row for every wrong answer of every question, and no other, in the order of the questions and letters;
    in each row 25 different ids of the bank (all of the bank, if it has fewer).

    Args:
        rows: Ids by key (`QuestionId_Letter`), in file order.
        questions: The test questions, in file order.
        bank: All misconceptions.
    """
    known = {misconception.id for misconception in bank}
    depth = min(DEPTH, len(known))
    expected = [query.key for query in queries_of(questions)]
    wanted = set(expected)
    faults = [f"{key}: expected a row for this wrong answer, got none" for key in expected if key not in rows]
    faults += [f"{key}: is no wrong answer of the questions; remove the row" for key in rows if key not in wanted]
    if not faults and list(rows) != expected:
        place, (got, want) = next(
            (place, pair) for place, pair in enumerate(zip(rows, expected, strict=True), 1) if pair[0] != pair[1]
        )
        faults.append(f"row {place}: expected {want} (the order of the questions), got {got}")
    for key, ids in rows.items():
        if len(ids) != depth:
            faults.append(f"{key}: expected {depth} ids, got {len(ids)}")
        if len(set(ids)) != len(ids):
            faults.append(f"{key}: an id occurs twice")
        strangers = [id for id in ids if id not in known]
        if strangers:
            faults.append(f"{key}: id {strangers[0]} is not in the bank of {len(known)} misconceptions")
    return faults


def read_submission(path: Path) -> dict[str, tuple[int, ...]]:
    """Read a submission (LF or CRLF, with or without a BOM): ids by key, in file order.

    Raises:
        InputError: The file is missing or not UTF-8, the header is another one, a key occurs twice, a row has not two
            fields, or an id is not a whole number; with every fault found, by line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            table = [(reader.line_num, row) for row in reader if row]
    except FileNotFoundError:
        raise InputError(f"{path}: expected a submission file, found nothing there") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: expected UTF-8, got byte {error.object[error.start]:#04x} at {error.start}"
        ) from None
    if not table or tuple(table[0][1]) != HEADER:
        got = ",".join(table[0][1]) if table else "an empty file"
        raise InputError(f"{path}: expected the header {','.join(HEADER)}, got {got}")
    rows: dict[str, tuple[int, ...]] = {}
    faults: list[str] = []
    for line, fields in table[1:]:
        if len(fields) != 2 or not all(id.isascii() and id.isdigit() for id in fields[1].split()):
            faults.append(f"{path}, line {line}: expected a key and whole numbers split by spaces, got {fields}")
        elif fields[0] in rows:
            faults.append(f"{path}, line {line}: {fields[0]} has a row already; remove one")
        else:
            rows[fields[0]] = tuple(int(id) for id in fields[1].split())
    if faults:
        raise InputError(faults)
    return rows
