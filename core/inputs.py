"""Everything a run reads, checked together before any model loads: one error that lists every fault of every file."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.bank_table import scan_explanations, scan_misconceptions, unknown_explanations, with_explanations
from core.columns import EEDI, Columns
from core.faults import Faults
from core.hint_table import Hint, scan_hints, unknown_hints
from core.question_table import QuestionTable, scan_questions
from core.records import Misconception, queries_of
from core.synthetic_table import SyntheticQuestion, scan_synthetic


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What the files of a run held.

    Attributes:
        bank: The misconceptions, with explanations where there are any.
        train: The training questions; none where no file was given.
        test: The test questions; none where no file was given.
        hints: Hints by query key.
        synthetic: Made questions of all folders; none where no folder was given.
        warnings: What was odd in any of the files but does not stop the run, with counts, ready to show.
    """

    bank: tuple[Misconception, ...]
    train: QuestionTable | None
    test: QuestionTable | None
    hints: Mapping[str, Hint]
    warnings: tuple[str, ...]
    synthetic: tuple[SyntheticQuestion, ...] = ()


def check_inputs(
    *,
    misconceptions: Path | None,
    train: Path | None = None,
    test: Path | None = None,
    hints: Sequence[Path] = (),
    explanations: Sequence[Path] = (),
    synthetic: Sequence[Path] = (),
    output: Path | None = None,
    columns: Columns = EEDI,
    require_labels: bool = True,
    other_faults: Sequence[str] = (),
) -> Inputs:
    """Read all files of a run and raise every fault of all of them in ONE error; nothing is written.

    Args:
        misconceptions: The bank; None only beside the fault that it is missing, so that the other files' are told too.
        train: Training questions.
        test: Test questions, with or without labels.
        hints: Files of hints, see `read_hints`.
        explanations: Files of explanations, see `read_explanations`.
        synthetic: Folders of made questions, see `core.synthetic_table`; their questions are numbered anew, above all
            real ones, so that folders made apart can be used together.
        output: The folder that the run will write into, see `output_folder_fault`.
        columns: Names of the columns in the files.
        require_labels: Refuse a training file without labels.
        other_faults: Faults found elsewhere (config, models), to be told in the same error.

    Returns:
        The records.

    Raises:
        InputError: All faults: each with its file, line, column, what was expected and what came.
    """
    faults = Faults()
    for message in other_faults:
        faults.add_message(message)
    if misconceptions is None and not other_faults:
        raise ValueError("expected a bank, or the fault that there is none")
    if output is not None and (fault := output_folder_fault(output)):
        faults.add_message(fault)
    scan = scan_misconceptions(misconceptions, faults, columns=columns) if misconceptions is not None else None
    ids = scan.ids if scan is not None else None
    train_table = train and scan_questions(train, faults, columns=columns, bank_ids=ids, require_labels=require_labels)
    test_table = test and scan_questions(test, faults, columns=columns, bank_ids=ids)
    texts = scan_explanations(explanations, faults, columns=columns)
    hint_texts = scan_hints(hints, faults, columns=columns)
    made = [question for folder in synthetic for question in scan_synthetic(folder, faults, bank_ids=ids)]
    faults.raise_if_any()
    assert scan is not None  # else there was a fault
    tables = [table for table in (train_table, test_table) if table]
    warnings = [warning for table in tables for warning in table.warnings]
    warnings += unknown_explanations([entry.id for entry in scan.bank], texts)
    if tables:
        warnings += unknown_hints(queries_of([q for table in tables for q in table.questions]), hint_texts)
    return Inputs(
        bank=with_explanations(scan.bank, texts),
        train=train_table or None,
        test=test_table or None,
        hints=hint_texts,
        warnings=tuple(warnings),
        synthetic=_numbered(made, tables),
    )


def _numbered(made: Sequence[SyntheticQuestion], tables: Sequence[QuestionTable]) -> tuple[SyntheticQuestion, ...]:
    """Number made questions above all real ones: a hint, or a label, of a real question must never reach them."""
    first = 1 + max((question.id for table in tables for question in table.questions), default=-1)
    return tuple(replace(one, question=replace(one.question, id=first + place)) for place, one in enumerate(made))


def output_folder_fault(path: Path) -> str | None:
    """Say why a run could not write into a folder, or None where it could; leaves nothing behind.

    Args:
        path: The folder; it and its parents may be missing, they are made later.
    """
    try:
        there = path
        while not there.exists():
            if there.is_symlink():
                return f"{path}: expected a folder to write into, came a link that leads nowhere ({there})"
            if there == there.parent:
                break
            there = there.parent
        if not there.is_dir():
            return f"{path}: expected a folder to write into, but {there} is a file; name another folder"
        # Asking for permissions is not enough (read-only disks, quotas); this file has no name and is gone at once.
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return f"{path}: expected a folder to write into, but it cannot be written ({error.strerror or error})"
    if not os.access(there, os.W_OK | os.X_OK):
        return f"{path}: expected a folder to write into, but {there} may not be written; name another folder"
    return None
