"""Files ⇄ records, under one roof: CSV in the Eedi schema, rankings in parquet.

Only the core table files import polars: `csv_table`, `question_table`, `bank_table`, `hint_table`,
`ranking_table` and `order_scores_table`. All readers name every fault of a file at once; all writers write under a
temporary name first.
"""

from core.bank_table import (
    read_explanations,
    read_misconceptions,
    with_explanations,
    write_explanations,
    write_misconceptions,
)
from core.columns import Columns
from core.hint_table import Hint, read_hints, with_hints
from core.inputs import Inputs, check_inputs, output_folder_fault
from core.question_table import QuestionTable, read_questions, write_questions
from core.ranking_table import read_rankings, write_rankings

__all__ = [
    "Columns",
    "Hint",
    "Inputs",
    "QuestionTable",
    "check_inputs",
    "output_folder_fault",
    "read_explanations",
    "read_hints",
    "read_misconceptions",
    "read_questions",
    "read_rankings",
    "with_explanations",
    "with_hints",
    "write_explanations",
    "write_misconceptions",
    "write_questions",
    "write_rankings",
]
