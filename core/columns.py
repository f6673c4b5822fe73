"""How the columns are named in the user's files."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

OPTIONAL = ("construct_id", "construct", "subject_id", "subject", "reasoning")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Names of the columns in the user's CSV files; the defaults are those of the Eedi competition.

    A team's own bank needs no renaming: name its columns here (in a config: `[columns]`). A column of `OPTIONAL` may
    be absent as long as it bears its default name; so may the four label columns, all together.
    """

    # Read by pydantic where a config holds this class, so that a misspelt key is refused there.
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    question_id: str = "QuestionId"
    construct_id: str = "ConstructId"
    construct: str = "ConstructName"
    subject_id: str = "SubjectId"
    subject: str = "SubjectName"
    correct: str = "CorrectAnswer"
    question: str = "QuestionText"
    answer_a: str = "AnswerAText"
    answer_b: str = "AnswerBText"
    answer_c: str = "AnswerCText"
    answer_d: str = "AnswerDText"
    label_a: str = "MisconceptionAId"
    label_b: str = "MisconceptionBId"
    label_c: str = "MisconceptionCId"
    label_d: str = "MisconceptionDId"
    misconception_id: str = "MisconceptionId"
    misconception_name: str = "MisconceptionName"
    explanation: str = "Explanation"
    key: str = "QuestionId_Answer"
    hint: str = "Hint"
    reasoning: str = "Reasoning"

    def names(self, *keys: str) -> Mapping[str, str]:
        """Return the names in the file of some columns, by field name, in the order given."""
        by_key = {field.name: str(getattr(self, field.name)) for field in fields(self)}
        return {key: by_key[key] for key in keys}

    def is_default(self, key: str) -> bool:
        """Say whether a column bears its default name."""
        return bool(getattr(self, key) == getattr(Columns, key))


EEDI = Columns()
"""The competition's own names."""
