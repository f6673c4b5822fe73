"""The queries a reader of the report can leaf through, as JSON for the page."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from core.errors import InputError
from core.records import LETTERS, Misconception, Query, Question, Ranking
from eval.latex import to_html


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Queries with what was ranked for them.

    Attributes:
        queries: The queries; those without a label are shown as such.
        rankings: One per query, in any order.
        bank: All misconceptions; it gives their names.
        seen: The labels that occur in training; None where that is not known.
        shown: How many candidates to show for each, at least 1.
    """

    queries: Sequence[Query]
    rankings: Sequence[Ranking]
    bank: Sequence[Misconception]
    seen: Collection[int] | None = None
    shown: int = 10


def to_payload(examples: Examples) -> str:
    r"""Return the page's data as JSON in which no `<`, `>` or `&` stands, so that no text can end its script element.

    Question and answer texts are HTML made safe by `eval.latex.to_html`; all other texts are plain and the page sets
    them as text. Questions and names are stored once each.

    Raises:
        InputError: A query has no ranking, or an id is not in the bank.
    """
    rankings = {ranking.key: ranking for ranking in examples.rankings}
    names = {misconception.id: misconception.name for misconception in examples.bank}
    lacking = [f"query {query.key}: has no ranking to show" for query in examples.queries if query.key not in rankings]
    if lacking:
        raise InputError(lacking)
    known = None if examples.seen is None else frozenset(examples.seen)
    questions: dict[int, Question] = {}
    rows: list[dict[str, object]] = []
    used: set[int] = set()
    for query in examples.queries:
        ranking = rankings[query.key]
        top = ranking.ids[: examples.shown].tolist()
        questions.setdefault(query.question.id, query.question)
        used.update(top, query.labels)
        rows.append(
            {
                "q": query.question.id,
                "letter": query.letter,
                "hint": query.hint,
                "ids": top,
                "scores": [round(score, 4) for score in ranking.scores[: examples.shown].tolist()],
                "truth": list(query.labels),
                "ranks": [ranking.rank_of(label) for label in query.labels],
                "unseen": None if known is None or not query.labels else known.isdisjoint(query.labels),
            }
        )
    strangers = sorted(used - names.keys())
    if strangers:
        raise InputError(f"misconception {strangers[0]}: is ranked or a label, but not in the bank of {len(names)}")
    payload = {
        "names": {str(id): names[id] for id in sorted(used)},
        "questions": {str(id): _question(question) for id, question in questions.items()},
        "rows": rows,
    }
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def _question(question: Question) -> dict[str, object]:
    return {
        "html": to_html(question.text),
        "source": question.text,
        "answers": {letter: to_html(question.answer(letter)) for letter in LETTERS},
        "correct": question.correct,
        "construct": question.construct,
        "subject": question.subject,
    }
