"""The texts of a cross-encoder, from the config."""

from collections.abc import Callable

from core.artifacts import content_hash
from core.records import Misconception, Query
from pipelines.job import Job
from retrieval.text import MisconceptionTemplate, misconception_text, query_text


def reranker_query_text(job: Job) -> Callable[[Query], str]:
    """Return how a query is written for a cross-encoder: as for the retriever, the hint first where there is one."""
    template = job.forms.hint_view
    fields = job.forms.query.fields

    def text(query: Query) -> str:
        written = query_text(query, job.forms.query)
        if template is None or not query.hint or "hint" in fields:
            return written
        return f"{query_text(query, template)}\n{written}"

    return text


def reranker_candidate_text(job: Job) -> Callable[[Misconception], str]:
    """Return how a candidate is written for a cross-encoder: its name alone, which costs a tenth of an explanation."""
    template = MisconceptionTemplate(latex=job.settings.text.latex)
    return lambda entry: misconception_text(entry, template)


def reranker_texts_hash(job: Job) -> str:
    """Return what pins a cross-encoder's texts: it must be used with those it was trained with."""
    forms = job.forms
    return content_hash(
        [forms.query.hash(), forms.hint_view.hash() if forms.hint_view else None, job.settings.text.latex]
    )
