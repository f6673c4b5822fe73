"""Questions: CSV in the Eedi schema ⇄ `Question` records."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from core.columns import EEDI, OPTIONAL, Columns
from core.csv_table import LINE, CsvTable, is_blank, quoted, read_csv, whole_number, write_csv
from core.faults import Faults
from core.records import LETTERS, Letter, Question

_ANSWERS = tuple(f"answer_{letter.lower()}" for letter in LETTERS)
_LABELS = tuple(f"label_{letter.lower()}" for letter in LETTERS)
_NO_LABEL = ("nan", "null", "none", "na", "n/a", "<na>")


@dataclass(frozen=True, kw_only=True)
class QuestionTable:
    """What a file of questions held.

    Attributes:
        questions: The questions in the order of the file.
        warnings: What was odd but did not stop the run, with counts, ready to show.
    """

    questions: tuple[Question, ...]
    warnings: tuple[str, ...] = ()


def read_questions(
    path: Path, *, columns: Columns = EEDI, bank_ids: Collection[int] | None = None, require_labels: bool = False
) -> QuestionTable:
    """Read questions.

    Args:
        path: A CSV file in the Eedi schema. Construct, subject and their ids may be absent or empty, and so may the
            four label columns. A label cell holds no label (empty, `NaN`), one (`1672`, `1672.0`) or several,
            separated by `;`, `|` or spaces.
        columns: Names of the columns in the file.
        bank_ids: The ids that labels may have; None does not check them.
        require_labels: Refuse a file without label columns or without any label.

    Returns:
        The questions and the warnings.

    Raises:
        InputError: All faults of the file together, each with its line, its column, what was expected and what came.
    """
    faults = Faults()
    table = scan_questions(path, faults, columns=columns, bank_ids=bank_ids, require_labels=require_labels)
    faults.raise_if_any()
    assert table is not None
    return table


def scan_questions(
    path: Path,
    faults: Faults,
    *,
    columns: Columns = EEDI,
    bank_ids: Collection[int] | None = None,
    require_labels: bool = False,
) -> QuestionTable | None:
    """Read questions as `read_questions` does, but note faults instead of raising; None where there were any."""
    before = faults.count(path)
    keys = ("question_id", *OPTIONAL[:4], "correct", "question", *_ANSWERS, *_LABELS)
    optional = [key for key in OPTIONAL[:4] if columns.is_default(key)]
    if not require_labels:
        optional += [key for key in _LABELS if columns.is_default(key)]
    table = read_csv(path, columns.names(*keys), faults, optional=optional)
    if table is None:
        return None
    _check_ids(table, faults)
    _check_texts(table, faults)
    labels = _check_labels(table, bank_ids, faults)
    if require_labels and labels.is_empty() and faults.count(path) == before:
        faults.add(path, f"has no label: expected some in {', '.join(table.names[key] for key in _LABELS)}")
    if faults.count(path) > before:
        return None
    return QuestionTable(questions=_records(table, labels), warnings=_equal_answers(table))


def _check_ids(table: CsvTable, faults: Faults) -> None:
    for key in ("question_id", "construct_id", "subject_id"):
        if key not in table.frame.columns:
            continue
        bad = whole_number(key).is_null()
        if key != "question_id":
            bad &= ~is_blank(key)
        table.report(table.frame.filter(bad), key, "a whole number", faults)
    table.report_repeated("question_id", faults)


def _check_texts(table: CsvTable, faults: Faults) -> None:
    table.report(table.frame.filter(~pl.col("correct").is_in(LETTERS)), "correct", "one of A, B, C, D", faults)
    for key in ("question", *_ANSWERS):
        table.report(table.frame.filter(is_blank(key)), key, "a text", faults)


def _check_labels(table: CsvTable, bank_ids: Collection[int] | None, faults: Faults) -> pl.DataFrame:
    """Return one row per label: line, key (the column), label (Int64), in the order of the cells."""
    present = [key for key in _LABELS if key in table.frame.columns]
    if 0 < len(present) < len(_LABELS):
        for key in set(_LABELS) - set(present):
            faults.add(table.path, "this column is missing: expected all four or none", line=1, column=table.names[key])
    cells = table.frame.select(LINE, "correct", *present).unpivot(
        on=present, index=[LINE, "correct"], variable_name="key", value_name="cell"
    )
    tokens = (
        cells.with_columns(pl.col("key").cast(pl.String), pl.col("cell").cast(pl.String))
        .with_columns(pl.col("cell").str.extract_all(r"[^;|\s\x1c-\x1f]+").alias("token"))
        .explode("token")
        .filter(pl.col("token").is_not_null() & ~pl.col("token").str.to_lowercase().is_in(_NO_LABEL))
        .with_columns(whole_number("token").alias("label"))
    )
    right = pl.concat_str(pl.lit("label_"), pl.col("correct").str.to_lowercase()) == pl.col("key")
    wrong = {
        "a whole number (several: separated by ';')": tokens.filter(pl.col("label").is_null()),
        "no label on the correct answer": tokens.filter(right),
        "each label once": tokens.filter(
            pl.struct(LINE, "key", "label").is_duplicated() & pl.col("label").is_not_null()
        ),
    }
    if bank_ids is not None:
        known = pl.DataFrame({"label": sorted(bank_ids)}, schema={"label": pl.Int64})
        numbers = tokens.filter(pl.col("label").is_not_null())
        wrong["a label that is in the bank"] = numbers.join(known, on="label", how="anti", maintain_order="left")
    for expected, rows in wrong.items():
        for line, key, cell in rows.select(LINE, "key", "cell").unique(maintain_order=True).iter_rows():
            faults.add(table.path, f"expected {expected}, came {quoted(cell)}", line=line, column=table.names[key])
    return tokens.select(LINE, "key", "label")


def _records(table: CsvTable, labels: pl.DataFrame) -> tuple[Question, ...]:
    by_cell: dict[tuple[int, str], list[int]] = {}
    for line, key, label in labels.iter_rows():
        by_cell.setdefault((line, key), []).append(label)
    absent = [key for key in OPTIONAL[:4] if key not in table.frame.columns]
    frame = table.frame.with_columns(pl.lit(None, dtype=pl.String).alias(key) for key in absent).with_columns(
        whole_number("question_id"),
        whole_number("construct_id"),
        whole_number("subject_id"),
        *(pl.when(~is_blank(key)).then(pl.col(key)).alias(key) for key in ("construct", "subject")),
    )
    return tuple(
        Question(
            id=row["question_id"],
            text=row["question"],
            answers=(row["answer_a"], row["answer_b"], row["answer_c"], row["answer_d"]),
            correct=row["correct"],
            labels=(
                tuple(by_cell.get((row[LINE], "label_a"), ())),
                tuple(by_cell.get((row[LINE], "label_b"), ())),
                tuple(by_cell.get((row[LINE], "label_c"), ())),
                tuple(by_cell.get((row[LINE], "label_d"), ())),
            ),
            construct=row["construct"],
            subject=row["subject"],
            construct_id=row["construct_id"],
            subject_id=row["subject_id"],
        )
        for row in frame.iter_rows(named=True)
    )


def _equal_answers(table: CsvTable) -> tuple[str, ...]:
    answers = pl.concat_list(pl.col(key).str.strip_chars() for key in _ANSWERS)
    alike = table.frame.filter(answers.list.n_unique() < len(_ANSWERS))
    if alike.is_empty():
        return ()
    lines = ", ".join(map(str, alike[LINE].head(5))) + (", …" if len(alike) > 5 else "")
    return (f"{table.path}: questions with two equal answers: {len(alike):,} (line {lines})",)


def write_questions(path: Path, questions: Sequence[Question], *, labels: bool = True) -> None:
    """Write questions in the Eedi schema: UTF-8, LF, quoted where needed; the same questions give the same bytes.

    Args:
        path: The file; it appears only when it is whole.
        questions: The questions.
        labels: Write the four label columns (several labels of an answer: separated by `;`); a test file has none.
    """
    columns = EEDI
    cells: dict[str, list[str]] = {
        columns.question_id: [str(question.id) for question in questions],
        columns.construct_id: [_number(question.construct_id) for question in questions],
        columns.construct: [question.construct or "" for question in questions],
        columns.subject_id: [_number(question.subject_id) for question in questions],
        columns.subject: [question.subject or "" for question in questions],
        columns.correct: [question.correct for question in questions],
        columns.question: [question.text for question in questions],
    }
    letters: Sequence[tuple[Letter, str, str]] = tuple(zip(LETTERS, _ANSWERS, _LABELS, strict=True))
    for letter, answer, _ in letters:
        cells[getattr(columns, answer)] = [question.answer(letter) for question in questions]
    for letter, _, label in letters if labels else ():
        cells[getattr(columns, label)] = [";".join(map(str, question.labels_of(letter))) for question in questions]
    write_csv(path, cells)


def _number(value: int | None) -> str:
    return "" if value is None else str(value)
