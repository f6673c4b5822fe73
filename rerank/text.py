"""The texts of a (query, candidate) pair for a cross-encoder: one function for training and inference.

A pipeline that has a configured query text hands its own callables in; `query_text` and `candidate_text` are what a
cross-encoder uses by itself.
"""

from collections.abc import Callable, Mapping, Sequence

from core.records import Misconception, Query

QueryText = Callable[[Query], str]
CandidateText = Callable[[Misconception], str]
Simplify = Callable[[str], str]


def pair_texts(
    queries: Sequence[Query],
    ids: Sequence[Sequence[int]],
    bank: Mapping[int, Misconception],
    *,
    query_text: QueryText,
    candidate_text: CandidateText,
) -> list[tuple[str, str]]:
    """Return the pairs of texts a cross-encoder reads, in its order: query, candidate. Each text is built once.

    Args:
        queries: The queries, n of them.
        ids: For each query its candidates.
        bank: The misconceptions by id; holds every candidate.
        query_text: Query -> text.
        candidate_text: Misconception -> text.

    Returns:
        One pair per query and candidate, all of the first query's first.

    Raises:
        ValueError: Lengths differ, or a text is blank: that would score every pair alike and nobody would know.
    """
    names = {id: candidate_text(bank[id]) for id in sorted({id for row in ids for id in row})}
    texts = [query_text(query) for query in queries]
    for query, text in zip(queries, texts, strict=True):
        if not text.strip():
            raise ValueError(f"query {query.key}: its text is blank")
    for id, name in names.items():
        if not name.strip():
            raise ValueError(f"misconception {id}: its text is blank")
    return [(text, names[id]) for text, row in zip(texts, ids, strict=True) for id in row]


def query_text(query: Query, *, with_hint: bool = True, simplify: Simplify | None = None) -> str:
    """Return construct, subject, question, correct answer, wrong answer and hint, one a line; absent ones left out.

    The wrong answer and the hint stand last: training truncates long pairs from the left, so they are never lost.

    Args:
        query: The query.
        with_hint: Add the query's hint where it has one.
        simplify: Applied to every field, e.g. to make LaTeX plainer; as is where None.
    """
    fields = (
        ("Topic", query.question.construct),
        ("Subject", query.question.subject),
        ("Question", query.question.text),
        ("Correct answer", query.correct_answer),
        ("Wrong answer", query.wrong_answer),
        ("Hint", query.hint if with_hint else None),
    )
    return "\n".join(f"{name}: {simplify(text) if simplify else text}" for name, text in fields if text)


def candidate_text(
    misconception: Misconception, *, with_explanation: bool = False, simplify: Simplify | None = None
) -> str:
    """Return the misconception's name, with its explanation on a second line where asked for and there.

    Args:
        misconception: The candidate.
        with_explanation: Add the explanation; about doubles the tokens of a pair, and so the time.
        simplify: Applied to both; as is where None.
    """
    texts = [misconception.name]
    if with_explanation and misconception.explanation:
        texts.append(misconception.explanation)
    return "\n".join(simplify(text) if simplify else text for text in texts)
