"""The words an encoder reads: query text and misconception text, from templates."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from core.artifacts import content_hash
from core.records import Misconception, Query
from retrieval.latex import LATEX_VERSION, simplify_latex

__all__ = [
    "QUERY_FIELDS",
    "Latex",
    "MisconceptionTemplate",
    "QueryField",
    "QueryTemplate",
    "applies",
    "misconception_text",
    "query_text",
    "simplify_latex",
]

QueryField = Literal["construct", "subject", "question", "correct", "incorrect", "hint"]
Latex = Literal["keep", "simplify"]

QUERY_FIELDS: Mapping[QueryField, str] = {
    "construct": "Construct",
    "subject": "Subject",
    "question": "Question",
    "correct": "Correct answer",
    "incorrect": "Incorrect answer",
    "hint": "Why a student might answer this",
}
"""Every field with the label that stands before it unless a template says otherwise."""


@dataclass(frozen=True, kw_only=True)
class QueryTemplate:
    r"""How a query is written: one line a field, `Label: value`.

    Attributes:
        fields: Which fields, in which order; distinct, at least one.
        labels: The label before each field, one a field; empty for those of `QUERY_FIELDS`. A blank label is left out
            together with its colon.
        latex: Keep LaTeX as it came, or simplify it.
        instruction: Put before the text word for word, its white space included, for models that want one
            (`"Instruct: …\nQuery: "`).

    Raises:
        ValueError: A field is unknown or occurs twice, there is none, or labels and fields differ in number.
    """

    fields: tuple[QueryField, ...] = ("construct", "subject", "question", "correct", "incorrect")
    labels: tuple[str, ...] = ()
    latex: Latex = "simplify"
    instruction: str = ""

    def __post_init__(self) -> None:
        unknown = [field for field in self.fields if field not in QUERY_FIELDS]
        if unknown or not self.fields or len(set(self.fields)) != len(self.fields):
            raise ValueError(
                f"query template: fields {list(self.fields)}; expected distinct ones of {', '.join(QUERY_FIELDS)}"
            )
        if self.labels and len(self.labels) != len(self.fields):
            raise ValueError(f"query template: {len(self.labels)} labels for {len(self.fields)} fields; give one each")
        if self.latex not in ("keep", "simplify"):
            raise ValueError(f"query template: latex is {self.latex!r}, expected 'keep' or 'simplify'")

    def label(self, field: QueryField) -> str:
        """Return the label that stands before a field of this template."""
        return self.labels[self.fields.index(field)] if self.labels else QUERY_FIELDS[field]

    def hash(self) -> str:
        """Return the SHA-256 (64 hexadecimal digits) of the template's canonical form, for manifests."""
        lines = [[field, self.label(field)] for field in self.fields]
        return content_hash(["query", lines, self.instruction, _latex_key(self.latex)])


@dataclass(frozen=True, kw_only=True)
class MisconceptionTemplate:
    """How a bank entry is written: its name, its explanation, or both on two lines.

    Attributes:
        explanation: Write the explanation; an entry without one is written by its name.
        name: Write the name.
        latex: Keep LaTeX as it came, or simplify it.
        instruction: Put before the text word for word.

    Raises:
        ValueError: Neither name nor explanation is to be written.
    """

    explanation: bool = False
    name: bool = True
    latex: Latex = "simplify"
    instruction: str = ""

    def __post_init__(self) -> None:
        if not (self.name or self.explanation):
            raise ValueError("misconception template: neither name nor explanation; expected at least one")
        if self.latex not in ("keep", "simplify"):
            raise ValueError(f"misconception template: latex is {self.latex!r}, expected 'keep' or 'simplify'")

    def hash(self) -> str:
        """Return the SHA-256 (64 hexadecimal digits) of the template's canonical form, for manifests."""
        return content_hash(["misconception", self.name, self.explanation, self.instruction, _latex_key(self.latex)])


def query_text(query: Query, template: QueryTemplate, *, with_hint: bool = True) -> str:
    """Return the text of a query; fields that the query lacks (construct, subject, hint) are left out, label and all.

    Args:
        query: The query.
        template: Its form.
        with_hint: Write the hint, if the template has it and the query too.

    Raises:
        ValueError: The query has none of the template's fields (see `applies`).
    """
    lines = []
    for field in template.fields:
        value = _value(query, field, with_hint=with_hint)
        if value is None:
            continue
        label = template.label(field)
        lines.append(
            f"{label}: {_written(value, template.latex)}" if label.strip() else _written(value, template.latex)
        )
    if not lines:
        raise ValueError(f"query {query.key}: has none of the template's fields {', '.join(template.fields)}")
    return template.instruction + "\n".join(lines)


def applies(query: Query, template: QueryTemplate, *, with_hint: bool = True) -> bool:
    """Return whether the query has any of the template's fields: a template of the hint alone needs a hint."""
    return any(_value(query, field, with_hint=with_hint) is not None for field in template.fields)


def misconception_text(misconception: Misconception, template: MisconceptionTemplate) -> str:
    """Return the text of a bank entry; where an explanation is asked for and there is none, its name stands in."""
    explanation = (misconception.explanation or "").strip() if template.explanation else ""
    parts = [misconception.name] if template.name or not explanation else []
    if explanation:
        parts.append(explanation)
    return template.instruction + "\n".join(_written(part, template.latex) for part in parts)


def _value(query: Query, field: QueryField, *, with_hint: bool) -> str | None:
    values = {
        "construct": query.question.construct,
        "subject": query.question.subject,
        "question": query.question.text,
        "correct": query.correct_answer,
        "incorrect": query.wrong_answer,
        "hint": query.hint if with_hint else None,
    }
    value = values[field]
    return value if value is not None and value.strip() else None


def _written(text: str, latex: Latex) -> str:
    return simplify_latex(text) if latex == "simplify" else text.strip()


def _latex_key(latex: Latex) -> str:
    return latex if latex == "keep" else f"simplify-{LATEX_VERSION}"
