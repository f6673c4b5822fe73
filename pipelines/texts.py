"""How queries and bank entries are written, from the config: one place for training, inference and rerankers."""

from dataclasses import dataclass

from core.artifacts import content_hash
from pipelines.settings import TextSettings
from retrieval.text import MisconceptionTemplate, QueryTemplate


@dataclass(frozen=True, kw_only=True)
class TextForms:
    """The templates of a run.

    Attributes:
        query: The query as trained and searched with; holds the hint where hints are part of the text.
        entry: The bank entry as trained and searched with; holds the explanation where those are part of the text.
        hint_view: The hint alone, embedded apart; None where hints are no view of their own.
        explanation_view: The explanation alone; None likewise.
        view_weight: Weight of each extra (query view, bank view) pair against the plain pair's 1.
    """

    query: QueryTemplate
    entry: MisconceptionTemplate
    hint_view: QueryTemplate | None
    explanation_view: MisconceptionTemplate | None
    view_weight: float

    def hash(self) -> str:
        """Return the SHA-256 of all templates and the weight, for manifests."""
        views = [view.hash() if view else None for view in (self.hint_view, self.explanation_view)]
        weight = self.view_weight if any(views) else None
        return content_hash([self.query.hash(), self.entry.hash(), *views, weight])


def text_forms(settings: TextSettings) -> TextForms:
    """Return the templates that the config asks for.

    A hint that is part of the text stands first, unless `text.fields` places it: long questions are cut at the end.
    """
    fields = settings.fields
    if settings.hint == "text" and "hint" not in fields:
        fields = ("hint", *fields)
    if settings.hint != "text":
        fields = tuple(field for field in fields if field != "hint")
    has_view = settings.hint == "view"
    return TextForms(
        query=QueryTemplate(fields=fields, latex=settings.latex, instruction=settings.instruction),
        entry=MisconceptionTemplate(explanation=settings.explanation == "text", latex=settings.latex),
        hint_view=QueryTemplate(fields=("hint",), latex=settings.latex, instruction=settings.instruction)
        if has_view
        else None,
        explanation_view=MisconceptionTemplate(explanation=True, name=False, latex=settings.latex)
        if settings.explanation == "view"
        else None,
        view_weight=settings.view_weight,
    )
